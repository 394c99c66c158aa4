"""Which order is sent next."""

import datetime as dt
import uuid
from dataclasses import dataclass, field

import pytest
from django.utils import timezone

from tasks.fleet.session import pick_next

ACCOUNT = uuid.uuid4()
LATER = timezone.now() + dt.timedelta(hours=1)


@dataclass
class Row:
    """The part of an order that choosing looks at."""

    symbol: str
    position_effect: str = "OPEN"
    eligible_at: dt.datetime | None = None
    account_id: uuid.UUID = field(default=ACCOUNT)


def entry(symbol: str, eligible_at: dt.datetime | None = None) -> Row:
    return Row(symbol, eligible_at=eligible_at)


def exit_(symbol: str, eligible_at: dt.datetime | None = None) -> Row:
    return Row(symbol, "CLOSE", eligible_at)


A, B = "A", "B"


@pytest.mark.parametrize(
    ("rows", "blocked", "chosen"),
    [
        ([], set(), None),
        ([entry(A), entry(A)], set(), 0),
        ([entry(A), entry(B), exit_(B)], set(), 1),  # B holds an exit, and within B the oldest goes first
        ([entry(A), exit_(B)], set(), 1),
        ([entry(A), entry(B)], {A}, 1),  # an unknown outcome in A holds its entries back
        ([entry(A), exit_(A)], {A}, 1),  # and never an exit
        ([entry(A, LATER), entry(A)], set(), None),  # what is behind it in its symbol waits too
        ([entry(A, LATER), entry(B)], set(), 1),
        ([entry(A, LATER), exit_(A)], set(), 1),
        ([exit_(A, LATER), entry(A), entry(B)], set(), 2),
    ],
)
def test_the_next_order(rows: list[Row], blocked: set[str], chosen: int | None) -> None:
    picked = pick_next(rows, {(ACCOUNT, symbol) for symbol in blocked})  # type: ignore[arg-type]
    assert picked is (None if chosen is None else rows[chosen])


def test_another_account_is_another_place() -> None:
    rows = [Row(A, eligible_at=LATER), Row(A, account_id=uuid.uuid4())]
    assert pick_next(rows, set()) is rows[1]  # type: ignore[arg-type]
