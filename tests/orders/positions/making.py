"""Fills and executions for these tests, short to write down."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from brokers.types import Side
from orders.positions import ExecutionRow, Fill

D = Decimal
START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
ORDER = UUID(int=1)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def fill(number: int, signed_qty: str | Decimal, px: str | Decimal, fee: str = "0") -> Fill:
    """The fill of second ``number``; bought above zero, sold below."""
    qty = D(signed_qty)
    side = Side.BUY if qty > 0 else Side.SELL
    return Fill(f"f{number:03}", ORDER, side, abs(qty), D(px), at(number), D(fee))


def fills(*terms: str) -> list[Fill]:
    """Fills one second apart, each written as ``"+10 @ 5"``, or with a fee as ``"-10 @ 5 fee 0.1"``."""
    made = []
    for number, words in enumerate(term.split() for term in terms):
        qty, _, px, *fee = words
        made.append(fill(number, qty, px, fee[1] if fee else "0"))
    return made


def row(
    exec_id: str, second: int, qty: str, px: str = "10", *, ref: str = "", kind: str = ""
) -> ExecutionRow:
    """An execution of a buy order: a trade, or with ``ref`` a correction, or of the given ``kind``."""
    exec_type = kind or ("TRADE_CORRECT" if ref else "TRADE")
    return ExecutionRow(exec_id, ref, exec_type, ORDER, "BUY", D(qty), D(px), at(second))


def bust(exec_id: str, second: int, ref: str) -> ExecutionRow:
    return row(exec_id, second, "0", "0", ref=ref, kind="TRADE_CANCEL")
