"""What makes a desk pass its failpoints: orders, deaths, lost answers, and which points each stimulus reaches."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

from desk.errors import DeskError
from tests.flows.armed import ArmedFloor
from tests.flows.floor import kill_process
from tests.flows.helpers import Trader, alert, is_alive, wait_until

BUDGET_SECONDS = 4.0  # 2.5 s, 0.4 s to read the order again, and what two busy processors add
PATIENCE_SECONDS = 90.0


@dataclass
class Trial:
    """What was asked of the desk under one stimulus, and how each order is to end."""

    floor: ArmedFloor
    ends: list[tuple[Trader, str, str]] = field(default_factory=list)

    def deliver(self, trader: Trader, *, ends: str = "FILLED", **fields: object) -> str:
        """Send an alert as TradingView does, again until it is taken; return the order's id."""
        body = alert(trader, **fields)
        answer = self._insist(lambda: self.floor.post(trader, body))
        assert answer.elapsed.total_seconds() < BUDGET_SECONDS
        order_id = answer.json()["order_id" if answer.status_code == 409 else "id"]
        self.ends.append((trader, order_id, ends))
        return str(order_id)

    def ask(self, trader: Trader, order_id: str, what: str, **terms: object) -> None:
        """Ask for a cancel or replace, again until it is taken."""
        answer = self._insist(lambda: self.floor.request(trader, order_id, what, **terms))
        assert answer.json().get("id") or answer.status_code == 409, answer.text

    def resting(self) -> tuple[Trader, str]:
        """Return a trader's order that rests at the venue."""
        trader = self.floor.trader()
        order_id = self.deliver(trader, ends="NEW", type="limit", price="1", quantity=2)
        self.floor.wait_status(order_id, "NEW", seconds=PATIENCE_SECONDS)
        return trader, order_id

    def expect(self, order_id: str, ends: str) -> None:
        """Have an order end in another way than it was sent for."""
        self.ends = [(who, which, ends if which == order_id else end) for who, which, end in self.ends]

    @staticmethod
    def _insist(call: Callable[[], httpx.Response]) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = call()
            except httpx.TransportError:
                time.sleep(0.1)  # the web process has died, and is started again
                continue
            if answer.status_code != 503:
                assert answer.status_code in (200, 202, 409), answer.text
                return answer
            time.sleep(0.2)
        raise AssertionError("the desk takes no alert")


def alerts(trial: Trial) -> None:
    """Send traders without a worker an alert each, and one more with the worker that they have then."""
    with ThreadPoolExecutor(4) as threads:
        traders = trial.floor.traders(4)
        list(threads.map(trial.deliver, traders))
        list(threads.map(trial.deliver, traders))


def orders_and_cancels(trial: Trial) -> None:
    """Send an alert to a trader without a worker; cancel a resting order."""
    trial.deliver(trial.floor.trader())
    trader, order_id = trial.resting()
    trial.ask(trader, order_id, "cancel")
    trial.expect(order_id, "CANCELED")


def lost_answers(trial: Trial) -> None:
    """Have the venue accept an order and drop its answer, and its stream say nothing."""
    trader = trial.floor.trader()
    trial.floor.add_fault("stream_silence", trader, count=None)
    trial.floor.add_fault("drop_response_after_accepting", trader)
    trial.deliver(trader)


def refusals(trial: Trial) -> None:
    """Have the venue take no order yet, and say so."""
    trader = trial.floor.trader()
    trial.floor.add_fault("rate_limit", trader, retry_after=1, count=3)
    trial.deliver(trader)


def locked_accounts(trial: Trial) -> None:
    """Have the account's credentials not open for a while."""
    floor, trader = trial.floor, trial.floor.trader()
    sealed = floor.desk_rows(
        "SELECT sealed_credentials FROM brokers_brokeraccount WHERE id = %s", trader.account_id
    )[0]["sealed_credentials"]
    spoil(floor, trader, sealed[::-1])
    order_id = trial.deliver(trader)
    wait_until(
        "the order is put off",
        lambda: "Postponed" in [event["kind"] for event in floor.events(order_id)],
        PATIENCE_SECONDS,
    )
    spoil(floor, trader, sealed)
    floor.desk_rows("UPDATE orders_order SET eligible_at = NULL WHERE id = %s", order_id)


def spoil(floor: ArmedFloor, trader: Trader, sealed: str) -> None:
    floor.desk_rows(
        "UPDATE brokers_brokeraccount SET sealed_credentials = %s WHERE id = %s", sealed, trader.account_id
    )


def sized_entries(trial: Trial) -> None:
    """Have an entry sized by its worker, which gets no quote at first; three shares are what the rule is cut to."""
    floor, trader = trial.floor, trial.floor.trader()
    rule = "sizing_method = 'PERCENT_OF_EQUITY', sizing_value = 50, max_quantity = 3"
    floor.desk_rows(f"UPDATE orders_strategy SET {rule} WHERE user_id = %s RETURNING id", trader.user_id)
    match = {"account_id": trader.venue_account, "method": "GET", "path": "/v2/stocks*"}
    fault = {"match": match, "count": 1, "fault": {"kind": "error_before", "status": 503}}
    floor.venue("POST", "/control/faults", fault)
    trial.deliver(trader, quantity=None)


def resting_orders(trial: Trial) -> None:
    """Have an order rest until it is checked, and cut its stream."""
    trader, order_id = trial.resting()
    trial.floor.venue("POST", "/control/streams/disconnect", {"account_id": trader.venue_account})
    wait_until("the order was checked", lambda: trial.floor.order(order_id)["checks"] > 0, PATIENCE_SECONDS)


def silent_streams(trial: Trial) -> None:
    """Fill an order and tell nobody but who asks: not at a worker's start, when the whole account is compared."""
    trader = trial.floor.trader()
    trial.floor.wait_filled(trader, trial.deliver(trader), seconds=PATIENCE_SECONDS)
    trial.floor.add_fault("stream_silence", trader, count=None)
    trial.deliver(trader)


def stale_entries(trial: Trial) -> None:
    """Have an entry that the venue does not take yet grow too old."""
    floor, trader = trial.floor, trial.floor.trader()
    floor.add_fault("rate_limit", trader, retry_after=60)
    order_id = trial.deliver(trader, ends="DENIED")
    wait_until("it waits", lambda: floor.order(order_id)["eligible_at"], PATIENCE_SECONDS)
    floor.desk_rows(
        "UPDATE orders_order SET received_at = received_at - interval '1 hour' WHERE id = %s", order_id
    )
    floor.wait_status(order_id, "DENIED", seconds=PATIENCE_SECONDS)


def deaths(trial: Trial) -> None:
    """Kill a trader's idle worker."""
    trader = trial.floor.trader()
    order_id = trial.deliver(trader)
    trial.floor.wait_status(order_id, "FILLED", seconds=PATIENCE_SECONDS)
    lease = trial.floor.lease(trader)
    if lease is not None and is_alive(lease["pid"]):
        kill_process(lease["pid"])
        wait_until("its lease has ended", lambda: trial.floor.lease(trader) is None)
    trial.deliver(trader)


def fleet_stops(trial: Trial) -> None:
    """Stop the fleet while it has a trader's worker, and start it again."""
    trial.deliver(trial.floor.trader())
    with contextlib.suppress(DeskError):  # it died while it stopped, which is what is wanted here
        trial.floor.desk.restart("fleet")


def cancels_and_replaces(trial: Trial) -> None:
    """Replace a resting order, then cancel it."""
    trader, order_id = trial.resting()
    trial.ask(trader, order_id, "replace", order_qty="3")
    wait_until(
        "the order is replaced", lambda: trial.floor.order(order_id)["order_qty"] == 3, PATIENCE_SECONDS
    )
    trial.ask(trader, order_id, "cancel")
    trial.expect(order_id, "CANCELED")


def lost_cancels(trial: Trial) -> None:
    """Have a cancel get lost on its way to the venue."""
    trader, order_id = trial.resting()
    match = {"account_id": trader.venue_account, "method": "DELETE", "path": "/v2/orders*"}
    rule = {"match": match, "count": 1, "fault": {"kind": "drop_before_accepting"}}
    trial.floor.venue("POST", "/control/faults", rule)
    trial.ask(trader, order_id, "cancel")
    trial.expect(order_id, "CANCELED")
    trial.floor.wait_status(order_id, "CANCELED", seconds=PATIENCE_SECONDS)


def protected_entries(trial: Trial) -> None:
    """Have an entry bring protective exits that no price here touches, and the sweep look at them."""
    exits = {"stop_loss": {"percent": "60"}, "take_profit": {"percent": "300"}}
    trial.deliver(trial.floor.trader(), **exits)
    time.sleep(1)


STIMULI: dict[str, tuple[Callable[[Trial], None], list[str]]] = {
    "workers": (
        alerts,
        [
            "lease.before_take",
            "lease.after_take",
            "claim.marked",
            "submit.before",
            "submit.before_commit",
            "submit.after_commit",
            "send.departing",
            "send.after",
            "report.before_commit",
            "report.after_commit",
            "reply.before",
            "reply.after",
        ],
    ),
    "everything else": (
        orders_and_cancels,
        [
            "web.received",
            "record.before_commit",
            "record.after_commit",
            "bell.before",
            "bell.after",
            "claim.before",
            "claim.after",
            "request.record.before_commit",
            "request.record.after_commit",
            "fork.before",
            "fork.after",
            "lease.before_renew",
            "lease.after_renew",
            "sweep.due.before",
            "sweep.due.after",
            "nudge.marked",
            "sweep.orphans.before",
            "sweep.orphans.after",
            "orphan.before_hand_out",
            "orphan.after_hand_out",
        ],
    ),
    "deaths": (deaths, ["reap.before_expire", "reap.after_expire"]),
    "lost answers": (
        lost_answers,
        ["unknown.after_commit", "lookup.before", "lookup.after", "lookup.applied"],
    ),
    "refusals": (refusals, ["undo.before_commit", "undo.after_commit"]),
    "locked accounts": (locked_accounts, ["attention.before", "postpone.after_commit"]),
    "sized entries": (sized_entries, ["sizing.account", "unsized.after_commit"]),
    "resting orders": (resting_orders, ["check.before", "check.after", "check.noted", "gap.marked"]),
    "silent streams": (silent_streams, ["fills.after"]),
    "cancels and replaces": (
        cancels_and_replaces,
        [
            "request.before",
            "request.before_commit",
            "request.after_commit",
            "cancel.after",
            "replace.after",
            "request.reply.after",
        ],
    ),
    "lost cancels": (lost_cancels, ["request.check.noted"]),
    "stale entries": (stale_entries, ["deny.before_commit", "deny.after_commit"]),
    "protected entries": (
        protected_entries,
        [
            "protect.before",
            "protect.before_commit",
            "protect.after_commit",
            "sweep.protection.before",
            "protect.watched",
            "sweep.protection.after",
        ],
    ),
    "a fleet that stops": (fleet_stops, ["lease.before_release", "lease.after_release", "stop.after_term"]),
}
