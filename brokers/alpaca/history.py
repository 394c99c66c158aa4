"""Everything since then: paging through Alpaca's orders and fills."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from brokers.alpaca import parse, values
from brokers.alpaca.answers import NotFound
from brokers.alpaca.client import AlpacaClient
from brokers.alpaca.known import KnownOrders
from brokers.errors import OutcomeUnknown
from brokers.types import ExecutionReport

log = logging.getLogger(__name__)

Fact = TypeVar("Fact")

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


def readable(rows: Iterable[Any], read: Callable[[Any], Fact]) -> list[Fact]:
    """Read each row by ``read``; one that cannot be read is logged and left out, and hides none of the others."""
    facts = []
    for row in rows:
        try:
            facts.append(read(row))
        except values.UnreadableFact as error:
            log.warning("a row of the broker's cannot be read, it is left out: %s", error)
    return facts


def list_fills(client: AlpacaClient, known: KnownOrders, since: datetime) -> list[ExecutionReport]:
    """List fills, their corrections and busts at or after ``since``, oldest first.

    Fills of one millisecond come in any order (github.com/alpacahq/Alpaca-API/issues/170), so
    they are put in the order of their ``cum_qty``, before what undoes one of them. The client
    order id of a fill is empty where the broker has no order of the id that the fill names; a fill
    of an order that is there and cannot be read is left out like one that cannot be read itself.
    """
    rows = list_activity_rows(client, "FILL", since)
    fills = readable(rows, lambda row: parse.parse_fill(row, cl_ord_id="", order_qty=None))
    strange = _learn_orders(client, known, fills)
    owned = [_of_its_order(known, fill) for fill in fills if fill.broker_order_id not in strange]
    return sorted(owned, key=_turn)


def _turn(fill: ExecutionReport) -> tuple[datetime, bool, Decimal]:
    return fill.transact_time, fill.exec_ref_id is not None, fill.cum_qty or Decimal(0)


def list_activity_rows(client: AlpacaClient, kind: str, since: datetime) -> list[Any]:
    """List the raw activities of one type at or after ``since``, oldest first."""
    rows: dict[str, Any] = {}
    # Activity ids carry milliseconds, so that is how finely they can be asked for.
    params = {
        "direction": "asc",
        "page_size": FILLS_A_PAGE,
        "after": _text(since - timedelta(milliseconds=1)),
    }
    while True:
        page = values.rows_of(client.get(f"/account/activities/{kind}", params))
        fresh = {values.id_of(row): row for row in page if values.id_of(row) not in rows}
        rows.update(fresh)
        if len(page) < FILLS_A_PAGE or not fresh:
            return list(rows.values())
        params["page_token"] = values.id_of(page[-1])


def _learn_orders(client: AlpacaClient, known: KnownOrders, fills: list[ExecutionReport]) -> set[str]:
    """Get to know the orders of these fills; return the broker's ids of those that cannot be read."""
    unknown = _unknown_orders(known, fills)
    if len(unknown) > _LOOK_UPS_AT_MOST:
        earliest = min(fill.transact_time for fill in fills)
        rows = list_order_rows(client, earliest - _LISTING_REACHES_BACK)
        for report in readable((row for row in rows if values.id_of(row) in unknown), parse.parse_order):
            known.remember(report)
        unknown = _unknown_orders(known, fills)
    strange = set()
    for broker_order_id in unknown:
        try:
            row = client.get(f"/orders/{broker_order_id}")
        except NotFound:
            log.warning("a fill names an order that the broker has not: %s", broker_order_id)
            continue
        reports = readable([row], parse.parse_order)
        for report in reports:
            known.remember(report)
        if not reports:
            strange.add(broker_order_id)
    return strange


def _unknown_orders(known: KnownOrders, fills: list[ExecutionReport]) -> dict[str, None]:
    """Return each id once, in the order of the fills."""
    ids = dict.fromkeys(fill.broker_order_id for fill in fills)
    return {one: None for one in ids if known.get(one) is None}


def _of_its_order(known: KnownOrders, fill: ExecutionReport) -> ExecutionReport:
    order = known.get(fill.broker_order_id)
    return fill if order is None else replace(fill, cl_ord_id=order.cl_ord_id, order_qty=order.order_qty)


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
