"""Positions and what protects them: the desk's rows against the venue's, and the exits that each is to have."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tests.chaos.books import Books, Row

ENDED = frozenset({"DENIED", "REJECTED", "FILLED", "CANCELED", "EXPIRED", "DONE_FOR_DAY", "REPLACED"})
Place = tuple[str, str]


def wrong_position_rows(books: Books) -> list[str]:
    """Compare the positions that the desk keeps with the venue's; not at a place that a person has yet to settle."""
    skipped = {_place(order) for order in books.orders if books.unresolved(order)}
    here = {(row["venue_account"], row["symbol"]): row["qty"] for row in books.positions}
    there = {(str(row["account_id"]), row["symbol"]): row["qty"] for row in books.venue_positions}
    nothing = Decimal(0)
    return [
        f"{place[0]}, {place[1]}: the desk keeps {here.get(place, nothing)}, the venue {there.get(place, nothing)}"
        for place in sorted({*here, *there} - skipped)
        if here.get(place, nothing) != there.get(place, nothing)
    ]


def wrong_protection(books: Books) -> list[str]:
    """Find places whose protective exits are not what the position needs: none, too many, too much, the wrong side."""
    skipped = {_place(order) for order in books.orders if books.unresolved(order)}
    held = {(row["venue_account"], row["symbol"]): row["qty"] for row in books.positions}
    legs: dict[Place, list[Row]] = {}
    for order in books.orders:
        if order["leg"] and order["ord_status"] not in ENDED:
            legs.setdefault(_place(order), []).append(order)
    wanted = {(row["venue_account"], row["symbol"]): row["protection"] for row in books.protections}
    lines = []
    for place in sorted({*legs, *wanted} - skipped):
        qty = held.get(place, Decimal(0))
        lines += [f"{place[0]}, {place[1]}, {qty} held: {why}" for why in _wrong(qty, legs.get(place, []))]
        if qty and needs_stop(wanted.get(place)) and not _has(legs.get(place, []), "STOP_LOSS"):
            lines.append(f"{place[0]}, {place[1]}, {qty} held: no stop loss")
    return lines


def needs_stop(protection: Row | None) -> bool:
    """Say whether an entry's terms name a stop."""
    return bool(protection) and bool({"stop_loss", "trailing"} & set(protection or ()))


def _wrong(qty: Decimal, legs: list[Row]) -> Iterator[str]:
    side = "SELL" if qty > 0 else "BUY"
    for leg in legs:
        if not qty:
            yield f"{leg['leg']} {leg['cl_ord_id']} rests ({leg['ord_status']})"
        elif leg["side"] != side:
            yield f"{leg['leg']} {leg['cl_ord_id']} is on the side of the position"
        elif leg["leaves_qty"] != abs(qty):
            yield f"{leg['leg']} {leg['cl_ord_id']} is for {leg['leaves_qty']}"
    for name in ("STOP_LOSS", "TAKE_PROFIT"):
        if sum(leg["leg"] == name for leg in legs) > 1:
            yield f"more than one {name}"


def _has(legs: list[Row], name: str) -> bool:
    return any(leg["leg"] == name for leg in legs)


def _place(order: Row) -> Place:
    return order["venue_account"], order["symbol"]
