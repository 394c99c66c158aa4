"""Who may open what: buying power, short sales, margin figures, shares that orders hold, wash trades, intents."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.venue.process import Trader, VenueProcess
from venue.engine.screening import maintenance


@pytest.mark.parametrize(
    ("qty", "price", "margin"),
    [
        ("10", "2.49", "24.9"),
        ("10", "2.50", "7.5"),
        ("10", "100", "300"),
        ("-10", "2", "25"),
        ("-10", "4", "40"),
        ("-10", "5", "50"),
        ("-10", "100", "300"),
    ],
)
def test_maintenance_margin_follows_the_table(qty: str, price: str, margin: str) -> None:
    assert maintenance(Decimal(qty), Decimal(price)) == Decimal(margin)


def test_figures_of_a_margin_account(venue: VenueProcess, trader: Trader) -> None:
    venue.price("AAPL", "100")
    trader.filled("sell", "100")
    account = trader.get("/v2/account")
    shown = {
        name: account[name]
        for name in ("equity", "short_market_value", "initial_margin", "maintenance_margin")
    }
    assert shown == {
        "equity": "100000",
        "short_market_value": "-10000",
        "initial_margin": "5000",
        "maintenance_margin": "3000",
    }
    assert (account["multiplier"], account["buying_power"]) == ("2", "190000")


def test_small_account_has_no_margin_and_sells_nothing_short(venue: VenueProcess, trader: Trader) -> None:
    small = venue.trader(cash="1999.99")
    account = small.get("/v2/account")
    assert (account["multiplier"], account["buying_power"]) == ("1", "1999.99")
    assert account["shorting_enabled"] is False
    answer = small.submit("sell", "1")
    assert (answer.status_code, answer.json()["message"]) == (403, "account is not allowed to short")
    answer = small.submit("buy", "20")
    assert answer.json() == {
        "code": 40310000,
        "message": "insufficient buying power",
        "buying_power": "1999.99",
        "cost_basis": "2000.4",
    }


def test_multiplier_is_settable(venue: VenueProcess, trader: Trader) -> None:
    venue.control("PATCH", f"/control/accounts/{trader.account_id}", {"multiplier": 4})
    assert trader.get("/v2/account")["buying_power"] == "400000"


def test_short_sale_counts_with_three_percent_above_the_ask(venue: VenueProcess, trader: Trader) -> None:
    venue.price("AAPL", "100")
    order = trader.order("sell", "100", type="limit", limit_price="101")
    trader.settled(order["id"], "new")
    assert trader.get("/v2/account")["buying_power"] == "189700"


def test_without_shorting_no_more_can_be_sold_than_is_held(venue: VenueProcess) -> None:
    trader = venue.trader(shorting=False)
    trader.filled("buy", "10")
    trader.order("sell", "4", type="limit", limit_price="150")
    answer = trader.submit("sell", "7")
    assert answer.status_code == 403
    assert answer.json() == {
        "code": 40310000,
        "message": "insufficient qty available for order (requested: 7, available: 6)",
        "symbol": "AAPL",
        "existing_qty": "10",
        "available": "6",
        "held_for_orders": "4",
    }


@pytest.mark.parametrize(
    ("side", "intent"),
    [("buy", "sell_to_open"), ("sell", "buy_to_close"), ("buy", "buy_to_close"), ("sell", "sell_to_close")],
)
def test_intent_that_does_not_fit_a_flat_account(trader: Trader, side: str, intent: str) -> None:
    answer = trader.submit(side, "1", position_intent=intent)
    inferred = f"{side}_to_open"
    assert answer.status_code == 422
    assert answer.json()["message"] == f"position intent mismatch, inferred: {inferred}, specified: {intent}"


def test_closing_intent_never_opens(trader: Trader) -> None:
    trader.filled("buy", "10")
    assert trader.filled("sell", "10", position_intent="sell_to_close")["position_intent"] == "sell_to_close"
    assert trader.submit("sell", "10", position_intent="sell_to_close").status_code == 422
    assert trader.get("/v2/positions") == []


@pytest.mark.parametrize(
    ("resting", "wish", "reason"),
    [
        ({"type": "limit", "limit_price": "150"}, {}, "opposite side limit order exists"),
        (
            {"type": "limit", "limit_price": "150"},
            {"type": "limit", "limit_price": "150"},
            "opposite side limit",
        ),
        ({"type": "limit", "limit_price": "150"}, {"type": "limit", "limit_price": "149"}, None),
        (
            {"type": "stop", "stop_price": "90"},
            {"type": "limit", "limit_price": "80"},
            "opposite side market/stop",
        ),
        ({"type": "trailing_stop", "trail_price": "5"}, {}, None),
    ],
)
def test_adding_beside_an_exit(
    trader: Trader, resting: dict[str, Any], wish: dict[str, Any], reason: str | None
) -> None:
    trader.filled("buy", "10")
    exit_order = trader.order("sell", "10", **resting)
    answer = trader.submit("buy", "1", **wish)
    if reason is None:
        assert answer.status_code == 200
        return
    body = answer.json()
    assert (answer.status_code, body["code"], body["existing_order_id"]) == (403, 40310000, exit_order["id"])
    assert body["message"] == "potential wash trade detected. use complex orders"
    assert reason in body["reject_reason"]


def test_exits_are_checked_where_the_account_says_so(venue: VenueProcess, trader: Trader) -> None:
    trader.filled("buy", "10")
    more = trader.order("buy", "1", type="limit", limit_price="90")
    trader.settled(more["id"], "new")
    trader.filled("sell", "1")
    venue.control("PATCH", f"/control/accounts/{trader.account_id}", {"wash_checks": True})
    assert trader.submit("sell", "1").json()["existing_order_id"] == more["id"]
    exits = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "95"}}
    assert trader.submit("sell", "1", type="limit", order_class="oco", **exits).status_code == 200
