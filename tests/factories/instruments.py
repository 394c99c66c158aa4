"""What a broker has to trade, as reports and as rows."""

from decimal import Decimal
from typing import Any

from brokers.models import Instrument
from brokers.types import InstrumentReport
from orders.services.catalogue import refresh_instruments

TICKS = ((Decimal(0), Decimal("0.0001")), (Decimal(1), Decimal("0.01")))


def listing(symbol: str = "AAPL", **changes: Any) -> InstrumentReport:
    """Return a share as a broker lists it: whole or in fractions, long or short, unless ``changes`` say otherwise."""
    values: dict[str, Any] = {
        "symbol": symbol,
        "name": f"{symbol} Inc.",
        "exchange": "NYSE",
        "currency": "USD",
        "ticks": TICKS,
        "lot_step": Decimal("0.000000001"),
        "short_step": Decimal(1),
        "min_qty": Decimal("0.000000001"),
        "min_notional": Decimal(1),
        "tradable": True,
        "shortable": True,
        "fractionable": True,
        "marginable": True,
    }
    return InstrumentReport(**(values | changes))


WHOLE = {"lot_step": Decimal(1), "min_qty": Decimal(1), "min_notional": None, "fractionable": False}
"""What a share is that goes whole only."""


def keep(broker: str, *reports: InstrumentReport) -> list[Instrument]:
    """Have the desk know that this is all that the broker has; return its rows, by symbol."""
    refresh_instruments(broker, reports)
    return list(Instrument.objects.filter(broker=broker).order_by("symbol"))
