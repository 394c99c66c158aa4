"""The desk's side of the books."""

from __future__ import annotations

import uuid
from collections import defaultdict

from django.db.models import F

from brokers.models import BrokerAccount
from brokers.types import ExecType
from orders.ledger.rows import DeskFill, DeskHolding, DeskOrder
from orders.models import Execution, Order, OrderRequest, OutsideId, Position

_COLUMNS = (
    "id",
    "cl_ord_id",
    "account__external_id",
    "symbol",
    "side",
    "order_qty",
    "ord_status",
    "cum_qty",
    "avg_px",
    "broker_order_id",
    "reason",
    "text",
    "recorded_at",
    "eligible_at",
)

PAPER = (BrokerAccount.Broker.PAPER, BrokerAccount.Broker.PAPER_C)


def paper_account_ids() -> list[str]:
    """Return the exchange's ids of the desk's paper accounts."""
    accounts = BrokerAccount.objects.filter(broker__in=PAPER)
    return sorted(text for text in accounts.values_list("external_id", flat=True) if _is_uuid(text))


def desk_orders() -> list[DeskOrder]:
    """Return every order on paper accounts, oldest first."""
    rows = Order.objects.filter(account__broker__in=PAPER).order_by("id")
    fills, links = _surviving_fills(), _links()
    orders = []
    for row in rows.values(*_COLUMNS).iterator(chunk_size=2000):
        order_id, account_id = row.pop("id"), row.pop("account__external_id")
        text = row.pop("text")
        row["reason"] = row["reason"] or text
        row["fills"] = frozenset(fills.get(order_id, {}).values())
        row["links"] = tuple(links.get(order_id, ()))
        orders.append(DeskOrder(order_id=str(order_id), account_id=account_id, **row))
    return orders


def desk_holdings() -> list[DeskHolding]:
    """Return every position on paper accounts, flat ones too."""
    rows = Position.objects.filter(account__broker__in=PAPER)
    columns = rows.values_list("account__external_id", "symbol", "qty", "cash", "fees")
    return [
        DeskHolding(account_id, symbol, qty, cash + fees) for account_id, symbol, qty, cash, fees in columns
    ]


def _surviving_fills() -> dict[uuid.UUID, dict[str, DeskFill]]:
    """Return the fills that count, by order and exec id: a correction or bust removes what it names."""
    rows = Execution.objects.filter(account__broker__in=PAPER).order_by("id")
    fills: defaultdict[uuid.UUID, dict[str, DeskFill]] = defaultdict(dict)
    columns = ("order_id", "exec_type", "exec_id", "exec_ref_id", "last_qty", "last_px")
    for order_id, exec_type, exec_id, ref_id, qty, px in rows.values_list(*columns).iterator(chunk_size=2000):
        if ref_id:
            fills[order_id].pop(ref_id, None)
        if exec_type != ExecType.TRADE_CANCEL:
            fills[order_id][exec_id] = DeskFill(exec_id, qty, px)
    return fills


def _links() -> dict[uuid.UUID, list[str]]:
    """Return the further client order ids of orders at the exchange, by order.

    Those of the replaces that may have reached it, and those that somebody else has chosen: the exchange for the stop
    of an OCO, whoever ordered for what came from outside.
    """
    rows = OrderRequest.objects.filter(kind=OrderRequest.Kind.REPLACE, attempt__gt=0).order_by("id")
    links: defaultdict[uuid.UUID, list[str]] = defaultdict(list)
    for order_id, cl_ord_id in rows.values_list("order_id", "cl_ord_id").iterator(chunk_size=2000):
        links[order_id].append(cl_ord_id)
    stops = Order.objects.filter(sent_with__isnull=False).exclude(working_cl_ord_id=F("cl_ord_id"))
    for order_id, name in stops.values_list("id", "working_cl_ord_id").iterator(chunk_size=2000):
        links[order_id].append(name)
    for order_id, cl_ord_id in OutsideId.objects.order_by("id").values_list("order_id", "cl_ord_id"):
        links[order_id].append(cl_ord_id)
    return links


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
