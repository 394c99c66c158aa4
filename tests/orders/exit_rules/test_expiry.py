"""Only an option's symbol carries a day on which it expires."""

import datetime as dt

import pytest

from orders.exit_rules import expiry_of


@pytest.mark.parametrize(
    ("symbol", "day"),
    [
        ("AAPL261218C00150000", dt.date(2026, 12, 18)),
        ("AAPL  261218P00150000", dt.date(2026, 12, 18)),
        ("F280229C00012500", dt.date(2028, 2, 29)),
        ("AAPL1261218C00150000", dt.date(2026, 12, 18)),
        ("AAPL", None),
        ("BTC/USD", None),
        ("BRK.B", None),
        ("AAPL261318C00150000", None),
        ("AAPL270229C00150000", None),
        ("AAPL261218X00150000", None),
        ("AAPL261218C0015000", None),
        ("aapl261218C00150000", None),
        ("AAPL261218C00150000 ", None),
    ],
)
def test_expiry(symbol: str, day: dt.date | None) -> None:
    assert expiry_of(symbol) == day
