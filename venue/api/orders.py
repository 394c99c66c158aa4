"""``/v2/orders``."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg.rows import args_row
from starlette.responses import Response

from venue import render
from venue.api import fields, tickets
from venue.api.endpoint import Call, json_response
from venue.engine.placing import Plans
from venue.engine.requests import Ticket
from venue.engine.transaction import LIVE, OPEN, ORDER_COLUMNS
from venue.errors import VenueError, malformed, not_found
from venue.faults import Subject
from venue.models import Order

ALREADY_CANCELED = 'order is already in "canceled" state'
_MAIN = "(leg IN ('', 'entry') OR (order_class = 'oco' AND leg = 'take_profit'))"
_SELECT = f"SELECT {ORDER_COLUMNS} FROM orders WHERE account_id = %s"  # noqa: S608 - names of columns


async def submit_order(call: Call) -> Response:
    """``POST /v2/orders``: accept an order durably, or refuse it."""
    body = call.body()
    try:
        ticket = tickets.parse_ticket(body, call.venue.assets)
    except VenueError as error:
        await call.venue.placing.refuse(call.account_id, tickets.as_given(body), error)
        raise
    placed = await call.venue.placing.place(call.account_id, ticket, _plans(call, ticket))
    return json_response(render.order(placed.order, placed.legs))


def _plans(call: Call, ticket: Ticket) -> Plans:
    """Ask the faults how the orders of a ticket are to be filled, by leg."""
    faults, subject = call.venue.faults, Subject(call.account_id, ticket.symbol, "POST", "/v2/orders")
    is_oco = ticket.order_class == "oco"
    subjects = {"": replace(subject, leg="take_profit" if is_oco else "")}
    if ticket.take_profit is not None and not is_oco:
        subjects["take_profit"] = replace(subject, leg="take_profit", is_main=False)
    if ticket.stop_loss is not None:
        subjects["stop_loss"] = replace(subject, leg="stop_loss", is_main=False)
    return {leg: plan for leg, each in subjects.items() if (plan := faults.fill_plan(each))}


async def get_order(call: Call) -> Response:
    """``GET /v2/orders/{order_id}``."""
    order_id = fields.order_id(call.request.path_params["order_id"])
    orders = await _select(call, "id = %s", [order_id])
    if not orders:
        raise not_found(f"order not found for {order_id}")
    return json_response((await _rendered(call, orders))[0])


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
    return json_response((await _rendered(call, orders))[0])


async def list_orders(call: Call) -> Response:
    """``GET /v2/orders`` with status, limit, after, until, direction, symbols, side and nested."""
    query = call.request.query_params
    status = fields.query_choice(query, "status", "open", ("open", "closed", "all"))
    direction = fields.query_choice(query, "direction", "desc", ("asc", "desc"))
    limit = fields.count(query, "limit", 50, 500)
    conditions, values = [_MAIN if _is_nested(call) else "true"], list[Any]()
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
    return json_response(await _rendered(call, orders))


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
    condition, values = (f"{LIVE} AND symbol = %s", [symbol]) if symbol else (LIVE, [])
    results: list[dict[str, Any]] = []
    for order in await _select(call, condition, values):
        try:
            await call.venue.placing.cancel(call.account_id, order.id)
        except VenueError as error:
            if order.group_id is not None and error.message == ALREADY_CANCELED:
                # It went with another order of its group.
                results.append({"id": str(order.id), "status": 200})
                continue
            # It ended between the list and the cancel.
            results.append({"id": str(order.id), "status": error.status, "body": error.body()})
        else:
            results.append({"id": str(order.id), "status": 200})
    return results


def _is_nested(call: Call) -> bool:
    return call.request.query_params.get("nested", "").lower() == "true"


async def _rendered(call: Call, orders: list[Order]) -> list[dict[str, Any]]:
    """Render orders, with their legs under them if the request asks for that."""
    groups = {order.group_id for order in orders if order.group_id is not None and order.is_main}
    if not groups or not _is_nested(call):
        return [render.order(order) for order in orders]
    legs: defaultdict[UUID | None, list[Order]] = defaultdict(list)
    for leg in await _select(call, f"group_id = ANY(%s) AND NOT {_MAIN} ORDER BY number", [list(groups)]):
        if leg.status != "replaced":
            legs[leg.group_id].append(leg)
    return [
        render.order(order, legs[order.group_id] if order.is_main and order.status != "replaced" else ())
        for order in orders
    ]


async def _select(call: Call, condition: str, values: list[Any]) -> list[Order]:
    async with call.venue.pool.connection() as connection:
        cursor = connection.cursor(row_factory=args_row(Order))
        await cursor.execute(f"{_SELECT} AND {condition}", (call.account_id, *values))
        return await cursor.fetchall()
