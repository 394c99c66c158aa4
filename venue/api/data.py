"""``/v2/stocks/…``: the latest quotes."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from venue import render
from venue.api.endpoint import Call, json_response
from venue.errors import VenueError, malformed
from venue.models import Quote

MAX_SYMBOLS = 200


async def latest_quotes(call: Call) -> Response:
    """``GET /v2/stocks/quotes/latest?symbols=A,B``; unknown symbols are refused by name."""
    symbols = [symbol.strip() for symbol in call.request.query_params.get("symbols", "").split(",")]
    symbols = [symbol for symbol in symbols if symbol]
    if not symbols or len(symbols) > MAX_SYMBOLS:
        raise malformed(f"symbols must name 1 to {MAX_SYMBOLS} symbols")
    quotes = {symbol: _render(_quote(call, symbol)) for symbol in symbols}
    return json_response({"quotes": quotes})


async def latest_quote(call: Call) -> Response:
    """``GET /v2/stocks/{symbol}/quotes/latest``."""
    symbol = call.request.path_params["symbol"]
    return json_response({"symbol": symbol, "quote": _render(_quote(call, symbol))})


def _quote(call: Call, symbol: str) -> Quote:
    try:
        return call.venue.engine.quote(symbol)
    except KeyError as error:
        raise VenueError(400, 40010000, f"invalid symbol: {symbol[:32]}") from error


def _render(quote: Quote) -> dict[str, Any]:
    return {
        "t": render.moment(quote.at),
        "ax": "V",
        # The data API gives prices as numbers; the walk moves in cents, which a float shows faithfully.
        "ap": float(quote.ask),
        "as": 100,
        "bx": "V",
        "bp": float(quote.bid),
        "bs": 100,
        "c": ["R"],
        "z": "C",
    }
