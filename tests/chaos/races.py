"""``python -m tests.chaos.races``: stop and target touched in the same second, again and again, while things break.

Every trader holds the same symbol with a stop below and a target above. The price leaps over both, back and forth,
while a fault of the whole desk is injected; for some traders the exchange is told to let both exits fill. Then the
desk heals, and no position may be left open, no exit either, and both sets of books must agree.

Exit status 0: so it is; 1: it is not.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections.abc import Callable

import httpx
import psycopg

from tests.chaos.books import Books, read_books
from tests.chaos.checks import check_all
from tests.chaos.ending import ended_by_signals
from tests.chaos.faults import inject
from tests.chaos.stage import Stage, open_stage
from tests.flows.helpers import Trader, alert

SYMBOL, ENTRY = "RACE", "100"
BOTH = {"stop_loss": {"percent": "2"}, "take_profit": {"percent": "4"}}
LEAPS = (("95", "105", "95", "105"), ("105", "95", "105", "95"))
FAULTS = (
    "kill:worker",
    "stop:worker",
    "sleep:worker",
    "kill:fleet",
    "kill:sweeps",
    "redis:client_kill",
    "postgres:terminate",
    "venue:stream_silence",
    "venue:stream_duplicate",
    "venue:stream_out_of_order",
    "venue:stream_disconnect",
    "proxy:venue:drop_response",
    "proxy:venue:reset",
    "failpoint:protect.before_commit:kill",
    "failpoint:protect.after_commit:kill",
    "failpoint:report.before_commit:kill",
    "failpoint:report.after_commit:kill",
    "failpoint:tend.after_commit:kill",
)
COVERED_SECONDS, QUIET_SECONDS, POLL_SECONDS = 40.0, 60.0, 0.3

_LEGS = """
SELECT count(*) FROM orders_order WHERE user_id = %s AND leg <> ''
   AND ord_status IN ('NEW', 'PENDING_NEW', 'PARTIALLY_FILLED')
"""
_OPEN = """
SELECT p.user_id FROM orders_position AS p WHERE p.symbol = %s AND p.qty <> 0
UNION SELECT user_id FROM orders_order
       WHERE symbol = %s AND NOT ended AND NOT (ord_status = 'SUBMITTED' AND checks > 8)
UNION SELECT user_id FROM orders_errand WHERE kind = 'TEND_POSITION'
"""


def main(arguments: list[str] | None = None) -> int:
    """Race so many times, then compare the books; print what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.races", description=__doc__)
    parser.add_argument("--races", type=int, default=200, help="how many positions (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--traders", type=int, default=10)
    parsed = parser.parse_args(arguments)
    rng = random.Random(f"races:{parsed.seed}")
    raced, both_filled, left = 0, 0, []
    began = time.monotonic()
    with ended_by_signals(), open_stage(seed=parsed.seed, traders=parsed.traders) as stage:
        stage.query("UPDATE orders_strategy SET trade_style = 'SWING' RETURNING id")
        while raced < parsed.races and not left:
            covered = _enter(stage, rng)
            what = _leap(stage, rng)
            stage.heal()
            left = _wait_flat(stage)
            raced += len(covered)
            print(
                f"{time.monotonic() - began:7.0f} s  {raced:4} races, {what}; open: {left or 'nothing'}",
                flush=True,
            )
        books = read_books(stage.floor)
        result = check_all(books, [])
        both_filled = _both_filled(books)
    lines = [f"open after {QUIET_SECONDS:.0f} s: {left}"] if left else []
    lines += [f"{name}: {line}" for name, found in result.findings.items() for line in found[:10]]
    print("\n".join([f"{raced} races, of these {both_filled} in which both exits were filled", *lines]))
    print("Verdict: " + ("not zeros" if lines else "zeros: nothing open the wrong way, nothing closed twice"))
    return 1 if lines else 0


def _enter(stage: Stage, rng: random.Random) -> list[Trader]:
    """Have every trader hold the symbol with both exits at the exchange; return those for whom that came about."""
    stage.control("POST", "/control/prices", {"symbol": SYMBOL, "price": ENTRY})
    for trader in stage.traders:
        if rng.random() < 0.3:  # the exchange decides on it when it takes the exits
            race = {"match": {"account_id": trader.venue_account}, "fault": {"kind": "leg_race"}, "count": 2}
            stage.control("POST", "/control/faults", race)
        side = rng.choice(("buy", "buy", "sell"))
        body = alert(
            trader, symbol=SYMBOL, action=side, quantity=10, id=f"race-{time.monotonic_ns()}", **BOTH
        )
        _until(lambda trader=trader, body=body: _accepted(stage, trader, body), 20)
    return [
        trader
        for trader in stage.traders
        if _until(lambda trader=trader: stage.query(_LEGS, trader.user_id)[0][0] == 2, COVERED_SECONDS)
    ]


def _accepted(stage: Stage, trader: Trader, body: dict[str, object]) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return stage.floor.post(trader, body).status_code in (200, 202, 409)
    return False


def _leap(stage: Stage, rng: random.Random) -> str:
    """Break something, and have the price leap over both exits; return what was broken."""
    said = inject(stage, rng, rng.choice(FAULTS))
    for price in rng.choice(LEAPS):
        with contextlib.suppress(httpx.HTTPError):
            stage.control("POST", "/control/prices", {"symbol": SYMBOL, "price": price})
        time.sleep(rng.choice((0.0, 0.05, 0.3)))
    time.sleep(1.0)
    return said


def _wait_flat(stage: Stage) -> list[int]:
    """Wait until nobody holds anything or has an exit left; return who has not come to rest."""

    def open_now() -> list[int]:
        return [row[0] for row in stage.query(_OPEN, SYMBOL, SYMBOL)]

    _until(lambda: not open_now(), QUIET_SECONDS)
    return open_now()


def _both_filled(books: Books) -> int:
    """Count the pairs of which both orders were filled: the desk has taken back what was closed too much."""
    filled = {str(order["id"]) for order in books.orders if order["leg"] and order["ord_status"] == "FILLED"}
    return sum(str(order["sent_with_id"]) in filled for order in books.orders if str(order["id"]) in filled)


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(psycopg.Error, httpx.HTTPError):
            if condition():
                return True
        time.sleep(POLL_SECONDS)
    return False


if __name__ == "__main__":
    sys.exit(main())
