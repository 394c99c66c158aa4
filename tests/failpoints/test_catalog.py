"""The catalog and the source name the same points, and each name stands for one moment."""

import ast
from collections import defaultdict

import pytest

from failpoints.catalog import POINTS
from tests.failpoints.effects import Place, points_in, sources

IN_SEVERAL_PLACES = {
    "record.before_commit": "an alert is recorded by one function, a manual order by another",
    "record.after_commit": "the same",
    "undo.before_commit": "an order and a request are taken back by one function each",
    "undo.after_commit": "the same",
    "unknown.after_commit": "the same for an outcome that nobody knows",
    "report.before_commit": "a refusal is a broker's fact too, and comes as an exception instead of a report",
    "report.after_commit": "the same",
}


@pytest.fixture(scope="module")
def points() -> list[tuple[Place, ast.Call]]:
    return list(points_in(sources()))


def names_of(points: list[tuple[Place, ast.Call]]) -> dict[str, set[str]]:
    """Return the functions in which each name is used."""
    places: dict[str, set[str]] = defaultdict(set)
    for place, call in points:
        places[ast.literal_eval(call.args[0])].add(str(place))
    return places


def test_every_point_is_named_by_a_literal(points: list[tuple[Place, ast.Call]]) -> None:
    for place, call in points:
        assert len(call.args) == 1 and not call.keywords, place
        assert isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str), place


def test_the_catalog_and_the_source_name_the_same_points(points: list[tuple[Place, ast.Call]]) -> None:
    used = names_of(points)
    assert sorted(used.keys() - POINTS.keys()) == [], "not in the catalog"
    assert sorted(POINTS.keys() - used.keys()) == [], "in the catalog and nowhere else"


def test_each_name_stands_in_one_function_or_has_a_reason(points: list[tuple[Place, ast.Call]]) -> None:
    used = names_of(points)
    several = {name for name, places in used.items() if len(places) > 1}
    assert several == IN_SEVERAL_PLACES.keys(), {name: used[name] for name in several}


def test_every_point_says_what_is_true_there() -> None:
    for name, truth in POINTS.items():
        assert len(truth.split()) >= 4, name
    assert len(set(POINTS.values())) == len(POINTS)
