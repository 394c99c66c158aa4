"""What a broker says of a symbol, as gates, sizing and prices read it: kept in the process, it costs alerts nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from brokers.catalog import capabilities_of
from brokers.models import BrokerAccount, Instrument
from brokers.types import PositionEffect, Side
from orders.intake.ticks import Purpose, round_price

K = TypeVar("K")
T = TypeVar("T")

KEPT_SECONDS = 60.0
"""How late a process learns what another one has read."""
UNSUPPORTED_MULTIPLIER = "UNSUPPORTED_MULTIPLIER"
"""Why an entry is refused in an instrument of which one unit stands for more, or less, than one."""
MOST_KEPT = 20_000
"""Symbols that a process keeps: more than any broker's catalogue that we know."""

_kept: dict[tuple[str, str], tuple[float, Instrument | None]] = {}
_loaded: dict[str, tuple[float, bool]] = {}


def instrument_of(account: BrokerAccount, symbol: str) -> Instrument | None:
    """Return what the account's broker says of the symbol, read at most ``KEPT_SECONDS`` ago; None: it is not known.

    The row is shared with every other caller: read it and leave it as it is.
    """
    return _from(_kept, (account.broker, symbol), lambda: _read(account.broker, symbol))


def is_catalogue_complete(account: BrokerAccount) -> bool:
    """Say whether a symbol that is not known cannot be traded: the broker's catalogue was read, and lists them all."""
    if not capabilities_of(account.broker).lists_every_symbol:
        return False
    return _from(_loaded, account.broker, lambda: Instrument.objects.filter(broker=account.broker).exists())


def multiplier_words(symbol: str) -> str:
    """Say why no entry is taken in an instrument whose multiplier is not one."""
    return f"a price of {symbol} does not stand for one unit of it, and positions and P&L would be wrong"


def forget_instruments() -> None:
    """Have this process read instruments anew when it needs them next: they have been changed."""
    _kept.clear()
    _loaded.clear()


@dataclass(frozen=True, slots=True)
class FittedPrices:
    """An order's prices on the tick, and those that were asked for where they are others."""

    price: Decimal | None
    stop_px: Decimal | None
    asked: dict[str, str]


def fit_prices(
    account: BrokerAccount,
    symbol: str,
    *,
    side: Side,
    effect: PositionEffect,
    price: Decimal | None,
    stop_px: Decimal | None,
) -> FittedPrices:
    """Round prices to the tick, in the direction that is safe for the trader; as they are where no tick is known."""
    given = {"price": (price, Purpose.LIMIT), "stop_px": (stop_px, Purpose.of_stop(effect))}
    if price is None and stop_px is None:
        return FittedPrices(None, None, {})
    instrument = instrument_of(account, symbol)
    fitted = {name: _fit(instrument, value, side, purpose) for name, (value, purpose) in given.items()}
    asked = {
        f"asked_{name}": f"{value:f}"
        for name, (value, _) in given.items()
        if value is not None and value != fitted[name]
    }
    return FittedPrices(fitted["price"], fitted["stop_px"], asked)


def _fit(
    instrument: Instrument | None, price: Decimal | None, side: Side, purpose: Purpose
) -> Decimal | None:
    if instrument is None or price is None:
        return price
    # Zero is no price: what is less than a tick goes as it is, and the broker decides.
    return round_price(price, instrument.tick_at(price), side=side, purpose=purpose) or price


def _read(broker: str, symbol: str) -> Instrument | None:
    return Instrument.objects.filter(broker=broker, symbol=symbol).first()


def _from(kept: dict[K, tuple[float, T]], key: K, read: Callable[[], T]) -> T:
    found = kept.get(key)
    if found is not None and time.monotonic() < found[0]:
        return found[1]
    value = read()
    if len(kept) >= MOST_KEPT:
        kept.clear()
    kept[key] = time.monotonic() + KEPT_SECONDS, value
    return value
