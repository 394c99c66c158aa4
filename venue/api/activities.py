"""``/v2/account/activities``: an account's executions and splits, read from the ledger."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.responses import Response

from venue import render
from venue.api import fields
from venue.api.endpoint import Call, json_response
from venue.errors import malformed

_KINDS = {"FILL": ("fill", "trade_bust", "trade_correct"), "SPLIT": ("split",), "JNLS": ("journal",)}
"""The kinds of ledger rows that each type of activity is made of."""
_ROWS = (
    "SELECT kind, at, execution_id, order_id, symbol, side, qty, price, data FROM ledger"
    " WHERE account_id = %s AND kind = ANY(%s)"
)


async def list_activities(call: Call) -> Response:
    """List FILL and SPLIT activities with after, until, date, direction, page_size and page_token.

    ``page_token`` is the id of the last activity of the page before; paging is by ledger sequence, so it
    neither repeats nor skips executions of the same millisecond. A bust or a correction is a FILL activity
    of its own type, which names the execution that it speaks of; what it speaks of stays listed.
    """
    query = call.request.query_params
    kinds = _wanted(call)
    if not kinds:
        return json_response([])
    direction = fields.query_choice(query, "direction", "desc", ("asc", "desc"))
    limit = fields.count(query, "page_size", 100, 100)
    conditions, values = await _bounds(call, direction)
    async with call.venue.pool.connection() as connection:
        cursor = await connection.execute(
            f"{_ROWS} AND {conditions} ORDER BY seq {direction} LIMIT {limit}",
            (call.account_id, kinds, *values),
        )
        rows = await cursor.fetchall()
    return json_response([_render(call.account_id, *row) for row in rows])


def activity_id(at: datetime, execution_id: UUID) -> str:
    """Return ``YYYYMMDDHHMMSSmmm::execution id``."""
    return f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}::{execution_id}"


def _wanted(call: Call) -> list[str]:
    asked = call.request.path_params.get("kind") or call.request.query_params.get("activity_types", "")
    types = asked.upper().split(",") if asked else list(_KINDS)
    return [kind for name in types for kind in _KINDS.get(name, ())]


async def _bounds(call: Call, direction: str) -> tuple[str, list[Any]]:
    query = call.request.query_params
    conditions, values = ["true"], list[Any]()
    for name, operator in (("after", ">"), ("until", "<")):
        moment = fields.moment(query, name)
        if moment is not None:
            conditions.append(f"at {operator} %s")
            values.append(moment)
    day = fields.moment(query, "date")
    if day is not None:
        conditions.append("at >= %s AND at < %s")
        values += [day, day + timedelta(days=1)]
    token = query.get("page_token")
    if token:
        conditions.append(f"seq {'<' if direction == 'desc' else '>'} %s")
        values.append(await _sequence(call, token))
    return " AND ".join(conditions), values


async def _sequence(call: Call, token: str) -> int:
    try:
        execution_id = UUID(token.rsplit("::", 1)[-1])
    except ValueError as error:
        raise malformed("page_token is invalid") from error
    async with call.venue.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT seq FROM ledger WHERE account_id = %s AND execution_id = %s AND kind = ANY(%s)",
            (call.account_id, execution_id, [kind for kinds in _KINDS.values() for kind in kinds]),
        )
        row = await cursor.fetchone()
    if row is None:
        raise malformed("page_token is invalid")
    return int(row[0])


def _render(
    account_id: UUID, kind: str, at: datetime, execution_id: UUID, order_id: UUID, symbol: str, side: str,
    qty: Any, price: Any, data: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    activity = {"id": activity_id(at, execution_id), "account_id": str(account_id), "symbol": symbol}
    if kind == "split":
        return {**activity, **_split(at, qty, data)}
    if kind == "journal":
        return {**activity, **_journal(at, side, qty, price)}
    is_filled = data["status"] == "filled"
    activity |= {
        "activity_type": "FILL",
        "transaction_time": render.moment(at),
        "type": ("fill" if is_filled else "partial_fill") if kind == "fill" else kind,
        "price": render.number(price),
        "qty": render.number(qty),
        "side": side,
        "leaves_qty": data["leaves_qty"],
        "order_id": str(order_id),
        "cum_qty": data["cum_qty"],
        "order_status": data["status"],
    }
    if kind != "fill":
        activity["previous_execution_id"] = data["previous_execution_id"]
    return activity


def _split(at: datetime, qty: Any, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "activity_type": "SPLIT",
        "date": f"{at:%Y-%m-%d}",
        "net_amount": "0",
        "description": f"{data['new']} for {data['old']}",
        "qty": render.number(qty),
        "per_share_amount": "0",
        "status": "executed",
    }


def _journal(at: datetime, side: str, qty: Any, price: Any) -> dict[str, Any]:
    signed = qty if side == "buy" else -qty
    return {
        "activity_type": "JNLS",
        "date": f"{at:%Y-%m-%d}",
        "net_amount": render.number(-signed * price),
        "qty": render.number(signed),
        "price": render.number(price),
        "status": "executed",
    }
