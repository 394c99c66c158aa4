"""``/control``: what happens behind a trader's back; exists with ``VENUE_CONTROL=1`` only.

Fills that are busted or corrected, orders and closings by somebody else, halts, price bands, splits, journal entries.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import Response

from venue import render
from venue.api import fields, tickets
from venue.api.endpoint import json_response
from venue.assets import Asset
from venue.control import parse_id, path_id
from venue.engine.requests import Ticket
from venue.engine.rulings import Band
from venue.errors import malformed, not_found, unprocessable
from venue.models import Change

if TYPE_CHECKING:
    from venue.runtime import Venue

OUTSIDE = "outside"
_ASSET_FLAGS = ("tradable", "shortable", "fractionable", "marginable", "active")


async def bust_fill(venue: Venue, request: Request) -> Response:
    """``POST /control/fills/{execution_id}/bust {account_id, reinstate}``: take a fill back."""
    body = fields.json_object(await request.body())
    change = await venue.corrections.amend(
        _account_id(body),
        path_id(request, "execution_id"),
        bust=True,
        reinstate=fields.flag(body, "reinstate"),
    )
    return json_response(_told(change))


async def correct_fill(venue: Venue, request: Request) -> Response:
    """``POST /control/fills/{execution_id}/correct {account_id, qty, price, reinstate}``: put it right."""
    body = fields.json_object(await request.body())
    qty, price = fields.quantity(body), fields.price(body, "price")
    if qty is None and price is None:
        raise malformed("give qty, price or both")
    change = await venue.corrections.amend(
        _account_id(body),
        path_id(request, "execution_id"),
        qty=qty,
        price=price,
        reinstate=fields.flag(body, "reinstate"),
    )
    return json_response(_told(change))


async def place_outside_order(venue: Venue, request: Request) -> Response:
    """``POST /control/orders {account_id, …}``: an order that the account's own client did not send.

    Its source is ``outside``. It needs no buying power and takes even shares that other orders hold.
    """
    body = fields.json_object(await request.body())
    account_id = _account_id(body)
    ticket = replace(tickets.parse_ticket(body, venue.assets), source=OUTSIDE)
    placed = await venue.placing.place(account_id, ticket)
    return json_response(render.order(placed.order, placed.legs))


async def close_outside(venue: Venue, request: Request) -> Response:
    """``POST /control/positions/close {account_id, symbol, qty}``: close a position or a part of it outside."""
    body = fields.json_object(await request.body())
    account_id, asset = _account_id(body), _asset(venue, body)
    position = (await venue.accounts.holdings(account_id)).positions.get(asset.symbol)
    if position is None:
        raise not_found("position does not exist")
    qty = fields.quantity(body) or abs(position.qty)
    if qty > abs(position.qty):
        raise unprocessable("qty is more than the position has")
    side = "sell" if position.qty > 0 else "buy"
    ticket = Ticket(asset.symbol, side, "market", "day", str(uuid4()), qty=qty, source=OUTSIDE)
    return json_response(render.order((await venue.placing.place(account_id, ticket)).order))


async def journal_position(venue: Venue, request: Request) -> Response:
    """``POST /control/positions/journal {account_id, symbol, side, qty, price}``: shares without an order."""
    body = fields.json_object(await request.body())
    account_id, asset = _account_id(body), _asset(venue, body)
    side, qty, price = fields.text(body, "side"), fields.quantity(body), fields.price(body, "price")
    if side not in ("buy", "sell") or qty is None or price is None:
        raise malformed("give side (buy or sell), qty and price")
    after = await venue.journals.move(account_id, asset.symbol, side, qty, price)
    return json_response({"symbol": asset.symbol, "qty": render.number(after.qty)})


async def set_halt(venue: Venue, request: Request) -> Response:
    """``POST /control/halts {symbol, halted, refuse}``: nothing trades until the symbol is resumed.

    Orders are accepted and wait; with ``refuse`` new ones, and replaces, are turned away.
    """
    body = fields.json_object(await request.body())
    asset, halted, refuse = _asset(venue, body), fields.flag(body, "halted"), fields.flag(body, "refuse")
    refused = venue.engine.market.rulings.refused
    if halted:
        venue.engine.halted.add(asset.symbol)
        (refused.add if refuse else refused.discard)(asset.symbol)
    else:
        refused.discard(asset.symbol)
        await venue.engine.resume(asset.symbol)
    return json_response({"symbol": asset.symbol, "halted": halted, "refuse": halted and refuse})


async def set_band(venue: Venue, request: Request) -> Response:
    """``POST /control/bands {symbol, low, high}``: limits outside are refused; without both the band is lifted."""
    body = fields.json_object(await request.body())
    asset, low, high = _asset(venue, body), fields.price(body, "low"), fields.price(body, "high")
    bands = venue.engine.market.rulings.bands
    if low is None and high is None:
        bands.pop(asset.symbol, None)
        return json_response({"symbol": asset.symbol, "low": None, "high": None})
    if low is None or high is None or low > high:
        raise malformed("give low and high, or neither")
    bands[asset.symbol] = Band(low, high)
    return json_response({"symbol": asset.symbol, "low": render.number(low), "high": render.number(high)})


async def set_asset_flags(venue: Venue, request: Request) -> Response:
    """``POST /control/assets {symbol, tradable, shortable, fractionable}``: until the process ends."""
    body = fields.json_object(await request.body())
    flags = {name: fields.flag(body, name) for name in _ASSET_FLAGS if body.get(name) is not None}
    return json_response(render.asset(venue.assets.set_flags(_asset(venue, body), flags)))


async def split_symbol(venue: Venue, request: Request) -> Response:
    """``POST /control/splits {symbol, old, new}``: ``new`` shares for each ``old`` ones."""
    body = fields.json_object(await request.body())
    asset = _asset(venue, body)
    old, new = _shares(body, "old"), _shares(body, "new")
    accounts = await venue.splits.split(asset.symbol, old, new)
    await venue.engine.market.save(venue.pool)
    return json_response({"symbol": asset.symbol, "accounts": accounts})


def _account_id(body: dict[str, Any]) -> UUID:
    return parse_id(fields.text(body, "account_id") or "", "account_id")


def _asset(venue: Venue, body: dict[str, Any]) -> Asset:
    symbol = fields.text(body, "symbol") or ""
    asset = venue.assets.find(symbol)
    if asset is None:
        raise not_found(f"asset not found for {symbol[:64]}")
    return asset


def _shares(body: dict[str, Any], name: str) -> Decimal:
    value = fields.decimal(body, name)
    if value is None or not 1 <= value <= 1000 or value != value.to_integral_value():
        raise malformed(f"{name} must be a whole number from 1 to 1000")
    return value


def _told(change: Change) -> dict[str, Any]:
    told: dict[str, Any] = render.trade_update(change)["data"]
    return told
