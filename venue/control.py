"""``/control``: prices, sessions, account flags and faults on order; exists with ``VENUE_CONTROL=1`` only."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from venue import render
from venue.api import fields
from venue.api.endpoint import json_response
from venue.errors import malformed, not_found
from venue.faults import FaultError, parse_rule
from venue.models import Change, utc_now

if TYPE_CHECKING:
    from venue.runtime import Venue

MAX_STEPS = 10_000
_FLAGS = ("blocked", "shorting", "unique_client_order_ids")


async def set_price(venue: Venue, request: Request) -> Response:
    """``POST /control/prices {symbol, price | bid + ask, pinned}``: set a quote and match against it.

    With ``price`` alone bid and ask are both that price. ``pinned: false`` lets the symbol walk on.
    """
    body = fields.json_object(await request.body())
    symbol = fields.text(body, "symbol") or ""
    asset = venue.assets.find(symbol)
    if asset is None:
        raise not_found(f"asset not found for {symbol[:64]}")
    single = fields.price(body, "price")
    bid, ask = fields.price(body, "bid") or single, fields.price(body, "ask") or single
    if bid is not None and ask is not None:
        if bid > ask:
            raise malformed("bid must not be above ask")
        venue.engine.market.pin(asset.symbol, bid, ask)
    elif (bid, ask) != (None, None):
        raise malformed("give price, or bid and ask")
    if body.get("pinned") is False:
        venue.engine.market.unpin(asset.symbol)
    await venue.engine.market.save(venue.pool)
    venue.engine.match(asset.symbol)
    return json_response(_price(venue, asset.symbol))


async def move_market(venue: Venue, request: Request) -> Response:
    """``POST /control/market {paused, session: open|closed|hours, advance: steps}``."""
    body = fields.json_object(await request.body())
    if body.get("paused") is not None:
        venue.engine.market.paused = fields.flag(body, "paused")
    session = fields.text(body, "session")
    if session is not None:
        sessions = {"open": True, "closed": False, "hours": None}
        if session not in sessions:
            raise malformed("session must be open, closed or hours")
        venue.engine.session_override = sessions[session]
        await venue.engine.turn_session()
    steps = fields.decimal(body, "advance") or Decimal(0)
    if not 0 <= steps <= MAX_STEPS or steps != steps.to_integral_value():
        raise malformed(f"advance must be a whole number from 0 to {MAX_STEPS}")
    venue.engine.advance(int(steps))
    return json_response({"paused": venue.engine.market.paused, "is_open": venue.engine.is_open})


async def add_fault(venue: Venue, request: Request) -> Response:
    """``POST /control/faults {match, fault: {kind, …}, count}``: put a rule in force."""
    try:
        rule = parse_rule(json.loads(await request.body()))
    except (FaultError, ValueError, RecursionError) as error:
        raise malformed(str(error)) from error
    venue.faults.add(rule)
    return json_response(rule.describe(), 201)


async def list_faults(venue: Venue, request: Request) -> Response:
    """``GET /control/faults``: the rules in force."""
    return json_response([rule.describe() for rule in venue.faults.rules])


async def clear_faults(venue: Venue, request: Request) -> Response:
    """``DELETE /control/faults`` and ``/control/faults/{rule_id}``."""
    return json_response({"cleared": venue.faults.clear(request.path_params.get("rule_id"))})


async def disconnect_streams(venue: Venue, request: Request) -> Response:
    """``POST /control/streams/disconnect {account_id | null}``: cut the streams of one account or of all."""
    raw = await request.body()
    account_id = fields.text(fields.json_object(raw) if raw else {}, "account_id")
    return json_response({"disconnected": venue.hub.disconnect(_id(account_id) if account_id else None)})


async def set_account_flags(venue: Venue, request: Request) -> Response:
    """``PATCH /control/accounts/{account_id} {blocked, shorting, unique_client_order_ids}``."""
    account_id = _id(request.path_params["account_id"])
    body = fields.json_object(await request.body())
    flags = {name: fields.flag(body, name) for name in _FLAGS if body.get(name) is not None}
    if not flags or set(body) - set(_FLAGS):
        raise malformed(f"give one or more of {', '.join(_FLAGS)}")
    async with venue.accounts.transaction(account_id) as unit:
        if not await unit.set_flags(flags):
            raise not_found(f"account not found for {account_id}")
        unit.record(Change("account", account_id, utc_now(), data=dict(flags)))
    return json_response({"account_id": str(account_id), **flags})


def _id(raw: str) -> UUID:
    try:
        return UUID(raw)
    except ValueError as error:
        raise malformed("account_id is not an id") from error


def _price(venue: Venue, symbol: str) -> dict[str, Any]:
    quote = venue.engine.market.quote(symbol)
    return {
        "symbol": symbol,
        "bid": render.number(quote.bid),
        "ask": render.number(quote.ask),
        "pinned": venue.engine.market.is_pinned(symbol),
    }
