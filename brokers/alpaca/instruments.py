"""Alpaca's assets to the desk's instruments.

Ticks: Alpaca takes a price from one dollar on in cents, and below that in hundredths of a cent (Regulation NMS,
rule 612). Fractions go to nine decimals and need an order of a dollar at least; they are never sold short
(docs.alpaca.markets: Fractional Trading, Margin and Short Selling).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.alpaca.values import UnreadableFact, mapping_of, text_of
from brokers.types import InstrumentReport, TickRule

ACTIVE_EQUITIES = {"status": "active", "asset_class": "us_equity"}
TICKS: TickRule = ((Decimal(0), Decimal("0.0001")), (Decimal(1), Decimal("0.01")))
WHOLE = Decimal(1)
FRACTION = Decimal("0.000000001")
LEAST_OF_A_FRACTION = Decimal(1)  # in dollars
MAX_SYMBOL_LENGTH = 32
MAX_NAME_LENGTH = 200
MAX_EXCHANGE_LENGTH = 32


def parse_instrument(row: Any) -> InstrumentReport:
    """Read an asset; raises ``UnreadableFact`` for what is none."""
    asset = mapping_of(row)
    symbol = text_of(asset, "symbol")
    if len(symbol) > MAX_SYMBOL_LENGTH:
        raise UnreadableFact(f"a symbol of {len(symbol)} characters")
    fractionable = _flag(asset, "fractionable")
    step = FRACTION if fractionable else WHOLE
    return InstrumentReport(
        symbol=symbol,
        name=str(asset.get("name") or "")[:MAX_NAME_LENGTH],
        exchange=str(asset.get("exchange") or "")[:MAX_EXCHANGE_LENGTH],
        currency="USD",
        ticks=TICKS,
        lot_step=step,
        short_step=WHOLE,
        min_qty=step,
        min_notional=LEAST_OF_A_FRACTION if fractionable else None,
        tradable=_flag(asset, "tradable") and text_of(asset, "status") == "active",
        shortable=_flag(asset, "shortable"),
        fractionable=fractionable,
        marginable=_flag(asset, "marginable"),
    )


def _flag(asset: Any, name: str) -> bool:
    value = asset.get(name)
    if not isinstance(value, bool):
        raise UnreadableFact(f"no {name}")
    return value
