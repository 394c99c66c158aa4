"""The same books by another way: fractions, a running average price, and a scan of the cumulative sum.

Nothing of ``orders.positions`` is used but the fills' plain fields.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, groupby

from orders.positions import Fill

Piece = tuple[int, Fraction, Fraction, Fraction]  # number of its trip, signed quantity, price, fee


@dataclass(frozen=True)
class ExpectedTrip:
    qty: Fraction  # signed, what is left of it
    average: Fraction  # price of what is left
    entered: Fraction
    entry_px: Fraction
    left: Fraction
    exit_px: Fraction | None
    pnl: Fraction
    fees: Fraction


def expected_trips(fills: Iterable[Fill]) -> list[ExpectedTrip]:
    """Cut the fills where their sum meets zero; what each stretch has earned follows from its cash."""
    return [
        _trip([piece[1:] for piece in pieces]) for _, pieces in groupby(_pieces(fills), lambda one: one[0])
    ]


def cash_of(fills: Iterable[Fill]) -> Fraction:
    return -sum((_signed(fill) * Fraction(fill.px) + Fraction(fill.fee) for fill in fills), Fraction(0))


def _signed(fill: Fill) -> Fraction:
    return Fraction(fill.qty) * {"BUY": 1, "SELL": -1}[fill.side]


def _pieces(fills: Iterable[Fill]) -> Iterator[Piece]:
    fills = list(fills)
    sums = list(accumulate(map(_signed, fills), initial=Fraction(0)))
    trip = 0
    for fill, before, after in zip(fills, sums, sums[1:], strict=False):
        trip += before == 0
        parts = [-before, after] if before * after < 0 else [after - before]
        for number, qty in enumerate(parts):
            trip += number
            yield trip, qty, Fraction(fill.px), Fraction(fill.fee) * abs(qty) / Fraction(fill.qty)


def _trip(pieces: list[tuple[Fraction, Fraction, Fraction]]) -> ExpectedTrip:
    way = 1 if pieces[0][0] > 0 else -1
    entries = [(abs(qty), px) for qty, px, _ in pieces if qty * way > 0]
    exits = [(abs(qty), px) for qty, px, _ in pieces if qty * way < 0]
    left_open = sum((qty for qty, _, _ in pieces), Fraction(0))
    average = _running_average(pieces, way)
    return ExpectedTrip(
        qty=left_open,
        average=average,
        entered=sum((qty for qty, _ in entries), Fraction(0)),
        entry_px=_mean(entries),
        left=sum((qty for qty, _ in exits), Fraction(0)),
        exit_px=_mean(exits) if exits else None,
        pnl=left_open * average - sum((qty * px for qty, px, _ in pieces), Fraction(0)),
        fees=sum((fee for _, _, fee in pieces), Fraction(0)),
    )


def _running_average(pieces: list[tuple[Fraction, Fraction, Fraction]], way: int) -> Fraction:
    """Adds move the average price; exits leave it where it is."""
    held = average = Fraction(0)
    for qty, px, _ in pieces:
        if qty * way > 0:
            average += (px - average) * abs(qty) / (held + abs(qty))
        held += qty * way
    return average


def _mean(parts: list[tuple[Fraction, Fraction]]) -> Fraction:
    return sum((qty * px for qty, px in parts), Fraction(0)) / sum((qty for qty, _ in parts), Fraction(0))
