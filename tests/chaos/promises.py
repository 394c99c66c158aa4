"""Hold what senders were told against what is recorded: every 2xx has its order, every 409 names one, none is twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tests.chaos.books import Books, Row, by
from tests.chaos.requests import Sent


def broken_promises(books: Books, sent: Iterable[Sent]) -> list[str]:
    """Return a line for every request that was accepted and is not recorded as its answer says."""
    signals: defaultdict[tuple[int, str], set[Any]] = defaultdict(set)
    for row in books.signals:
        signals[row["user_id"], row["alert_id"]].add(row["id"])
    orders = {str(row["id"]): row for row in books.orders}
    changed = {(str(row["order_id"]), row["kind"].lower()) for row in books.requests}
    lines = []
    for request in sent:
        if not request.accepted:
            continue
        if why := _broken(request, signals, orders, changed):
            lines.append(f"{request.kind} {request.key} was answered {request.status}, {why}")
    return lines


def _broken(
    request: Sent,
    signals: Mapping[tuple[int, str], set[Any]],
    orders: dict[str, Row],
    changed: set[tuple[str, str]],
) -> str:
    owner = (request.user_id, request.key)
    if request.kind in ("flatten", "reconcile"):
        return ""  # they promise no order: what was held, and what differs, the books say
    if request.kind in ("cancel", "replace"):
        # Not by its key: a cancel of an order that has an open one is answered with that one.
        return "" if (request.target, request.kind) in changed else "no such request is recorded"
    if request.kind == "alert" and owner not in signals:
        return "no signal is recorded"
    for order_id in request.order_ids:
        order = orders.get(order_id)
        if order is None or order["user_id"] != request.user_id:
            return f"order {order_id} does not exist"
        if request.kind == "alert" and order["signal_id"] not in signals[owner]:
            return f"order {order_id} is of another alert"
        if request.kind == "order" and order["idempotency_key"] != request.key:
            return f"order {order_id} has another key"
    return "" if request.order_ids or request.kind == "alert" else "and names no order"


def false_conflicts(books: Books, sent: Iterable[Sent]) -> list[str]:
    """Return a line for every 409 that names no order that exists; an alert with nothing to close has none."""
    orders = {str(row["id"]) for row in books.orders}
    signals = {(row["user_id"], row["alert_id"]): str(row["id"]) for row in books.signals}
    with_orders = {str(row["signal_id"]) for row in books.orders if row["signal_id"]}
    lines = []
    for request in sent:
        if request.status != 409:
            continue
        if request.order_ids or request.kind in (
            "cancel",
            "replace",
        ):  # which may be refused for the order's state
            wrong = [order_id for order_id in request.order_ids if order_id not in orders]
        else:
            signal = signals.get((request.user_id, request.key))
            wrong = ["none"] if signal is None or signal in with_orders else []
        lines += [f"{request.kind} {request.key} met 409 and order {order_id}" for order_id in wrong]
    return lines


def done_twice(books: Books, sent: Iterable[Sent]) -> list[str]:
    """Return a line for everything that was asked once, however often it was sent, and is recorded twice."""
    lines = [
        f"alert {alert_id} has {len(rows)} signals"
        for (_, alert_id), rows in by(books.signals, "strategy_id", "alert_id").items()
        if len(rows) > 1
    ]
    of_signals = by((row for row in books.orders if row["signal_id"]), "signal_id", "account_id")
    lines += [
        f"signal {signal} has {len(rows)} orders" for (signal, _), rows in of_signals.items() if len(rows) > 1
    ]
    for rows in (books.orders, books.requests):
        keyed = by((row for row in rows if row["idempotency_key"]), "user_id", "idempotency_key")
        lines += [
            f"key {key} was used {len(found)} times" for (_, key), found in keyed.items() if len(found) > 1
        ]
    named: defaultdict[tuple[str, int, str], set[str]] = defaultdict(set)
    for request in sent:
        if request.kind in ("alert", "order") and (request.accepted or request.status == 409):
            named[request.kind, request.user_id, request.key].update(request.order_ids)
    lines += [
        f"{kind} {key} was answered with {ids}" for (kind, _, key), ids in named.items() if len(ids) > 1
    ]
    return lines


def changed_ids(books: Books, sent: Iterable[Sent]) -> list[str]:
    """Return a line for every order whose client order id is not the one that its sender was told."""
    orders = {str(row["id"]): row["cl_ord_id"] for row in books.orders}
    told = {
        (order_id, cl_ord_id)
        for request in sent
        if request.accepted and request.kind in ("alert", "order")
        for order_id, cl_ord_id in request.cl_ord_ids.items()
    }
    return [
        f"order {order_id} was {cl_ord_id} and is {orders[order_id]}"
        for order_id, cl_ord_id in sorted(told)
        if orders.get(order_id, cl_ord_id) != cl_ord_id
    ]
