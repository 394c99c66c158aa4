"""``/v2/positions``."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import uuid4

from starlette.responses import Response

from venue import render
from venue.api import fields
from venue.api.endpoint import Call, json_response
from venue.api.orders import cancel_open_orders
from venue.assets import asset_id
from venue.engine.requests import Ticket
from venue.engine.screening import available_qty
from venue.engine.transaction import Holdings
from venue.errors import VenueError, forbidden, malformed, not_found, unprocessable
from venue.models import ZERO, Order, Position

_SHARE_STEP = Decimal("0.000000001")
_RATIO_STEP = Decimal("0.00000001")


async def list_positions(call: Call) -> Response:
    """``GET /v2/positions``."""
    holdings = await call.venue.accounts.holdings(call.account_id)
    return json_response([_render(call, holdings, position) for position in holdings.positions.values()])


async def get_position(call: Call) -> Response:
    """``GET /v2/positions/{symbol}``, by symbol or asset id."""
    holdings = await call.venue.accounts.holdings(call.account_id)
    return json_response(_render(call, holdings, _find(call, holdings)))


async def close_position(call: Call) -> Response:
    """``DELETE /v2/positions/{symbol}``: a market order over all, ``qty`` or ``percentage`` of it."""
    holdings = await call.venue.accounts.holdings(call.account_id)
    position = _find(call, holdings)
    qty = _closing_qty(call, available_qty(holdings, position), abs(position.qty))
    return json_response(render.order(await _close(call, position, qty)))


async def close_all_positions(call: Call) -> Response:
    """``DELETE /v2/positions``: 207 with the closing order of each position."""
    if call.request.query_params.get("cancel_orders", "").lower() == "true":
        await cancel_open_orders(call)
    holdings = await call.venue.accounts.holdings(call.account_id)
    results: list[dict[str, Any]] = []
    for position in holdings.positions.values():
        try:
            qty = available_qty(holdings, position)
            if not qty:
                raise forbidden("insufficient qty available for order (requested: all, available: 0)")
            body, status = render.order(await _close(call, position, qty)), 200
        except VenueError as error:
            body, status = error.body(), error.status
        results.append({"symbol": position.symbol, "status": status, "body": body})
    return json_response(results, 207)


async def _close(call: Call, position: Position, qty: Decimal) -> Order:
    side = "sell" if position.qty > 0 else "buy"
    ticket = Ticket(position.symbol, side, "market", "day", str(uuid4()), qty=qty)
    return (await call.venue.placing.place(call.account_id, ticket)).order


def _closing_qty(call: Call, available: Decimal, held: Decimal) -> Decimal:
    query: dict[str, Any] = dict(call.request.query_params)
    qty, percentage = fields.quantity(query, "qty"), fields.decimal(query, "percentage")
    if qty is not None and percentage is not None:
        raise malformed("only one of qty or percentage is accepted")
    if percentage is not None:
        if not 0 < percentage <= 100:
            raise malformed("percentage must be above 0 and at most 100")
        qty = (held * percentage / 100).quantize(_SHARE_STEP, ROUND_DOWN)
        qty = qty.quantize(Decimal(1)) if qty == qty.to_integral_value() else qty
        if not qty:
            raise unprocessable("percentage is too small for one billionth of a share")
    if qty is None:
        qty = available
    if not qty or qty > available:
        text = f"insufficient qty available for order (requested: {render.number(qty or held)}, available: "
        raise forbidden(text + f"{render.number(available)})", available=render.number(available))
    return qty


def _find(call: Call, holdings: Holdings) -> Position:
    asset = call.venue.assets.find(call.request.path_params["symbol"])
    position = holdings.positions.get(asset.symbol) if asset else None
    if position is None:
        raise not_found("position does not exist")
    return position


def _render(call: Call, holdings: Holdings, position: Position) -> dict[str, Any]:
    price = call.venue.placing.price_of(position.symbol)
    value = position.qty * price
    gain = value - position.cost
    ratio = (gain / abs(position.cost)).quantize(_RATIO_STEP) if position.cost else ZERO
    asset = call.venue.assets.find(position.symbol)
    available = available_qty(holdings, position)
    return {
        "asset_id": str(asset_id(position.symbol)),
        "symbol": position.symbol,
        "exchange": asset.exchange if asset else "",
        "asset_class": "us_equity",
        "asset_marginable": True,
        "qty": render.number(position.qty),
        "qty_available": render.number(available if position.qty > 0 else -available),
        "avg_entry_price": render.average(position.avg_entry_price),
        "side": "long" if position.qty > 0 else "short",
        "market_value": render.number(value),
        "cost_basis": render.number(position.cost),
        "unrealized_pl": render.number(gain),
        "unrealized_plpc": render.number(ratio),
        "unrealized_intraday_pl": render.number(gain),
        "unrealized_intraday_plpc": render.number(ratio),
        "current_price": render.number(price),
        "lastday_price": render.number(price),
        "change_today": "0",
    }
