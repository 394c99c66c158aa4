"""What must be true after every step, and what must be true once all is quiet."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import fields
from decimal import Decimal

from django.db.models import Q

import orders.state
from brokers.types import OrdStatus, PositionEffect
from orders.models import AttentionItem, Execution, Order, OrderEvent, OrderRequest, WorkerLease
from orders.state import Event, OrderState, apply, event_from_dict, state_from_dict
from tests.machine.venue import Book, VenueOrder

ZERO = Decimal(0)
NEVER_SENT = frozenset({OrdStatus.INITIALIZED, OrdStatus.DENIED})


class Audit:
    """Reads the desk's rows of one trader and compares them with their history and with the books."""

    def __init__(self, user_id: int, books: Mapping[uuid.UUID, Book]) -> None:
        self._user_id = user_id
        self._books = books
        self._states: dict[uuid.UUID, OrderState] = {}
        self._last_event = 0

    # --- after every step ---

    def check(self, told: Collection[str] = ()) -> None:
        """Raise ``AssertionError`` unless all is well; ``told``: the ids of which a stream is about to tell."""
        self._read_history()
        executed = self._executed()
        rows = {order.id: order for order in Order.objects.filter(user=self._user_id)}
        chains = self._chains()
        assert set(rows) == set(self._states), "an order has no history"
        for order in rows.values():
            self._check_projection(order)
            assert executed[order.id] == order.cum_qty, f"{order} counts a fill twice, or not at all"
            chain = chains.get(order.id, [])
            filled = max((link.cum_qty for link in chain), default=ZERO)
            assert order.cum_qty <= filled, f"{order} has {order.cum_qty}, its venue filled {filled}"
            if chain and chain[-1].is_working and chain[-1].cl_ord_id not in told:
                followed = order.next_check_at is not None
                assert followed, f"{order} is {order.ord_status}, works at its venue, and nobody asks"
        self._check_books()

    def _read_history(self) -> None:
        rows = OrderEvent.objects.filter(user=self._user_id, id__gt=self._last_event).order_by("id")
        for row in rows:
            self._last_event = row.id
            if row.kind == "Recorded":
                self._states[row.order_id] = OrderState(Decimal(row.data["order_qty"]))
            elif "kind" in row.data:
                self._states[row.order_id] = apply(self._states[row.order_id], event_of(row.data))
            if row.kind in ("Submitted", "CancelRequested", "ReplaceRequested"):
                lease = WorkerLease.objects.get(user=self._user_id)
                assert row.epoch == lease.epoch, f"{row.kind} under the epoch {row.epoch} of {lease.epoch}"

    def _check_projection(self, order: Order) -> None:
        state = self._states[order.id]
        assert state_from_dict(order.state) == state, f"{order} is not what its events make of it"
        says = (order.ord_status, order.order_qty, order.cum_qty, order.leaves_qty, order.avg_px, order.ended)
        must = (
            state.ord_status,
            state.order_qty,
            state.cum_qty,
            state.leaves_qty,
            state.avg_px,
            state.is_terminal,
        )
        assert says == must, f"{order}: the row says {says}, its events {must}"

    def _executed(self) -> Counter[uuid.UUID]:
        """Add up each order's executions, each of which a book must know."""
        known = {
            (account_id, fill.exec_id): fill
            for account_id, book in self._books.items()
            for fill in book.fills()
        }
        executed: Counter[uuid.UUID] = Counter()
        for row in Execution.objects.filter(user=self._user_id):
            fill = known[row.account_id, row.exec_id]
            assert (row.last_qty, row.last_px) == (fill.last_qty, fill.last_px)
            executed[row.order_id] += row.last_qty  # type: ignore[assignment]
        return executed

    def _check_books(self) -> None:
        for book in self._books.values():
            counts = Counter(order.cl_ord_id for order in book.orders)
            twice = [cl_ord_id for cl_ord_id, number in counts.items() if number > 1]
            assert not twice, f"at the venue twice: {twice}"
        unmatched = AttentionItem.objects.filter(
            user=self._user_id, kind__in=[AttentionItem.Kind.UNMATCHED_REPORT, AttentionItem.Kind.OVERFILL]
        )
        assert not unmatched.exists(), unmatched.values_list("kind", "detail")

    def _chains(self) -> dict[uuid.UUID, list[VenueOrder]]:
        """Return what the books hold of each order: its own link, then one for each replace."""
        rows = Order.objects.filter(user=self._user_id).values_list("account", "cl_ord_id", "id")
        owners = {(account, cl_ord_id): order_id for account, cl_ord_id, order_id in rows}
        chains: defaultdict[uuid.UUID, list[VenueOrder]] = defaultdict(list)
        for account_id, book in self._books.items():
            for link in book.orders:
                owner = owners.get((account_id, link.first.cl_ord_id))
                assert owner is not None, f"the venue has an order that nobody placed: {link.cl_ord_id}"
                chains[owner].append(link)
        return chains

    # --- once all is quiet ---

    def unfinished(self) -> list[tuple[uuid.UUID, str]]:
        """Return what still moves: orders but those that only a person can set going, and open requests."""
        stuck = self._unresolved() | self._held_back()
        orders = Order.objects.filter(user=self._user_id).exclude(pk__in=stuck)
        requests = OrderRequest.objects.filter(user=self._user_id, status__in=OrderRequest.OPEN)
        return [
            *orders.filter(Q(ended=False) | Q(next_check_at__isnull=False)).values_list("id", "ord_status"),
            *requests.exclude(order__in=stuck).values_list("id", "status"),
        ]

    def _unresolved(self) -> set[uuid.UUID]:
        """Return the orders on the attention list that their broker has not got, and proves nothing about (class C)."""
        items = AttentionItem.objects.filter(
            user=self._user_id,
            kind=AttentionItem.Kind.OUTCOME_UNKNOWN,
            resolved_at__isnull=True,
            order__ord_status=OrdStatus.SUBMITTED,
        )
        found = set()
        for order_id, account_id, cl_ord_id in items.values_list(
            "order", "order__account", "order__cl_ord_id"
        ):
            book = self._books[account_id]
            if not book.unique_ids and book.find(cl_ord_id) is None:
                found.add(order_id)
        return found

    def _held_back(self) -> set[uuid.UUID]:
        """Return the entries that wait behind an unresolved order of their account and symbol."""
        places = set(Order.objects.filter(pk__in=self._unresolved()).values_list("account", "symbol"))
        waiting = Order.objects.filter(
            user=self._user_id, ord_status=OrdStatus.INITIALIZED, position_effect=PositionEffect.OPEN
        )
        return {order.id for order in waiting if (order.account_id, order.symbol) in places}

    def reckon(self) -> None:
        """Compare every order with the books: none lost, none there twice, none unexplained."""
        self.check()
        chains, stuck = self._chains(), self._unresolved() | self._held_back()
        for order in Order.objects.filter(user=self._user_id):
            chain = chains.get(order.id)
            if chain is None:
                self._explain_absence(order, order.id in stuck)
            else:
                _compare(order, chain)

    def _explain_absence(self, order: Order, is_stuck: bool) -> None:
        book = self._books[order.account_id]
        explained = (
            order.ord_status == OrdStatus.DENIED
            or (order.ord_status == OrdStatus.REJECTED and order.cl_ord_id in book.refused)
            or is_stuck
        )
        assert explained, f"lost: {order} is {order.ord_status} and not at its venue"


def _compare(order: Order, chain: list[VenueOrder]) -> None:
    link = chain[-1]
    assert order.ord_status == link.status, f"{order} is {order.ord_status}, at its venue {link.status}"
    assert order.order_qty == link.order_qty
    assert order.cum_qty == link.cum_qty
    gross = sum((fill.last_qty * fill.last_px for part in chain for fill in part.fills), ZERO)  # type: ignore[operator]
    assert gross == link.gross
    if link.cum_qty:
        assert order.avg_px is not None
        assert abs(order.avg_px * link.cum_qty - gross) < Decimal("0.000001")
    assert order.broker_order_id == link.broker_order_id


def event_of(data: Mapping[str, object]) -> Event:
    """Rebuild the state machine's event from a history row, leaving out what was noted besides."""
    names = {field.name for field in fields(getattr(orders.state, str(data["kind"])))}
    return event_from_dict({name: value for name, value in data.items() if name == "kind" or name in names})
