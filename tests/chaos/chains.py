"""The venue's side of each order: what it accepted under our ids, replaces followed from one to the next."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from tests.chaos.books import Books, Row


@dataclass(frozen=True, slots=True)
class Chain:
    """Every order at the venue that one order of the desk has become: the first, then one for each replace."""

    roots: list[Row] = field(default_factory=list)  # ledger rows, accepted under the order's own id
    replacements: list[Row] = field(
        default_factory=list
    )  # ledger rows, accepted in the place of an earlier one
    fills: list[Row] = field(default_factory=list)  # ledger rows
    last: Row | None = None  # the venue's order that works now, or worked last

    @property
    def filled_qty(self) -> Decimal:
        return sum((fill["qty"] for fill in self.fills), Decimal(0))

    @property
    def order_ids(self) -> set[str]:
        return {str(row["order_id"]) for row in (*self.roots, *self.replacements)}


class Chains:
    """The chain of each of the desk's orders, and what at the venue belongs to none."""

    def __init__(self, books: Books) -> None:
        self._present = {str(row["id"]): row for row in books.venue_orders}
        self._roots: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        self._successors: defaultdict[str, list[Row]] = defaultdict(list)
        self._fills: defaultdict[str, list[Row]] = defaultdict(list)
        self.accepted = [row for row in books.ledger if row["kind"] == "accepted"]
        for row in self.accepted:
            replaced = (row["data"] or {}).get("replaces")
            if replaced:
                self._successors[replaced].append(row)
            else:
                self._roots[str(row["account_id"]), row["client_order_id"]].append(row)
        for row in books.ledger:
            if row["kind"] == "fill":
                self._fills[str(row["order_id"])].append(row)
        self._of = {str(order["id"]): self._follow(order) for order in books.orders}

    def of(self, order: Row) -> Chain:
        return self._of[str(order["id"])]

    def strangers(self) -> list[Row]:
        """Return what the venue accepted and no order of the desk leads to."""
        known = {order_id for chain in self._of.values() for order_id in chain.order_ids}
        return [row for row in self.accepted if str(row["order_id"]) not in known]

    def _follow(self, order: Row) -> Chain:
        # The stop of an OCO, and what somebody else has ordered, goes by an id that is not ours.
        name = order[
            "working_cl_ord_id" if order["sent_with_id"] or order["source"] == "external" else "cl_ord_id"
        ]
        roots = self._roots[order["venue_account"], name]
        replacements: list[Row] = []
        waiting = [str(row["order_id"]) for row in roots]
        visited = list(waiting)
        while waiting:
            found = self._successors[waiting.pop(0)]
            replacements += found
            waiting += [str(row["order_id"]) for row in found]
            visited += [str(row["order_id"]) for row in found]
        fills = [fill for order_id in visited for fill in self._fills[order_id]]
        last = self._present.get(visited[-1]) if visited else None
        return Chain(roots, replacements, fills, last)
