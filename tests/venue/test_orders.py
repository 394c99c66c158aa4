"""Orders over HTTP: what is accepted, what is refused and how, and how orders end."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.venue.process import Trader, VenueProcess, new_id


def test_market_order_is_acknowledged_first_and_filled_a_moment_later(trader: Trader) -> None:
    order = trader.order("buy", "10")
    assert (order["status"], order["filled_qty"], order["position_intent"]) == (
        "pending_new",
        "0",
        "buy_to_open",
    )
    done = trader.settled(order["id"])
    assert (done["filled_qty"], done["filled_avg_price"]) == ("10", "100.02")
    assert trader.get("/v2/account")["cash"] == "98999.8"


def test_sell_fills_at_the_bid(trader: Trader) -> None:
    trader.filled("buy", "10")
    assert trader.filled("sell", "10")["filled_avg_price"] == "100"
    assert trader.get("/v2/positions") == []
    assert trader.get("/v2/account")["cash"] == "99999.8"


@pytest.mark.parametrize("qty", ["1.123456789", "0.000000001"])
def test_fractional_quantities_are_exact(trader: Trader, qty: str) -> None:
    assert trader.filled("buy", qty)["filled_qty"] == qty
    assert trader.get("/v2/positions/AAPL")["qty"] == qty


def test_number_in_body_counts_as_its_text(trader: Trader) -> None:
    assert trader.filled("buy", 10.0)["qty"] == "10"
    assert trader.filled("buy", 0.1)["qty"] == "0.1"


def test_notional_order(trader: Trader) -> None:
    done = trader.filled("buy", None, notional="250.05")
    assert (done["qty"], done["notional"], done["filled_qty"]) == (None, "250.05", "2.5")


def test_duplicate_client_order_id_is_refused_for_ever(trader: Trader) -> None:
    client_order_id = new_id()
    first = trader.filled("buy", "1", client_order_id=client_order_id)
    again = trader.submit("buy", "1", client_order_id=client_order_id)
    assert again.status_code == 422
    assert again.json() == {"code": 40010001, "message": "client_order_id must be unique"}
    found = trader.get("/v2/orders:by_client_order_id", client_order_id=client_order_id)
    assert found["id"] == first["id"]
    assert trader.get("/v2/positions/AAPL")["qty"] == "1"


def test_twenty_senders_of_one_id_make_one_order(venue: VenueProcess, trader: Trader) -> None:
    client_order_id = new_id()
    answers: list[int] = []

    def send() -> None:
        answers.append(trader.submit("buy", "1", client_order_id=client_order_id).status_code)

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [422] * 19
    accepted = [row for row in venue.ledger(trader) if row["kind"] == "accepted"]
    assert len(accepted) == 1


def test_two_accounts_may_use_the_same_id(venue: VenueProcess, trader: Trader) -> None:
    client_order_id = new_id()
    trader.order(client_order_id=client_order_id)
    venue.trader().order(client_order_id=client_order_id)


def test_class_c_account_accepts_duplicates(venue: VenueProcess) -> None:
    trader = venue.trader(unique_client_order_ids=False)
    client_order_id = new_id()
    first, second = (trader.filled("buy", "1", client_order_id=client_order_id) for _ in range(2))
    assert first["id"] != second["id"]
    found = trader.get("/v2/orders:by_client_order_id", client_order_id=client_order_id)
    assert found["id"] == second["id"]


@pytest.mark.parametrize(
    ("change", "status", "code", "words"),
    [
        ({"qty": "0"}, 422, 40010001, "qty must be > 0"),
        ({"qty": "-1"}, 422, 40010001, "qty must be > 0"),
        ({"qty": "ten"}, 422, 40010001, "qty must be a number"),
        ({"qty": True}, 422, 40010001, "qty must be a number"),
        ({"qty": "1.1234567891"}, 422, 42210000, "9 decimal places"),
        ({"qty": None}, 422, 40010001, "qty or notional is required"),
        ({"notional": "10"}, 422, 40010001, "only one of qty or notional"),
        ({"symbol": None}, 422, 40010001, "symbol is required"),
        ({"symbol": "NOSUCH1"}, 422, 42210000, 'asset "NOSUCH1" not found'),
        ({"side": "hold"}, 422, 40010001, "invalid side"),
        ({"type": "iceberg"}, 422, 40010001, "invalid type"),
        ({"order_class": "mleg"}, 422, 42210000, "order_class mleg"),
        ({"take_profit": {"limit_price": "110"}}, 422, 42210000, "take_profit is not supported for simple"),
        ({"order_class": "a\0b"}, 422, 40010001, "order_class must be a string"),
        ({"client_order_id": "a\0b"}, 422, 40010001, "client_order_id must be a string"),
        ({"client_order_id": "\ud800"}, 422, 40010001, "client_order_id must be a string"),
        ({"symbol": ["AAPL"]}, 422, 40010001, "symbol must be a string"),
        ({"symbol": {"a": "\ud800\0"}}, 422, 40010001, "symbol must be a string"),
        ({"time_in_force": "gtd"}, 422, 40010001, "invalid time_in_force"),
        ({"time_in_force": "opg"}, 422, 42210000, "before the market opens"),
        ({"type": "limit"}, 422, 40010001, "limit orders require limit_price"),
        ({"limit_price": "99"}, 422, 40010001, "market orders require no limit_price"),
        ({"type": "limit", "limit_price": "99.001"}, 422, 42210000, "sub-penny"),
        ({"type": "stop", "stop_price": "99", "time_in_force": "ioc"}, 422, 42210000, "time_in_force"),
        ({"qty": "1.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be DAY orders"),
        ({"client_order_id": "x" * 129}, 422, 40010001, "no more than 128"),
        ({"position_intent": "buy_to_close"}, 422, 42210000, "position intent mismatch"),
        ({"qty": "100000"}, 403, 40310000, "insufficient buying power"),
        ({"side": "sell", "qty": "1.5"}, 403, 40310000, "cannot be sold short"),
    ],
)
def test_refusals(
    venue: VenueProcess, trader: Trader, change: dict[str, Any], status: int, code: int, words: str
) -> None:
    answer = trader.submit(**{"side": "buy", "qty": "10", **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert words in answer.json()["message"]
    refusal = venue.ledger(trader)[-1]
    assert (refusal["kind"], refusal["data"]["code"]) == ("refused", code)
    assert trader.get("/v2/orders", status="all") == []


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"qty": NaN}', b"\xff", b"[" * 50_000])
def test_bodies_that_are_no_object(trader: Trader, raw: bytes) -> None:
    answer = trader._session.post(trader.venue.url + "/v2/orders", data=raw, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, 40010000)


def test_body_that_is_too_large(trader: Trader) -> None:
    assert trader.submit("buy", "1", symbol="A" * 70_000).status_code == 413


def test_selling_more_than_held_is_refused_with_the_figures(trader: Trader) -> None:
    trader.filled("buy", "10")
    answer = trader.submit("sell", "20")
    assert answer.status_code == 403
    assert answer.json()["message"] == "insufficient qty available for order (requested: 20, available: 10)"


def test_open_exit_holds_its_shares(trader: Trader) -> None:
    trader.filled("buy", "10")
    trader.order("sell", "10", type="limit", limit_price="150")
    answer = trader.submit("sell", "1")
    assert answer.status_code == 403
    assert (answer.json()["available"], answer.json()["held_for_orders"]) == ("0", "10")
    assert trader.get("/v2/positions/AAPL")["qty_available"] == "0"


def test_shorting_and_covering(trader: Trader) -> None:
    trader.filled("sell", "10")
    position = trader.get("/v2/positions/AAPL")
    assert (position["qty"], position["side"], position["avg_entry_price"]) == ("-10", "short", "100")
    assert trader.filled("buy", "10")["position_intent"] == "buy_to_close"
    assert trader.get("/v2/positions") == []


def test_account_without_shorting(venue: VenueProcess) -> None:
    answer = venue.trader(shorting=False).submit("sell", "1")
    assert (answer.status_code, answer.json()["code"]) == (403, 40310000)


def test_opposite_opening_orders_are_refused(trader: Trader) -> None:
    trader.order("buy", "1", type="limit", limit_price="90")
    assert "long buy order is open" in trader.submit("sell", "1").json()["message"]


def test_resting_limit_uses_buying_power_until_canceled(trader: Trader) -> None:
    order = trader.order("buy", "1000", type="limit", limit_price="90")
    trader.settled(order["id"], "new")
    assert trader.get("/v2/account")["buying_power"] == "110000"
    assert trader.call("DELETE", f"/v2/orders/{order['id']}").status_code == 204
    assert trader.settled(order["id"], "canceled")["canceled_at"] is not None
    assert trader.get("/v2/account")["buying_power"] == "200000"
    again = trader.call("DELETE", f"/v2/orders/{order['id']}")
    assert (again.status_code, again.json()["code"]) == (422, 42210000)


@pytest.mark.parametrize(
    ("terms", "moves", "price"),
    [
        ({"side": "buy", "type": "limit", "limit_price": "99"}, ["99.01", "98.90"], "98.9"),
        ({"side": "sell", "type": "limit", "limit_price": "101"}, ["100.99", "101.50"], "101.5"),
        ({"side": "buy", "type": "stop", "stop_price": "101"}, ["100.90", "101.00"], "101"),
        ({"side": "sell", "type": "stop", "stop_price": "99"}, ["99.10", "98.00"], "98"),
        (
            {"side": "buy", "type": "stop_limit", "stop_price": "101", "limit_price": "101.50"},
            ["102.00", "101.40"],
            "101.4",
        ),
    ],
)
def test_resting_orders_wait_for_their_price(
    venue: VenueProcess, trader: Trader, terms: dict[str, Any], moves: list[str], price: str
) -> None:
    order = trader.order(**terms, time_in_force="gtc")
    trader.settled(order["id"], "new")
    venue.price("AAPL", moves[0])
    time.sleep(0.1)
    assert trader.get(f"/v2/orders/{order['id']}")["status"] == "new"
    venue.price("AAPL", moves[1])
    assert trader.settled(order["id"])["filled_avg_price"] == price


def test_marketable_limit_fills_at_the_better_price(trader: Trader) -> None:
    assert trader.filled("buy", "1", type="limit", limit_price="120")["filled_avg_price"] == "100.02"


@pytest.mark.parametrize("time_in_force", ["ioc", "fok"])
def test_immediate_orders_never_rest(trader: Trader, time_in_force: str) -> None:
    order = trader.order("buy", "1", type="limit", limit_price="90", time_in_force=time_in_force)
    trader.settled(order["id"], "canceled")
    trader.filled("buy", "1", type="limit", limit_price="110", time_in_force=time_in_force)


def test_replace_gives_a_new_id_and_links_both(trader: Trader) -> None:
    old = trader.order("buy", "1", type="limit", limit_price="90")
    trader.settled(old["id"], "new")
    answer = trader.call("PATCH", f"/v2/orders/{old['id']}", {"qty": "2", "limit_price": "110"})
    new = answer.json()
    assert (answer.status_code, new["replaces"], new["qty"]) == (200, old["id"], "2")
    assert new["id"] != old["id"] and new["client_order_id"] != old["client_order_id"]
    assert trader.settled(old["id"], "replaced")["replaced_by"] == new["id"]
    assert trader.settled(new["id"])["filled_qty"] == "2"


def test_replace_is_refused_whole(trader: Trader) -> None:
    old = trader.order("buy", "1", type="limit", limit_price="90")
    trader.settled(old["id"], "new")
    refused = trader.call("PATCH", f"/v2/orders/{old['id']}", {"qty": "100000"})
    assert (refused.status_code, refused.json()["code"]) == (403, 40310000)
    assert trader.get(f"/v2/orders/{old['id']}")["status"] == "new"


def test_orders_of_others_cannot_be_seen_or_touched(venue: VenueProcess, trader: Trader) -> None:
    order = venue.trader().order("buy", "1", type="limit", limit_price="90")
    for method in ("GET", "DELETE", "PATCH"):
        answer = trader.call(method, f"/v2/orders/{order['id']}", {"qty": "2"} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["code"]) == (404, 40410000)
    answer = trader.call("GET", "/v2/orders:by_client_order_id", client_order_id=order["client_order_id"])
    assert answer.status_code == 404


def test_list_filters(trader: Trader) -> None:
    resting = [trader.order("buy", "1", symbol=s, type="limit", limit_price="1") for s in ("MSFT", "TSLA")]
    done = trader.filled("buy", "1")
    assert [o["id"] for o in trader.get("/v2/orders")] == [resting[1]["id"], resting[0]["id"]]
    assert [o["id"] for o in trader.get("/v2/orders", status="closed")] == [done["id"]]
    ids = [resting[0]["id"], resting[1]["id"], done["id"]]
    assert [o["id"] for o in trader.get("/v2/orders", status="all", direction="asc")] == ids
    assert [o["id"] for o in trader.get("/v2/orders", status="all", limit=1)] == ids[2:]
    assert [o["id"] for o in trader.get("/v2/orders", symbols="TSLA,GM")] == ids[1:2]
    assert trader.get("/v2/orders", status="all", side="sell") == []
    after = trader.get("/v2/orders", status="all", after=resting[0]["submitted_at"], direction="asc")
    assert [o["id"] for o in after] == ids[1:]
    until = trader.get("/v2/orders", status="all", until=resting[1]["submitted_at"])
    assert [o["id"] for o in until] == ids[:1]
    assert trader.call("GET", "/v2/orders", limit="501").status_code == 422


def test_cancel_all(trader: Trader) -> None:
    ids = {trader.order("buy", "1", type="limit", limit_price="1")["id"] for _ in range(3)}
    answer = trader.call("DELETE", "/v2/orders")
    assert answer.status_code == 207
    assert {(row["id"], row["status"]) for row in answer.json()} == {(order_id, 200) for order_id in ids}
    assert trader.get("/v2/orders") == []


def test_wrong_keys(venue: VenueProcess, trader: Trader) -> None:
    for key_id, secret in ((trader.key_id, "wrong"), ("PKNOBODY", trader.secret), ("", "")):
        stranger = Trader(venue, trader.account_id, "", key_id, secret)
        answer = stranger.call("GET", "/v2/account")
        assert (answer.status_code, answer.json()["code"]) == (401, 40110000)


def test_blocked_account(venue: VenueProcess, trader: Trader) -> None:
    venue.control("PATCH", f"/control/accounts/{trader.account_id}", {"blocked": True})
    assert trader.submit().json()["code"] == 40310000
    assert trader.get("/v2/account")["trading_blocked"] is True


def test_unknown_paths_answer_json(trader: Trader) -> None:
    assert trader.call("GET", "/v2/nothing").json()["message"] == "endpoint not found"
    assert trader.call("GET", "/v2/orders/not-an-id").status_code == 404
