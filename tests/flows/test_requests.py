"""Cancel and replace through real processes: at rest, in a race with a fill, refused, and with the answer lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.flows.floor import Floor, Row
from tests.flows.helpers import Trader, wait_until

SYMBOL = "KO"  # nobody else here moves its price
FAR = "10"  # a buy at this price rests


class Pit:
    """One trader's manual orders at the desk."""

    def __init__(self, floor: Floor, trader: Trader) -> None:
        self.floor, self.trader = floor, trader

    def place(self, **fields: Any) -> str:
        """Place a limit order for 10 that rests, or what ``fields`` say; return its id once it is answered."""
        body = {"symbol": SYMBOL, "side": "buy", "quantity": 10, "type": "limit", "price": FAR} | fields
        answer = self._post("/api/v1/orders", {k: v for k, v in body.items() if v is not None})
        assert answer.status_code == 201, answer.text
        order_id: str = answer.json()["id"]
        return order_id

    def cancel(self, order_id: str, *, wait: int = 20) -> httpx.Response:
        return self._post(f"/api/v1/orders/{order_id}/cancel", {}, Prefer=f"wait={wait}")

    def replace(self, order_id: str, *, wait: int = 20, **terms: Any) -> httpx.Response:
        return self._post(f"/api/v1/orders/{order_id}/replace", terms, Prefer=f"wait={wait}")

    def _post(self, path: str, body: Row, **headers: str) -> httpx.Response:
        headers |= {"Authorization": f"Bearer {self.trader.api_key}"}
        return self.floor.http.post(path, json=body, headers=headers)

    def requests(self, order_id: str) -> list[Row]:
        """Return the order's requests as the API shows them, oldest first."""
        headers = {"Authorization": f"Bearer {self.trader.api_key}"}
        rows: list[Row] = self.floor.http.get(f"/api/v1/orders/{order_id}", headers=headers).json()[
            "requests"
        ]
        return rows

    def at_venue(self, kind: str) -> int:
        return len(self.floor.ledger(self.trader, kind))

    def add_fault(self, kind: str, method: str, **params: Any) -> None:
        """Have the venue misbehave once towards this trader's next cancel (DELETE) or replace (PATCH)."""
        match = {"account_id": self.trader.venue_account, "method": method, "path": "/v2/orders/*"}
        self.floor.venue(
            "POST", "/control/faults", {"match": match, "fault": {"kind": kind, **params}, "count": 1}
        )


@pytest.fixture
def pit(floor: Floor) -> Pit:
    floor.set_price(SYMBOL, "70")
    return Pit(floor, floor.trader())


def test_a_resting_order_is_canceled(pit: Pit) -> None:
    order_id = pit.place()
    answer = pit.cancel(order_id)
    said = answer.json()
    assert (answer.status_code, said["status"], said["order"]["ord_status"]) == (200, "ACCEPTED", "CANCELED")
    assert said["submitted_at"] is not None
    assert pit.at_venue("canceled") == 1
    again = pit.cancel(order_id)
    assert (again.status_code, again.json()["ord_status"]) == (409, "CANCELED")
    kinds = [event["kind"] for event in pit.floor.events(order_id)]
    assert kinds.index("CancelRecorded") < kinds.index("CancelRequested") < kinds.index("Canceled")


def test_a_resting_order_is_replaced_up_and_down_and_then_filled_whole(pit: Pit) -> None:
    order_id = pit.place()
    up = pit.replace(order_id, order_qty="15", price="11").json()
    assert (up["status"], up["order"]["order_qty"], up["order"]["price"]) == ("ACCEPTED", "15", "11")
    assert up["order"]["ord_status"] == "NEW"
    down = pit.replace(order_id, order_qty="4", price="75").json()
    assert (down["status"], down["order"]["order_qty"]) == ("ACCEPTED", "4")
    order = pit.floor.wait_status(order_id, "FILLED")
    assert (order["cum_qty"], order["leaves_qty"]) == (Decimal(4), Decimal(0))
    assert order["working_cl_ord_id"] == down["cl_ord_id"]
    fills = pit.floor.ledger(pit.trader, "fill")
    assert sum(Decimal(fill["qty"]) for fill in fills) == Decimal(4)
    assert [row["status"] for row in pit.requests(order_id)] == ["ACCEPTED", "ACCEPTED"]


def test_only_the_price_is_replaced(pit: Pit) -> None:
    order_id = pit.place()
    said = pit.replace(order_id, price="12.34").json()
    assert (said["status"], said["order"]["order_qty"], said["order"]["price"]) == ("ACCEPTED", "10", "12.34")


def test_replace_then_cancel(pit: Pit) -> None:
    order_id = pit.place()
    assert pit.replace(order_id, wait=0, order_qty="12").status_code in (200, 202)
    said = pit.cancel(order_id).json()
    assert (said["status"], said["order"]["ord_status"]) == ("ACCEPTED", "CANCELED")
    [replaced, canceled] = pit.requests(order_id)
    assert replaced["status"] in ("ACCEPTED", "MOOT", "REFUSED")
    assert canceled["status"] == "ACCEPTED"
    assert pit.at_venue("fill") == 0


@pytest.mark.parametrize("round_", range(4))
def test_a_cancel_that_races_a_fill_ends_as_one_of_the_two(pit: Pit, round_: int) -> None:
    order_id = pit.place(price="60")
    pit.add_fault("delay_ms", "DELETE", ms=15 * round_)
    answer = pit.cancel(order_id, wait=0)
    assert answer.status_code in (200, 202), answer.text
    pit.floor.set_price(SYMBOL, "55")
    order = pit.floor.wait_status(order_id, "FILLED", "CANCELED")
    [request] = wait_until(
        "the cancel is answered",
        lambda: [row for row in pit.requests(order_id) if row["answered_at"]],
    )
    filled = sum(Decimal(row["qty"]) for row in pit.floor.ledger(pit.trader, "fill"))
    assert order["cum_qty"] == filled
    if order["ord_status"] == "FILLED":
        assert filled == Decimal(10)
        assert request["status"] in ("MOOT", "REFUSED")
    else:
        assert filled < Decimal(10)
        assert request["status"] == "ACCEPTED"


def test_a_replace_that_the_broker_refuses_leaves_the_order_as_it_was(pit: Pit) -> None:
    order_id = pit.place()
    pit.add_fault("refuse", "PATCH")
    said = pit.replace(order_id, order_qty="12").json()
    assert said["status"] == "REFUSED"
    assert said["reason"] == "OTHER"
    assert said["text"].endswith("The broker says: refused by a control rule.")
    assert (said["order"]["order_qty"], said["order"]["ord_status"]) == ("10", "NEW")
    again = pit.replace(order_id, order_qty="12").json()
    assert (again["status"], again["order"]["order_qty"]) == ("ACCEPTED", "12")


@pytest.mark.parametrize("fault", ["drop_response_after_accepting", "drop_before_accepting", "error_before"])
def test_a_cancel_whose_answer_is_lost_comes_to_its_end(pit: Pit, fault: str) -> None:
    order_id = pit.place()
    pit.add_fault(fault, "DELETE")
    said = pit.cancel(order_id, wait=30).json()
    assert (said["status"], said["order"]["ord_status"]) == ("ACCEPTED", "CANCELED")
    assert pit.at_venue("canceled") == 1


@pytest.mark.parametrize("fault", ["drop_response_after_accepting", "drop_before_accepting", "error_before"])
def test_a_replace_whose_answer_is_lost_is_made_once(pit: Pit, fault: str) -> None:
    order_id = pit.place()
    pit.add_fault(fault, "PATCH")
    said = pit.replace(order_id, wait=30, order_qty="12").json()
    assert (said["status"], said["order"]["order_qty"]) == ("ACCEPTED", "12")
    order = pit.floor.order(order_id)
    assert (order["ord_status"], order["working_cl_ord_id"]) == ("NEW", said["cl_ord_id"])


def test_an_order_that_the_broker_has_put_off_is_canceled_before_it_is_sent(pit: Pit) -> None:
    pit.floor.add_fault("rate_limit", pit.trader, retry_after=20, count=None)
    headers = {"Authorization": f"Bearer {pit.trader.api_key}", "Prefer": "wait=0"}
    body = {"symbol": SYMBOL, "side": "buy", "quantity": 1}
    placed = pit.floor.http.post("/api/v1/orders", json=body, headers=headers)
    order_id = placed.json()["id"]
    wait_until("it came back", lambda: "NotSent" in [event["kind"] for event in pit.floor.events(order_id)])
    answer = pit.cancel(order_id)
    said = answer.json()
    assert (answer.status_code, said["status"]) == (200, "ACCEPTED")
    assert (said["order"]["ord_status"], said["order"]["reason"]) == ("DENIED", "CANCELED_BEFORE_SENDING")
    assert pit.at_venue("accepted") == 0
