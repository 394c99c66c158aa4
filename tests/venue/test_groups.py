"""Brackets, OCO and OTO: when legs wait, work, shrink and end, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.venue.process import Trader, VenueProcess, eventually
from venue.audit import differences

EXITS = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "95"}}
BRACKET = {"order_class": "bracket", "time_in_force": "gtc", **EXITS}
OCO = {"order_class": "oco", "type": "limit", "time_in_force": "gtc", **EXITS}
OTO = {"order_class": "oto", "stop_loss": {"stop_price": "95"}}


@pytest.fixture(autouse=True)
def ledger_explains_everything(venue: VenueProcess, trader: Trader) -> Iterator[None]:
    """Every test here ends with books that add up."""
    yield
    assert differences(venue.database_url) == []


def legs(order: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return take-profit and stop-loss of a bracket as it was answered."""
    profit, stop = sorted(order["legs"], key=lambda leg: leg["type"])
    return profit, stop


def status(trader: Trader, order: dict[str, Any]) -> str:
    text: str = trader.get(f"/v2/orders/{order['id']}")["status"]
    return text


def bracket(trader: Trader, **terms: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Enter with a bracket and wait until its exits watch the market."""
    entry = trader.order("buy", "10", **{**BRACKET, **terms})
    profit, stop = legs(entry)
    trader.settled(profit["id"], "new")
    return entry, profit, stop


def oco(trader: Trader, **terms: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Hold 10 AAPL and let an OCO over them rest."""
    trader.filled("buy", "10")
    profit = trader.order("sell", "10", **{**OCO, **terms})
    trader.settled(profit["id"], "new")
    return profit, profit["legs"][0]


def test_answer_shows_the_legs_of_a_bracket(trader: Trader) -> None:
    entry = trader.order("buy", "10", type="limit", limit_price="99", client_order_id="b1", **BRACKET)
    profit, stop = legs(entry)
    assert (entry["order_class"], entry["status"]) == ("bracket", "pending_new")
    shown = [
        (leg["side"], leg["type"], leg["qty"], leg["status"], leg["position_intent"])
        for leg in (profit, stop)
    ]
    assert shown == [
        ("sell", "limit", "10", "held", "sell_to_close"),
        ("sell", "stop", "10", "held", "sell_to_close"),
    ]
    assert (profit["limit_price"], stop["stop_price"], stop["limit_price"]) == ("110", "95", None)
    assert profit["order_class"] == "bracket" and profit["legs"] is None
    assert len({entry["client_order_id"], profit["client_order_id"], stop["client_order_id"]}) == 3


def test_nested_and_flat_lists(trader: Trader) -> None:
    entry = trader.order("buy", "10", type="limit", limit_price="99", **BRACKET)
    trader.settled(entry["id"], "new")
    flat = trader.get("/v2/orders", status="all")
    assert len(flat) == 3 and all(order["legs"] is None for order in flat)
    # What is held is not open by the words of the API.
    assert [order["id"] for order in trader.get("/v2/orders")] == [entry["id"]]
    nested = trader.get("/v2/orders", nested="true")
    assert [order["id"] for order in nested] == [entry["id"]]
    assert {leg["id"] for leg in nested[0]["legs"]} == {leg["id"] for leg in entry["legs"]}
    assert trader.get(f"/v2/orders/{entry['id']}")["legs"] is None
    assert len(trader.get(f"/v2/orders/{entry['id']}", nested="true")["legs"]) == 2


def test_stop_loss_of_a_bracket_ends_the_take_profit(venue: VenueProcess, trader: Trader) -> None:
    with trader.stream() as events:
        entry, profit, stop = bracket(trader)
        assert status(trader, entry) == "filled" and status(trader, stop) == "held"
        venue.price("AAPL", "94.50")
        assert trader.settled(stop["id"])["filled_avg_price"] == "94.5"
        trader.settled(profit["id"], "canceled")
        heard = [(event["event"], event["order"]["id"]) for event in events.take(9)]
    assert heard == [
        ("pending_new", entry["id"]),
        ("held", profit["id"]),
        ("held", stop["id"]),
        ("new", entry["id"]),
        ("fill", entry["id"]),
        ("new", profit["id"]),
        ("new", stop["id"]),
        ("fill", stop["id"]),
        ("canceled", profit["id"]),
    ]
    assert trader.get("/v2/positions") == []


def test_take_profit_of_a_short_bracket_ends_the_stop_loss(venue: VenueProcess, trader: Trader) -> None:
    exits = {"take_profit": {"limit_price": "90"}, "stop_loss": {"stop_price": "105", "limit_price": "106"}}
    entry = trader.order("sell", "10", **{**BRACKET, **exits})
    profit, stop = legs(entry)
    assert (stop["type"], stop["side"], stop["limit_price"]) == ("stop_limit", "buy", "106")
    trader.settled(profit["id"], "new")
    venue.price("AAPL", "89")
    trader.settled(profit["id"])
    trader.settled(stop["id"], "canceled")
    assert trader.get("/v2/positions") == []


def test_legs_wait_until_the_entry_is_filled_in_full(venue: VenueProcess, trader: Trader) -> None:
    venue.fault("fill_plan", trader, count=1, fills=[{"qty": "6"}], then="rest")
    entry = trader.order("buy", "10", **BRACKET)
    profit, stop = legs(entry)
    trader.settled(entry["id"], "partially_filled")
    venue.price("AAPL", "94")
    assert status(trader, profit) == status(trader, stop) == "held"
    assert trader.get("/v2/positions/AAPL")["qty"] == "6"
    # The shares that came stay without protection: what Alpaca says of its brackets.
    trader.call("DELETE", f"/v2/orders/{entry['id']}")
    assert [status(trader, order) for order in (entry, profit, stop)] == ["canceled"] * 3
    assert trader.get("/v2/positions/AAPL")["qty"] == "6"


@pytest.mark.parametrize("which", [0, 1])
def test_canceling_one_exit_cancels_the_other(trader: Trader, which: int) -> None:
    _, *exits = bracket(trader)
    assert trader.call("DELETE", f"/v2/orders/{exits[which]['id']}").status_code == 204
    assert [status(trader, leg) for leg in exits] == ["canceled"] * 2
    assert trader.get("/v2/positions/AAPL")["qty_available"] == "10"


def test_canceling_a_held_leg_cancels_the_entry(trader: Trader) -> None:
    entry = trader.order("buy", "10", type="limit", limit_price="99", **BRACKET)
    trader.settled(entry["id"], "new")
    trader.call("DELETE", f"/v2/orders/{legs(entry)[1]['id']}")
    assert status(trader, entry) == "canceled"


def test_cancel_all_takes_every_group(trader: Trader) -> None:
    bracket(trader)
    answer = trader.call("DELETE", "/v2/orders")
    assert [row["status"] for row in answer.json()] == [200, 200]
    assert {order["status"] for order in trader.get("/v2/orders", status="all")} == {"filled", "canceled"}


def test_oco_nests_the_stop_under_the_take_profit(trader: Trader) -> None:
    profit, stop = oco(trader)
    assert (profit["type"], profit["limit_price"], profit["order_class"]) == ("limit", "110", "oco")
    assert (stop["type"], stop["side"], stop["status"]) == ("stop", "sell", "held")
    nested = trader.get("/v2/orders", nested="true")
    assert [(order["id"], order["legs"][0]["id"]) for order in nested] == [(profit["id"], stop["id"])]
    # The group holds its shares once.
    position = trader.get("/v2/positions/AAPL")
    assert (position["qty"], position["qty_available"]) == ("10", "0")
    refused = trader.submit("sell", "1").json()
    assert (refused["code"], refused["held_for_orders"]) == (40310000, "10")


def test_partial_take_profit_cuts_the_stop_loss_down(venue: VenueProcess, trader: Trader) -> None:
    trader.filled("buy", "10")
    plan = {"fills": [{"qty": "4"}], "then": "rest", "match": {"leg": "take_profit"}}
    venue.fault("fill_plan", trader, count=1, **plan)
    with trader.stream() as events:
        profit = trader.order("sell", "10", **OCO)
        stop = profit["legs"][0]
        trader.settled(profit["id"], "new")
        venue.price("AAPL", "110")
        trader.settled(profit["id"], "partially_filled")
        heard = events.take(5)
    assert [(event["event"], event["order"]["id"]) for event in heard[3:]] == [
        ("partial_fill", profit["id"]),
        ("restated", stop["id"]),
    ]
    assert trader.get(f"/v2/orders/{stop['id']}")["qty"] == "6"
    venue.price("AAPL", "95")
    assert trader.settled(stop["id"])["filled_qty"] == "6"
    assert trader.settled(profit["id"], "canceled")["filled_qty"] == "4"
    assert trader.get("/v2/positions") == []


def test_exits_are_replaced_one_by_one(venue: VenueProcess, trader: Trader) -> None:
    profit, stop = oco(trader)
    new_stop = trader.call("PATCH", f"/v2/orders/{stop['id']}", {"stop_price": "97"}).json()
    assert (new_stop["status"], new_stop["replaces"], new_stop["order_class"]) == ("held", stop["id"], "oco")
    new_profit = trader.call("PATCH", f"/v2/orders/{profit['id']}", {"limit_price": "120"}).json()
    trader.settled(new_profit["id"], "new")
    nested = trader.get("/v2/orders", nested="true")
    assert [(order["id"], [leg["id"] for leg in order["legs"]]) for order in nested] == [
        (new_profit["id"], [new_stop["id"]])
    ]
    for order, change in ((new_stop, {"stop_price": "120"}), (new_profit, {"limit_price": "97"})):
        refused = trader.call("PATCH", f"/v2/orders/{order['id']}", change)
        assert refused.json()["message"] == "take_profit.limit_price must be > stop_loss.stop_price"
    for change in ({"qty": "5"}, {"time_in_force": "day"}):
        assert trader.call("PATCH", f"/v2/orders/{new_profit['id']}", change).status_code == 422
    venue.price("AAPL", "97")
    trader.settled(new_stop["id"])
    trader.settled(new_profit["id"], "canceled")


def test_oto_stop_goes_to_work_alone(venue: VenueProcess, trader: Trader) -> None:
    entry = trader.order("buy", "10", **OTO)
    (stop,) = entry["legs"]
    trader.settled(stop["id"], "new")
    assert trader.call("PATCH", f"/v2/orders/{stop['id']}", {"stop_price": "96"}).status_code == 422
    venue.price("AAPL", "95")
    trader.settled(stop["id"])


def test_day_exits_expire_together(venue: VenueProcess, trader: Trader) -> None:
    _, profit, stop = bracket(trader, time_in_force="day")
    venue.control("POST", "/control/market", {"session": "closed"})
    trader.settled(profit["id"], "expired")
    trader.settled(stop["id"], "expired")


def test_gtc_exits_sleep_and_wake_together(venue: VenueProcess, trader: Trader) -> None:
    _, profit, stop = bracket(trader)
    venue.control("POST", "/control/market", {"session": "closed"})
    trader.settled(profit["id"], "done_for_day")
    assert status(trader, stop) == "held"
    venue.price("AAPL", "94")
    venue.control("POST", "/control/market", {"session": "open"})
    trader.settled(stop["id"])
    trader.settled(profit["id"], "canceled")


def test_a_race_lets_both_exits_fill(venue: VenueProcess, trader: Trader) -> None:
    trader.filled("buy", "10")
    venue.fault("leg_race", trader, count=1)
    profit = trader.order("sell", "10", **OCO)
    trader.settled(profit["id"], "new")
    venue.price("AAPL", "110")
    trader.settled(profit["id"])
    venue.price("AAPL", "95")
    trader.settled(profit["legs"][0]["id"])
    assert trader.get("/v2/positions/AAPL")["qty"] == "-10"


def test_both_prices_at_once_fill_one_exit(venue: VenueProcess) -> None:
    """Thirty groups while the price jumps between their exits: every position is closed exactly once."""
    traders = [venue.trader() for _ in range(30)]
    groups = []
    for each in traders:
        each.filled("buy", "10")
        groups.append(each.order("sell", "10", **OCO))
    for _ in range(10):
        venue.price("AAPL", "110")
        venue.price("AAPL", "95")
    for each, profit in zip(traders, groups, strict=True):
        eventually(lambda each=each: each.get("/v2/positions") == [])
        exits = [each.get(f"/v2/orders/{order['id']}") for order in (profit, profit["legs"][0])]
        assert sorted(order["status"] for order in exits) == ["canceled", "filled"]
        assert sum(int(order["filled_qty"]) for order in exits) == 10


def test_groups_go_on_after_a_kill(venue: VenueProcess, trader: Trader) -> None:
    _, profit, stop = bracket(trader)
    venue.kill()
    venue.start()
    venue.price("AAPL", "94")
    trader.settled(stop["id"])
    trader.settled(profit["id"], "canceled")


def test_exits_stand_beside_an_entry_of_the_other_side(trader: Trader) -> None:
    oco(trader)
    more = trader.order("buy", "1", type="limit", limit_price="99")
    trader.settled(more["id"], "new")


@pytest.mark.parametrize(
    ("terms", "code", "words"),
    [
        ({**BRACKET, "stop_loss": None}, 40010001, "bracket orders require stop_loss.stop_price"),
        ({**BRACKET, "take_profit": None}, 40010001, "bracket orders require take_profit.limit_price"),
        ({"order_class": "oto"}, 40010001, "oto orders require either take_profit or stop_loss"),
        ({**BRACKET, "stop_loss": {"limit_price": "95"}}, 40010001, "stop_loss requires stop_price"),
        ({**BRACKET, "stop_loss": "95"}, 40010001, "stop_loss must be an object"),
        ({**BRACKET, "take_profit": {"limit_price": "0"}}, 40010001, "take_profit.limit_price must be > 0"),
        ({**OCO, "type": "market"}, 40010001, "oco orders must be limit orders"),
        ({**BRACKET, "type": "stop", "stop_price": "101"}, 40010001, "must be market or limit orders"),
        (
            {**BRACKET, "qty": "1.5", "time_in_force": "day"},
            42210000,
            "fractional orders must be simple orders",
        ),
        ({**BRACKET, "qty": "1.5"}, 42210000, "fractional orders must be DAY orders"),
        (
            {**BRACKET, "qty": None, "notional": "10", "time_in_force": "day"},
            42210000,
            "fractional orders must be simple orders",
        ),
        ({**BRACKET, "time_in_force": "ioc"}, 42210000, "bracket orders must be DAY or GTC orders"),
        (
            {**BRACKET, "type": "limit", "limit_price": "99", "extended_hours": True},
            42210000,
            "extended hours order must be simple orders",
        ),
        (
            {**BRACKET, "take_profit": {"limit_price": "95"}},
            42210000,
            "take_profit.limit_price must be > stop_loss.stop_price",
        ),
        (
            {**BRACKET, "stop_loss": {"stop_price": "100.01"}},
            42210000,
            "stop_loss.stop_price must be <= base_price",
        ),
        (
            {**BRACKET, "type": "limit", "limit_price": "94"},
            42210000,
            "stop_loss.stop_price must be <= base_price - 0.01",
        ),
        (
            {**BRACKET, "take_profit": {"limit_price": "100.01"}},
            42210000,
            "take_profit.limit_price must be >= base_price + 0.01",
        ),
    ],
)
def test_refusals(trader: Trader, terms: dict[str, Any], code: int, words: str) -> None:
    answer = trader.submit("buy", **{"qty": "10", **terms})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert words in answer.json()["message"]
    assert trader.get("/v2/orders", status="all") == []


def test_oco_cannot_open(trader: Trader) -> None:
    answer = trader.submit("sell", "10", **OCO)
    assert answer.json() == {"code": 42210000, "message": "oco orders must be exit orders"}


def test_bracket_cannot_close(trader: Trader) -> None:
    trader.filled("buy", "10")
    exits = {"take_profit": {"limit_price": "90"}, "stop_loss": {"stop_price": "105"}}
    answer = trader.submit("sell", "10", **{**BRACKET, **exits})
    assert answer.json() == {"code": 42210000, "message": "bracket orders must be entry orders"}


def test_base_price_is_told(trader: Trader) -> None:
    answer = trader.submit("buy", "10", **{**BRACKET, "stop_loss": {"stop_price": "101"}})
    assert answer.json()["base_price"] == "100.01"


def test_sdk_sends_and_reads_groups(trader: Trader) -> None:
    from alpaca.trading.client import TradingClient
    from alpaca.trading.requests import MarketOrderRequest, StopLossRequest, TakeProfitRequest

    client = TradingClient(trader.key_id, trader.secret, url_override=trader.venue.url)
    order: Any = client.submit_order(
        MarketOrderRequest(
            symbol="AAPL",
            qty=10,
            side="buy",
            time_in_force="gtc",
            order_class="bracket",
            take_profit=TakeProfitRequest(limit_price=110),
            stop_loss=StopLossRequest(stop_price=95),
        )
    )
    assert {leg.status.value for leg in order.legs} == {"held"}
    eventually(lambda: [leg for leg in order.legs if status(trader, {"id": str(leg.id)}) == "new"])
    client._session.close()
