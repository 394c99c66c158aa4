"""``/v2/account``, ``/v2/clock``, ``/v2/calendar`` and ``/v2/assets``."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from starlette.responses import Response

from venue import render
from venue.api import fields
from venue.api.endpoint import Call, json_response
from venue.engine.screening import INITIAL_MARGIN, figures, maintenance
from venue.errors import not_found
from venue.models import utc_now

_CALENDAR_DAYS = 366


async def get_account(call: Call) -> Response:
    """``GET /v2/account``: cash, equity, margin and buying power at the present prices."""
    holdings = await call.venue.accounts.holdings(call.account_id)
    account, values = holdings.account, figures(holdings, call.venue.placing.price_of)
    gross = values.long_value - values.short_value
    price_of, held = call.venue.placing.price_of, holdings.positions.values()
    maintained = sum((maintenance(each.qty, price_of(each.symbol)) for each in held), Decimal(0))
    number = render.number
    body = {
        "id": str(account.id),
        "account_number": account.account_number,
        "status": "ACTIVE",
        "crypto_status": "INACTIVE",
        "currency": "USD",
        "buying_power": number(values.buying_power),
        "regt_buying_power": number(values.buying_power),
        "daytrading_buying_power": "0",
        "non_marginable_buying_power": number(max(account.cash - values.reserved, Decimal(0))),
        "cash": number(account.cash),
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "portfolio_value": number(values.equity),
        "pattern_day_trader": False,
        "trading_blocked": account.blocked,
        "transfers_blocked": False,
        "account_blocked": account.blocked,
        "created_at": render.moment(account.created_at),
        "trade_suspended_by_user": False,
        "multiplier": number(values.multiplier),
        "shorting_enabled": account.shorting and values.may_borrow,
        "equity": number(values.equity),
        "last_equity": number(values.equity),
        "long_market_value": number(values.long_value),
        "short_market_value": number(values.short_value),
        "position_market_value": number(gross),
        "initial_margin": number(gross * INITIAL_MARGIN),
        "maintenance_margin": number(maintained),
        "last_maintenance_margin": number(maintained),
        "sma": "0",
        "daytrade_count": 0,
    }
    return json_response(body)


async def get_configurations(call: Call) -> Response:
    """``GET /v2/account/configurations``."""
    account = (await call.venue.accounts.holdings(call.account_id)).account
    body = {
        "dtbp_check": "entry",
        "fractional_trading": True,
        "max_margin_multiplier": render.number(account.multiplier),
        "no_shorting": not account.shorting,
        "pdt_check": "entry",
        "suspend_trade": account.blocked,
        "trade_confirm_email": "none",
        "ptp_no_exception_entry": False,
    }
    return json_response(body)


async def get_clock(call: Call) -> Response:
    """``GET /v2/clock``."""
    now, engine = utc_now(), call.venue.engine
    next_open, next_close = engine.next_turns()
    zone = ZoneInfo(engine.hours.zone_name)
    body = {
        "timestamp": _local(now, zone),
        "is_open": engine.is_open,
        "next_open": _local(next_open, zone),
        "next_close": _local(next_close, zone),
    }
    return json_response(body)


async def get_calendar(call: Call) -> Response:
    """``GET /v2/calendar`` from ``start`` to ``end``; a month from today on without them."""
    query, today = call.request.query_params, utc_now().date()
    start = fields.day(query, "start", today)
    end = min(fields.day(query, "end", start + timedelta(days=31)), _latest(start))
    hours = call.venue.engine.hours
    zone = ZoneInfo(hours.zone_name)
    rows = []
    for session in hours.sessions(start, end) if start <= end else []:
        opens, closes = session.opens_at.astimezone(zone), session.closes_at.astimezone(zone)
        rows.append(
            {
                "date": session.day.isoformat(),
                "open": f"{opens:%H:%M}",
                "close": f"{closes:%H:%M}",
                "session_open": f"{opens:%H%M}",
                "session_close": f"{closes:%H%M}",
            }
        )
    return json_response(rows)


async def list_assets(call: Call) -> Response:
    """``GET /v2/assets`` with ``status``, ``asset_class`` and ``exchange``; only US equities exist."""
    query = call.request.query_params
    status, exchange = query.get("status"), query.get("exchange")
    listed = call.venue.assets.listed() if query.get("asset_class", "us_equity") == "us_equity" else []
    rows = [
        render.asset(asset)
        for asset in listed
        if exchange in (None, "", asset.exchange)
        and status in (None, "", "active" if asset.active else "inactive")
    ]
    return json_response(rows)


async def get_asset(call: Call) -> Response:
    """``GET /v2/assets/{symbol}``, by symbol or asset id."""
    symbol = call.request.path_params["symbol"]
    asset = call.venue.assets.find(symbol)
    if asset is None:
        raise not_found(f"asset not found for {symbol[:64]}")
    return json_response(render.asset(asset))


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="microseconds")


def _latest(start: date) -> date:
    return min(date.max - timedelta(days=_CALENDAR_DAYS), start) + timedelta(days=_CALENDAR_DAYS)
