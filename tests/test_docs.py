"""What the docs say about the code is compared with the code."""

import re
from pathlib import Path

import pytest

from brokers.refusals import refusal_table
from desk.config import CHECKOUT
from orders.intake.alert import ALERT_FIELDS
from orders.intake.problem import problem_table
from orders.models import ExitReason, Trade

DOCS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]


def test_the_table_of_problems_is_the_registrys() -> None:
    assert problem_table() in (CHECKOUT / "docs/webhooks.md").read_text()


def test_the_table_of_refusals_is_the_enums() -> None:
    assert refusal_table() in (CHECKOUT / "docs/broker-refusals.md").read_text()


@pytest.mark.parametrize("name", sorted(ALERT_FIELDS))
def test_every_alert_field_is_documented(name: str) -> None:
    assert f"`{name}`" in (CHECKOUT / "docs/webhooks.md").read_text()


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`((?:brokers|orders|tasks|tests|desk|deploy|venue)/[\w./-]+)`", page.read_text())
    missing = [name for name in named if not (CHECKOUT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("value", [*Trade.Status.values, *ExitReason.values])
def test_every_status_and_exit_reason_of_a_trade_is_documented(value: str) -> None:
    assert f"| `{value}` |" in (CHECKOUT / "docs/positions-and-trades.md").read_text()
