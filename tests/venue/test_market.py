"""The random walk, the book and the pure decisions."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from venue.assets import Assets
from venue.engine.book import Book, is_reached
from venue.engine.decide import Scene, Verdict, decide, step_qty
from venue.engine.market import CENT, Market
from venue.models import Order, Quote

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)


def order(**facts: Any) -> Order:
    base = Order(
        id=uuid4(),
        account_id=UUID(int=1),
        client_order_id="x",
        enforce_unique_id=True,
        created_at=NOW,
        updated_at=NOW,
        submitted_at=NOW,
        symbol="AAPL",
        qty=Decimal(10),
        type="market",
        side="buy",
        time_in_force="day",
        status="new",
    )
    return replace(base, **facts)


def quote(bid: str, ask: str) -> Quote:
    return Quote("AAPL", Decimal(bid), Decimal(ask), NOW)


def walk(seed: str, symbol: str, steps: int) -> list[Decimal]:
    market = Market(Assets(open_universe=True), seed)
    path = []
    for _ in range(steps):
        market.step(symbol)
        path.append(market.quote(symbol).bid)
    return path


def test_walk_is_repeatable_and_differs_by_seed_and_symbol() -> None:
    path = walk("1", "AAPL", 200)
    assert path == walk("1", "AAPL", 200)
    assert path != walk("2", "AAPL", 200)
    assert len(set(path)) > 20
    assert all(price == price.quantize(CENT) for price in path)
    assert abs(path[-1] - path[0]) < path[0] / 5


def test_pinned_price_stays_and_walks_on_when_let_go() -> None:
    market = Market(Assets(open_universe=True), "1")
    market.pin("AAPL", Decimal("50.00"), Decimal("50.10"))
    assert not market.step("AAPL")
    assert market.quote("AAPL").ask == Decimal("50.10")
    market.unpin("AAPL")
    assert any(market.step("AAPL") for _ in range(20))


def test_universe() -> None:
    assert Assets(open_universe=True).find("ZZZZ") is not None
    assert Assets(open_universe=False).find("ZZZZ") is None
    for name in ("", "aapl", "TOOLONG", "A1", "AAPL\n"):
        assert Assets(open_universe=True).find(name) is None


def test_book_wakes_exactly_what_a_quote_reaches() -> None:
    dice = random.Random(5)
    for _ in range(30):
        book, resting = Book(), []
        for _ in range(40):
            price = Decimal(dice.randint(9_000, 11_000)) / 100
            terms = dice.choice(
                [
                    {"type": "limit", "limit_price": price},
                    {"type": "stop", "stop_price": price},
                    {"type": "stop_limit", "stop_price": price, "limit_price": price},
                    {"type": "stop_limit", "stop_price": price, "limit_price": price, "triggered": True},
                ]
            )
            resting.append(order(side=dice.choice(["buy", "sell"]), **terms))
            book.add(resting[-1])
        for gone in resting[:5]:
            book.remove(gone.id)
        now = quote("99.00", "99.02")
        expected = {one.id for one in resting[5:] if is_reached(one, now)}
        assert {ref.order_id for ref in book.take_reached("AAPL", now)} == expected
        assert len(book) == 35 - len(expected)
        assert book.take_reached("AAPL", now) == []


@pytest.mark.parametrize(
    ("facts", "scene", "verdict"),
    [
        ({"status": "pending_new"}, {}, Verdict.ACKNOWLEDGE),
        ({}, {}, Verdict.FILL),
        ({}, {"is_open": False}, Verdict.HOLD),
        ({"time_in_force": "cls"}, {}, Verdict.HOLD),
        ({"time_in_force": "cls"}, {"closing": True, "is_open": False}, Verdict.FILL),
        ({"expires_at": NOW}, {}, Verdict.EXPIRE),
        ({"fill_plan": {"never": True}}, {}, Verdict.HOLD),
        ({"type": "limit", "limit_price": Decimal(90)}, {}, Verdict.REST),
        ({"type": "limit", "limit_price": Decimal(90), "time_in_force": "ioc"}, {}, Verdict.CANCEL),
        ({"type": "limit", "limit_price": Decimal(90), "time_in_force": "opg"}, {}, Verdict.EXPIRE),
        ({"type": "stop", "stop_price": Decimal(120)}, {}, Verdict.REST),
        ({"type": "stop", "stop_price": Decimal(100)}, {}, Verdict.TRIGGER),
        ({"type": "stop", "stop_price": Decimal(120), "triggered": True}, {}, Verdict.FILL),
    ],
)
def test_decisions(facts: dict[str, Any], scene: dict[str, Any], verdict: Verdict) -> None:
    surroundings = Scene(quote("100.00", "100.02"), NOW, **scene)
    assert decide(order(**facts), surroundings).verdict is verdict


def test_plan_of_a_fill_or_kill_kills() -> None:
    plan = {"fills": [{"fraction": "0.5", "delay_ms": 0}], "then": "fill"}
    scene = Scene(quote("100.00", "100.02"), NOW)
    assert decide(order(fill_plan=plan, time_in_force="fok"), scene).verdict is Verdict.CANCEL


def test_plan_waits_before_each_step() -> None:
    plan = {"fills": [{"fraction": "0.5", "delay_ms": 30}], "then": "rest"}
    scene = Scene(quote("100.00", "100.02"), NOW)
    assert decide(order(fill_plan=plan), scene).wait_ms == 30
    assert decide(order(fill_plan=plan), replace(scene, waited=True)).qty == 5


def test_whole_orders_are_filled_in_whole_shares() -> None:
    assert step_qty(Decimal(10), {"fraction": "0.35"}) == 3
    assert step_qty(Decimal(1), {"fraction": "0.1"}) == 1
    assert step_qty(Decimal("2.5"), {"fraction": "0.1"}) == Decimal("0.25")
