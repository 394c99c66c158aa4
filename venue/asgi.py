"""The ASGI application: ``uvicorn venue.asgi:application``, one process for one database."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from venue import admin, control, control_trades
from venue.admin import AdminHandler
from venue.api import account, activities, data, orders, positions
from venue.api.endpoint import endpoint, error_response, json_response
from venue.engine.engine import TRANSIENT
from venue.errors import VenueError, unavailable
from venue.runtime import Venue
from venue.settings import Settings, load_settings
from venue.stream import stream_endpoint


async def healthz(request: Request) -> Response:
    """``GET /healthz``: 200 when the venue and its database answer."""
    venue: Venue = request.app.state.venue
    try:
        async with venue.pool.connection(timeout=1.0) as connection:
            await connection.execute("SELECT 1")
    except TRANSIENT:
        return error_response(unavailable())
    return json_response({"status": "ok", "resting": len(venue.engine.book), "streams": venue.hub.count()})


V2_ROUTES = [
    Route("/v2/orders", endpoint(orders.submit_order), methods=["POST"]),
    Route("/v2/orders", endpoint(orders.list_orders), methods=["GET"]),
    Route("/v2/orders", endpoint(orders.cancel_all_orders), methods=["DELETE"]),
    Route("/v2/orders:by_client_order_id", endpoint(orders.get_order_by_client_order_id), methods=["GET"]),
    Route("/v2/orders/{order_id}", endpoint(orders.get_order), methods=["GET"]),
    Route("/v2/orders/{order_id}", endpoint(orders.replace_order), methods=["PATCH"]),
    Route("/v2/orders/{order_id}", endpoint(orders.cancel_order), methods=["DELETE"]),
    Route("/v2/positions", endpoint(positions.list_positions), methods=["GET"]),
    Route("/v2/positions", endpoint(positions.close_all_positions), methods=["DELETE"]),
    Route("/v2/positions/{symbol}", endpoint(positions.get_position), methods=["GET"]),
    Route("/v2/positions/{symbol}", endpoint(positions.close_position), methods=["DELETE"]),
    Route("/v2/account", endpoint(account.get_account), methods=["GET"]),
    Route("/v2/account/configurations", endpoint(account.get_configurations), methods=["GET"]),
    Route("/v2/account/activities", endpoint(activities.list_activities), methods=["GET"]),
    Route("/v2/account/activities/{kind}", endpoint(activities.list_activities), methods=["GET"]),
    Route("/v2/clock", endpoint(account.get_clock), methods=["GET"]),
    Route("/v2/calendar", endpoint(account.get_calendar), methods=["GET"]),
    Route("/v2/assets", endpoint(account.list_assets), methods=["GET"]),
    Route("/v2/assets/{symbol}", endpoint(account.get_asset), methods=["GET"]),
    Route("/v2/stocks/quotes/latest", endpoint(data.latest_quotes), methods=["GET"]),
    Route("/v2/stocks/{symbol}/quotes/latest", endpoint(data.latest_quote), methods=["GET"]),
    WebSocketRoute("/stream", stream_endpoint),
]

ADMIN_ROUTES = [
    Route("/admin/accounts", admin.admin_endpoint(admin.create_accounts), methods=["POST"]),
    Route("/admin/ledger", admin.admin_endpoint(admin.read_ledger), methods=["GET"]),
]


def _control(path: str, handler: AdminHandler, method: str = "POST") -> Route:
    return Route(f"/control/{path}", admin.admin_endpoint(handler), methods=[method])


CONTROL_ROUTES = [
    _control("fills/{execution_id}/bust", control_trades.bust_fill),
    _control("fills/{execution_id}/correct", control_trades.correct_fill),
    _control("orders", control_trades.place_outside_order),
    _control("positions/close", control_trades.close_outside),
    _control("positions/journal", control_trades.journal_position),
    _control("halts", control_trades.set_halt),
    _control("bands", control_trades.set_band),
    _control("assets", control_trades.set_asset_flags),
    _control("splits", control_trades.split_symbol),
    _control("prices", control.set_price),
    _control("market", control.move_market),
    _control("faults", control.add_fault),
    _control("faults", control.list_faults, "GET"),
    _control("faults", control.clear_faults, "DELETE"),
    _control("faults/{rule_id}", control.clear_faults, "DELETE"),
    _control("streams/disconnect", control.disconnect_streams),
    _control("accounts/{account_id}", control.set_account_flags, "PATCH"),
]


def build_application(settings: Settings) -> ASGIApp:
    """Return the application for some settings."""
    venue = Venue(settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await venue.start()
        try:
            yield
        finally:
            await venue.stop()

    routes = [
        Route("/healthz", healthz),
        *V2_ROUTES,
        *ADMIN_ROUTES,
        *(CONTROL_ROUTES if settings.control else []),
    ]
    handlers = {HTTPException: _http_error, Exception: _internal_error}
    starlette = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    starlette.state.venue = venue

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        # Only here is ``send`` still the server's own, whose socket a fault may have to cut.
        if scope["type"] == "http":
            scope["venue.abort"] = lambda: _abort(send)
        await starlette(scope, receive, send)

    return application


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_response(VenueError(status, status * 100_000 + 10_000, "endpoint not found"))


async def _internal_error(request: Request, error: Exception) -> Response:
    # The server logs the traceback; the client learns only that the outcome is unknown.
    return error_response(VenueError(500, 50010000, "internal server error occurred"))


def _abort(send: Send) -> None:
    """Cut the client's connection.

    ASGI has no word for it; uvicorn's ``send`` is a method of the object that holds the transport.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("this server cannot cut a connection; run the venue under uvicorn")
    transport.abort()


application = build_application(load_settings())
