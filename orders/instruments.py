"""Finding a symbol among the thousands that a broker has."""

from __future__ import annotations

from django.db.models import Case, IntegerField, Q, Value, When

from brokers.models import Instrument

MOST_OPTIONS = 20
MAX_QUERY_LENGTH = 64


def resembles(text: str) -> Q:
    """Return what makes an instrument one that the text may mean: its symbol begins with it, or its name holds it."""
    return Q(symbol__startswith=text.strip().upper()) | Q(name__icontains=text.strip())


def instrument_options(text: str, broker: str) -> list[Instrument]:
    """Return what a person may mean: tradable ones, the symbol itself first, then symbols, then names; at most 20."""
    symbol = text.strip().upper()
    rank = Case(
        When(symbol=symbol, then=Value(0)),
        When(symbol__startswith=symbol, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    found = Instrument.objects.filter(resembles(text), broker=broker, tradable=True)
    return list(found.order_by(rank, "symbol")[:MOST_OPTIONS])
