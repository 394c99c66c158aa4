"""Everything since then: paging through Alpaca's orders and fills."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.alpaca import parse, values
from brokers.alpaca.answers import NotFound
from brokers.alpaca.client import AlpacaClient
from brokers.alpaca.known import KnownOrders
from brokers.errors import OutcomeUnknown
from brokers.types import ExecutionReport

log = logging.getLogger(__name__)

ORDERS_A_PAGE = 500  # the most that GET /v2/orders gives
FILLS_A_PAGE = 100  # the most that GET /v2/account/activities gives
# Above so many unknown orders, one listing is cheaper than a look-up for each.
_LOOK_UPS_AT_MOST = 3
_LISTING_REACHES_BACK = timedelta(days=2)


def list_order_rows(client: AlpacaClient, since: datetime) -> list[Any]:
    """List raw orders submitted at or after ``since``, oldest first, whatever their state.

    Alpaca's ``after`` leaves out its own instant and a page may end between two orders of the
    same one, so each page begins a microsecond before the last row seen and repeats are dropped.
    """
    rows: dict[str, Any] = {}
    after = since
    while True:
        page = values.rows_of(
            client.get(
                "/orders",
                {
                    "status": "all",
                    "direction": "asc",
                    "limit": ORDERS_A_PAGE,
                    "nested": "false",
                    "after": _text(after - timedelta(microseconds=1)),
                },
            )
        )
        fresh = {values.id_of(row): row for row in page if values.id_of(row) not in rows}
        rows.update(fresh)
        if len(page) < ORDERS_A_PAGE:
            return list(rows.values())
        if not fresh:
            raise OutcomeUnknown("the broker's list of orders does not advance")
        after = values.submitted_at_of(page[-1])


def list_fills(client: AlpacaClient, known: KnownOrders, since: datetime) -> list[ExecutionReport]:
    """List fills at or after ``since`` as TRADE reports, oldest first.

    Fills of one millisecond come in any order (github.com/alpacahq/Alpaca-API/issues/170), so
    they are put in the order of their ``cum_qty``. The client order id of a fill is empty where
    the broker has no order of the id that the fill names.
    """
    rows = _fill_rows(client, since)
    _learn_orders(client, known, rows)
    fills = [_fill(known, row) for row in rows]
    return sorted(fills, key=lambda fill: (fill.transact_time, fill.cum_qty or Decimal(0)))


def _fill_rows(client: AlpacaClient, since: datetime) -> list[Any]:
    rows: dict[str, Any] = {}
    # Activity ids carry milliseconds, so that is how finely they can be asked for.
    params = {
        "direction": "asc",
        "page_size": FILLS_A_PAGE,
        "after": _text(since - timedelta(milliseconds=1)),
    }
    while True:
        page = values.rows_of(client.get("/account/activities/FILL", params))
        fresh = {values.id_of(row): row for row in page if values.id_of(row) not in rows}
        rows.update(fresh)
        if len(page) < FILLS_A_PAGE or not fresh:
            return list(rows.values())
        params["page_token"] = values.id_of(page[-1])


def _learn_orders(client: AlpacaClient, known: KnownOrders, rows: list[Any]) -> None:
    unknown = _unknown_orders(known, rows)
    if len(unknown) > _LOOK_UPS_AT_MOST:
        earliest = min(values.fill_time_of(row) for row in rows)
        for row in list_order_rows(client, earliest - _LISTING_REACHES_BACK):
            if values.id_of(row) in unknown:
                known.remember(parse.parse_order(row))
        unknown = _unknown_orders(known, rows)
    for broker_order_id in unknown:
        try:
            known.remember(parse.parse_order(client.get(f"/orders/{broker_order_id}")))
        except NotFound:
            log.warning("a fill names an order that the broker has not: %s", broker_order_id)


def _unknown_orders(known: KnownOrders, rows: list[Any]) -> dict[str, None]:
    """Return each id once, in the order of the fills."""
    ids = dict.fromkeys(values.order_id_of(row) for row in rows)
    return {one: None for one in ids if known.get(one) is None}


def _fill(known: KnownOrders, row: Any) -> ExecutionReport:
    order = known.get(values.order_id_of(row))
    if order is None:
        return parse.parse_fill(row, cl_ord_id="", order_qty=None)
    return parse.parse_fill(row, cl_ord_id=order.cl_ord_id, order_qty=order.order_qty)


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
