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
from venue.hours import MarketHours, PlannedHours
from venue.models import Change, utc_now

if TYPE_CHECKING:
    from venue.runtime import Venue

MAX_STEPS = 10_000
_FLAGS = ("blocked", "shorting", "unique_client_order_ids", "wash_checks")
_MULTIPLIERS = (1, 2, 4)


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
    """``POST /control/market {paused, session: open|closed|hours, next_open, next_close, advance: steps}``.

    With ``session`` the two times say when it opens or closes by itself; without them it stays as ordered.
    """
    body = fields.json_object(await request.body())
    engine = venue.engine
    if body.get("paused") is not None:
        engine.market.paused = fields.flag(body, "paused")
    session = fields.text(body, "session")
    if session is not None:
        engine.planned = _planned(session, body, engine.hours)
        await engine.turn_session()
    steps = fields.decimal(body, "advance") or Decimal(0)
    if not 0 <= steps <= MAX_STEPS or steps != steps.to_integral_value():
        raise malformed(f"advance must be a whole number from 0 to {MAX_STEPS}")
    engine.advance(int(steps))
    return json_response({"paused": engine.market.paused, "is_open": engine.is_open})


def _planned(session: str, body: dict[str, Any], hours: MarketHours) -> PlannedHours | None:
    sessions = {"open": True, "closed": False, "hours": None}
    if session not in sessions:
        raise malformed("session must be open, closed or hours")
    starts_open = sessions[session]
    if starts_open is None:
        return None
    times = {name: fields.text(body, name) or "" for name in ("next_open", "next_close")}
    return PlannedHours(
        hours, starts_open, fields.moment(times, "next_open"), fields.moment(times, "next_close")
    )


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
    return json_response(
        {"disconnected": venue.hub.disconnect(parse_id(account_id, "account_id") if account_id else None)}
    )


async def set_account_flags(venue: Venue, request: Request) -> Response:
    """``PATCH /control/accounts/{account_id}`` with ``multiplier`` (1, 2 or 4) and the flags ``blocked``,
    ``shorting``, ``unique_client_order_ids``, ``wash_checks``.
    """
    account_id = path_id(request, "account_id")
    body = fields.json_object(await request.body())
    flags: dict[str, Any] = {name: fields.flag(body, name) for name in _FLAGS if body.get(name) is not None}
    multiplier = fields.decimal(body, "multiplier")
    if multiplier is not None:
        if multiplier not in _MULTIPLIERS:
            raise malformed("multiplier must be 1, 2 or 4")
        flags["multiplier"] = multiplier
    if not flags or set(body) - {*_FLAGS, "multiplier"}:
        raise malformed(f"give one or more of multiplier, {', '.join(_FLAGS)}")
    shown = {name: render.number(value) if name == "multiplier" else value for name, value in flags.items()}
    async with venue.accounts.transaction(account_id) as unit:
        if not await unit.set_flags(flags):
            raise not_found(f"account not found for {account_id}")
        unit.record(Change("account", account_id, utc_now(), data=shown))
    return json_response({"account_id": str(account_id), **shown})


def path_id(request: Request, name: str) -> UUID:
    """Return an id from the path."""
    return parse_id(request.path_params[name], name)


def parse_id(raw: str, name: str) -> UUID:
    """Return an id; raises VenueError for what is none."""
    try:
        return UUID(raw)
    except ValueError as error:
        raise malformed(f"{name} is not an id") from error


def _price(venue: Venue, symbol: str) -> dict[str, Any]:
    quote = venue.engine.market.quote(symbol)
    return {
        "symbol": symbol,
        "bid": render.number(quote.bid),
        "ask": render.number(quote.ask),
        "pinned": venue.engine.market.is_pinned(symbol),
    }
