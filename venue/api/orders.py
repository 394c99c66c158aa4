"""``/v2/orders``."""

from __future__ import annotations

from typing import Any

from psycopg.rows import args_row
from starlette.responses import Response

from venue import render
from venue.api import fields, tickets
from venue.api.endpoint import Call, json_response
from venue.engine.transaction import OPEN, ORDER_COLUMNS
from venue.errors import VenueError, malformed, not_found
from venue.faults import Subject
from venue.models import Order

_SELECT = f"SELECT {ORDER_COLUMNS} FROM orders WHERE account_id = %s"  # noqa: S608 - names of columns


async def submit_order(call: Call) -> Response:
    """``POST /v2/orders``: accept an order durably, or refuse it."""
    body = call.body()
    try:
        ticket = tickets.parse_ticket(body, call.venue.assets)
    except VenueError as error:
        await call.venue.placing.refuse(call.account_id, tickets.as_given(body), error)
        raise
    plan = call.venue.faults.fill_plan(Subject(call.account_id, ticket.symbol, "POST", "/v2/orders"))
    order = await call.venue.placing.place(call.account_id, ticket, plan)
    return json_response(render.order(order))


async def get_order(call: Call) -> Response:
    """``GET /v2/orders/{order_id}``."""
    order_id = fields.order_id(call.request.path_params["order_id"])
    orders = await _select(call, "id = %s", [order_id])
    if not orders:
        raise not_found(f"order not found for {order_id}")
    return json_response(render.order(orders[0]))


async def get_order_by_client_order_id(call: Call) -> Response:
    """``GET /v2/orders:by_client_order_id``; the newest one where an account may repeat ids."""
    client_order_id = call.request.query_params.get("client_order_id", "")
    if not client_order_id:
        raise malformed("client_order_id is required")
    orders = []
    if "\0" not in client_order_id:
        orders = await _select(call, "client_order_id = %s ORDER BY number DESC LIMIT 1", [client_order_id])
    if not orders:
        raise not_found(f"order not found for {client_order_id[:128]}")
    return json_response(render.order(orders[0]))


async def list_orders(call: Call) -> Response:
    """``GET /v2/orders`` with status, limit, after, until, direction, symbols, side and nested."""
    query = call.request.query_params
    status = fields.query_choice(query, "status", "open", ("open", "closed", "all"))
    direction = fields.query_choice(query, "direction", "desc", ("asc", "desc"))
    limit = fields.count(query, "limit", 50, 500)
    conditions, values = ["true"], list[Any]()
    if status != "all":
        conditions.append(OPEN if status == "open" else f"NOT ({OPEN})")
    for name, operator in (("after", ">"), ("until", "<")):
        moment = fields.moment(query, name)
        if moment is not None:
            conditions.append(f"submitted_at {operator} %s")
            values.append(moment)
    if query.get("symbols"):
        conditions.append("symbol = ANY(%s)")
        values.append([symbol.strip() for symbol in query["symbols"].replace("\0", "").split(",")])
    if query.get("side"):
        conditions.append("side = %s")
        values.append(fields.query_choice(query, "side", "", ("buy", "sell")))
    tail = f"ORDER BY submitted_at {direction}, number {direction} LIMIT {limit}"
    orders = await _select(call, f"{' AND '.join(conditions)} {tail}", values)
    return json_response([render.order(order) for order in orders])


async def cancel_order(call: Call) -> Response:
    """``DELETE /v2/orders/{order_id}``: 204 when it was open."""
    await call.venue.placing.cancel(call.account_id, fields.order_id(call.request.path_params["order_id"]))
    return Response(status_code=204)


async def cancel_all_orders(call: Call) -> Response:
    """``DELETE /v2/orders``: 207 with a status for each order that was open."""
    return json_response(await cancel_open_orders(call), 207)


async def replace_order(call: Call) -> Response:
    """``PATCH /v2/orders/{order_id}``: the new order, which has a new id."""
    order_id = fields.order_id(call.request.path_params["order_id"])
    amendment = tickets.parse_amendment(call.body())
    order = await call.venue.placing.replace(call.account_id, order_id, amendment)
    return json_response(render.order(order))


async def cancel_open_orders(call: Call, symbol: str | None = None) -> list[dict[str, Any]]:
    """Cancel every open order of the account, or those of one symbol, and report on each."""
    condition, values = (f"{OPEN} AND symbol = %s", [symbol]) if symbol else (OPEN, [])
    results: list[dict[str, Any]] = []
    for order in await _select(call, condition, values):
        try:
            await call.venue.placing.cancel(call.account_id, order.id)
        except VenueError as error:
            # It ended between the list and the cancel.
            results.append({"id": str(order.id), "status": error.status, "body": error.body()})
        else:
            results.append({"id": str(order.id), "status": 200})
    return results


async def _select(call: Call, condition: str, values: list[Any]) -> list[Order]:
    async with call.venue.pool.connection() as connection:
        cursor = connection.cursor(row_factory=args_row(Order))
        await cursor.execute(f"{_SELECT} AND {condition}", (call.account_id, *values))
        return await cursor.fetchall()
