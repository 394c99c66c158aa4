"""Everything that must hold after a run, as lists of what does not: an empty list is what is promised."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import orders.state as machine
from tests.chaos.books import Books, Row, by
from tests.chaos.chains import Chains
from tests.chaos.presence import Verdicts, judge, name_of
from tests.chaos.promises import broken_promises, changed_ids, done_twice, false_conflicts
from tests.chaos.protection import wrong_position_rows, wrong_protection
from tests.chaos.requests import Sent

SENDINGS = frozenset({"Submitted", "CancelRequested", "ReplaceRequested"})
Findings = dict[str, list[str]]


@dataclass(frozen=True)
class Result:
    """The verdicts on the orders, and under each name of a promise the lines that break it."""

    verdicts: Verdicts
    findings: Findings

    @property
    def is_clean(self) -> bool:
        return not any(self.findings.values())


def check_all(books: Books, sent: Sequence[Sent]) -> Result:
    """Check everything that both sets of books and the senders' answers can say."""
    chains = Chains(books)
    verdicts = judge(books, chains)
    findings = {
        "lost": [*broken_promises(books, sent), *verdicts.lost],
        "duplicated": [*done_twice(books, sent), *verdicts.duplicated],
        "unexplained": verdicts.unexplained,
        "indeterminate": verdicts.indeterminate,
        "fills that differ": wrong_fills(books, chains),
        "positions that differ": [*wrong_positions(books, chains), *wrong_position_rows(books)],
        "protective exits that are wrong": wrong_protection(books),
        "cash that differs": wrong_cash(books, chains),
        "not the projection of its events": wrong_projections(books),
        "gaps in the audit": audit_gaps(books),
        "sent under an overtaken epoch": overtaken(books),
        "workers of two traders": shared_workers(books),
        "client order ids that changed": changed_ids(books, sent),
        "409 that names nothing": false_conflicts(books, sent),
    }
    return Result(verdicts, findings)


def broken_for_good(books: Books, sent: Sequence[Sent]) -> bool:
    """Say whether a promise is broken that time cannot mend: done twice, sent by the wrong, filled beyond the venue.

    The desk's orders are read before the venue's ledger, so what they count and it lacks never happened.
    """
    chains = Chains(books)
    beyond = any(order["cum_qty"] > chains.of(order).filled_qty for order in books.orders)
    twice = judge(books, chains).duplicated or done_twice(books, sent)
    return bool(beyond or twice or overtaken(books) or shared_workers(books))


# --- fills, positions, cash ---


def wrong_fills(books: Books, chains: Chains) -> list[str]:
    """Compare exec id, quantity and price of every fill."""
    ours = by(books.executions, "order_id")
    lines = []
    for order in books.orders:
        if books.unresolved(order) or books.is_booked(order):
            continue
        here = [(row["exec_id"], row["last_qty"], row["last_px"]) for row in ours.get(str(order["id"]), [])]
        fills = chains.of(order).fills
        there = {(str(row["execution_id"]), row["qty"], row["price"]) for row in fills}
        if len(here) != len(set(here)) or set(here) != there:
            extra, missing = set(here) - there, there - set(here)
            lines.append(f"{name_of(order)}: only here {extra or 'none'}, only there {missing or 'none'}")
        if sum((qty for _, qty, _ in here), Decimal(0)) != order["cum_qty"]:
            lines.append(f"{name_of(order)}: cum_qty {order['cum_qty']} is not the sum of its fills")
    return lines


def wrong_positions(books: Books, chains: Chains) -> list[str]:
    """Compare what the desk's orders add up to with the venue's positions, by account and symbol."""
    here: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for order in books.orders:
        # What nobody has settled yet has moved the venue's position and not the desk's, as the list says.
        quantity = chains.of(order).filled_qty if books.unresolved(order) else order["cum_qty"]
        here[order["venue_account"], order["symbol"]] += quantity if order["side"] == "BUY" else -quantity
    there = {(str(row["account_id"]), row["symbol"]): row["qty"] for row in books.venue_positions}
    return [
        f"account {account}, {symbol}: {here[account, symbol]} here, {there.get((account, symbol), 0)} there"
        for account, symbol in sorted({*here, *there})
        if here[account, symbol] != there.get((account, symbol), Decimal(0))
    ]


def wrong_cash(books: Books, chains: Chains) -> list[str]:
    """Compare each account's cash at the venue with its deposits and the desk's executions, and with the ledger."""
    there = {str(row["id"]): row["cash"] for row in books.venue_accounts}
    by_ledger: defaultdict[str, Decimal] = defaultdict(Decimal)
    here: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in books.ledger:
        by_ledger[str(row["account_id"])] += row["cash_delta"]
        if row["kind"] != "fill":
            here[str(row["account_id"])] += row["cash_delta"]
    accounts = {str(row["id"]): row["external_id"] for row in books.accounts}
    booked = {str(order["id"]) for order in books.orders if books.is_booked(order)}
    for row in books.executions:
        if str(row["order_id"]) in booked:
            continue  # at a price of the desk's own: what it paid the broker's office, nobody has told it
        here[accounts[str(row["account_id"])]] += _cash_of(row["side"], row["last_qty"] * row["last_px"])
    for order in filter(books.unresolved, books.orders):
        for fill in chains.of(order).fills:
            here[order["venue_account"]] += fill["cash_delta"]
    return [
        f"account {account}: {here[account]} by the desk, {by_ledger[account]} by the ledger, {cash} there"
        for account, cash in there.items()
        if not cash == here[account] == by_ledger[account]
    ]


def _cash_of(side: str, gross: Decimal) -> Decimal:
    return -gross if side.upper() == "BUY" else gross


# --- the desk's own history ---


def wrong_projections(books: Books) -> list[str]:
    """Rebuild every order from its events and compare status, quantities and average price."""
    events = by(books.events, "order_id")
    lines = []
    for order in books.orders:
        history = events.get(str(order["id"]), [])
        try:
            state = rebuild(history)
        except (machine.IllegalTransition, ValueError, IndexError) as error:
            lines.append(f"{name_of(order)}: its events cannot be replayed: {error}")
            continue
        rebuilt = (str(state.ord_status), state.order_qty, state.cum_qty, state.leaves_qty, state.avg_px)
        row = tuple(order[name] for name in ("ord_status", "order_qty", "cum_qty", "leaves_qty", "avg_px"))
        if rebuilt != row:
            lines.append(f"{name_of(order)}: the row says {row}, its events {rebuilt}")
    return lines


def rebuild(history: Sequence[Row]) -> machine.OrderState:
    """Replay one order's events, the oldest first; raises where they are none that the machine allows."""
    order_qty = Decimal(history[0]["data"]["order_qty"])
    return machine.replay(order_qty, [event for row in history if (event := event_of(row)) is not None])


def event_of(row: Row) -> machine.Event | None:
    """Return the state machine's event of a history row; None for a note. What the row adds to it is left out."""
    event_type = getattr(machine, str(row["data"].get("kind", "")), None)
    if event_type is None:
        return None
    names = {"kind", *(field.name for field in dataclasses.fields(event_type))}
    return machine.event_from_dict({name: value for name, value in row["data"].items() if name in names})


def audit_gaps(books: Books) -> list[str]:
    """Find orders whose history does not begin with their recording, or misses a change of status."""
    events = by(books.events, "order_id")
    lines = []
    for order in books.orders:
        history = events.get(str(order["id"]), [])
        recorded = [index for index, row in enumerate(history) if row["kind"] == "Recorded"]
        if recorded != [0]:
            lines.append(f"{name_of(order)}: Recorded is at {recorded} of its {len(history)} events")
            continue
        states = [row for row in history if row["kind"] != "Replied"]  # a note that may come late
        if states[-1]["ord_status"] != order["ord_status"]:
            lines.append(f"{name_of(order)}: its last event says {states[-1]['ord_status']}")
        lines += [f"{name_of(order)}: {why}" for why in _unexplained_changes(states)]
    return lines


def _unexplained_changes(history: Sequence[Row]) -> list[str]:
    """Find rows that show another status than the row before without being an event of the state machine."""
    return [
        f"{row['kind']} turned {before['ord_status']} into {row['ord_status']}"
        for before, row in itertools.pairwise(history)
        if row["ord_status"] != before["ord_status"] and event_of(row) is None
    ]


# --- who acted ---


def overtaken(books: Books) -> list[str]:
    """Find sendings of an epoch after the first event of a later one of the same trader.

    Sound, because a transaction 1 holds the lease's row while it draws its event's id, and a later epoch begins with
    a change of that row: the later epoch's ids are all drawn after the earlier one's last transaction 1 has ended.
    For the socket the note of when it was used counts, against the beginning of the later epoch's first transaction.
    """
    lines = []
    for user_id, history in by((row for row in books.events if row["epoch"]), "user_id").items():
        firsts: dict[int, Row] = {}
        for row in history:
            firsts.setdefault(row["epoch"], row)
        for row in history:
            later = [first for epoch, first in firsts.items() if epoch > row["epoch"]]
            if later and (why := _after(row, later)):
                lines.append(f"trader {user_id}, order {row['order_id']}, epoch {row['epoch']}: {why}")
    return lines


def _after(row: Row, later: Sequence[Row]) -> str:
    first = min(later, key=lambda first: first["id"])
    if row["kind"] in SENDINGS and row["id"] > first["id"]:
        return f"{row['kind']} (event {row['id']}) after event {first['id']} of epoch {first['epoch']}"
    sent = row["stages"].get("sent")
    began = min(first["recorded_at"] for first in later)
    if sent and dt.datetime.fromisoformat(sent) > began:
        return f"sent {sent}, after {began} when epoch {first['epoch']} had begun"
    return ""


def shared_workers(books: Books) -> list[str]:
    """Find processes that acted for two traders, by what they wrote and by what they held."""
    users: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for row in (*books.events, *books.leases):
        if row["pid"] is not None:
            users[row["worker"], row["pid"]].add(row["user_id"])
    return [f"{worker}: traders {sorted(found)}" for (worker, _), found in users.items() if len(found) > 1]
