"""What the market forbids in a symbol for now, and an order that is rejected after it was accepted."""

from __future__ import annotations

from tests.venue.process import Trader


def forbid(trader: Trader, path: str, **body: object) -> None:
    trader.venue.control("POST", f"/control/{path}", {"symbol": "AAPL", **body})


def test_a_halt_that_refuses_turns_new_orders_and_replaces_away_and_keeps_the_old(trader: Trader) -> None:
    resting = trader.order(type="limit", limit_price="90", time_in_force="gtc")
    trader.settled(resting["id"], "new")
    forbid(trader, "halts", halted=True, refuse=True)
    refused = trader.submit()
    assert (refused.status_code, refused.json()["message"]) == (422, "trading in asset AAPL is halted")
    assert trader.call("PATCH", f"/v2/orders/{resting['id']}", {"limit_price": "91"}).status_code == 422
    assert trader.get(f"/v2/orders/{resting['id']}")["status"] == "new"
    assert [row["kind"] for row in trader.venue.ledger(trader)].count("refused") == 1
    forbid(trader, "halts", halted=True)  # without refusing: accepted, and kept waiting
    waiting = trader.order()
    forbid(trader, "halts", halted=False)
    trader.settled(waiting["id"])


def test_a_price_band_holds_for_limits_until_it_is_lifted(trader: Trader) -> None:
    forbid(trader, "bands", low="95", high="105")
    for price, status in (("94.99", 422), ("105.01", 422), ("95", 200), ("105", 200)):
        answer = trader.submit(type="limit", limit_price=price, time_in_force="gtc")
        assert answer.status_code == status, answer.text
    assert trader.submit().status_code == 200  # a market order has no price
    forbid(trader, "bands")
    assert trader.submit(type="limit", limit_price="80", time_in_force="gtc").status_code == 200


def test_a_rejection_after_acceptance_is_told_with_its_reason_and_ends_the_order(trader: Trader) -> None:
    trader.venue.fault("reject", trader, reason="no", count=1)
    with trader.stream() as events:
        order = trader.order()
        told = events.take(2)[1]
    assert (told["event"], told["reason"], told["order"]["id"]) == ("rejected", "no", order["id"])
    after = trader.get(f"/v2/orders/{order['id']}")
    assert (after["status"], after["filled_qty"]) == ("rejected", "0")
    assert after["failed_at"]
    kinds = [row["kind"] for row in trader.venue.ledger(trader) if row["order_id"] == order["id"]]
    assert kinds == ["accepted", "rejected"]
    trader.filled()  # the next one is not struck
