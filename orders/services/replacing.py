"""Follow an order that the broker shows as replaced, where no open replace of ours says by what."""

import structlog

from brokers.base import BrokerAdapter
from brokers.types import ExecType, ExecutionReport, OrdStatus
from failpoints import failpoint
from orders.models import AttentionItem, Order
from orders.services.attention import open_item
from orders.services.changes import Origin
from orders.services.executions import Applied, apply_execution_report

log = structlog.get_logger(__name__)

MOST_HOPS = 5
KIND = AttentionItem.Kind.UNMATCHED_REPORT


def follow_replaced(
    order: Order, report: ExecutionReport, *, adapter: BrokerAdapter, origin: Origin
) -> list[Applied]:
    """Ask for the order at the broker that has taken the place of this one, and of that one, and apply what they are.

    A replace that we hold for refused may have been carried out, by a sending before the refused one: the
    broker's new order carries that replace's id, and is taken in. One that is not ours is told of, once, and
    not asked for again. Raises what the adapter raises.
    """
    applied: list[Applied] = []
    for _ in range(MOST_HOPS):
        successor_id = _successor_of(report)
        if successor_id is None or _is_told(order, successor_id):
            break
        failpoint("replaced.before")
        successor = adapter.get_order_by_broker_id(successor_id)
        failpoint("replaced.after")
        if successor is None:
            break
        result = apply_execution_report(successor, account_id=order.account_id, origin=origin)
        if result is None:
            log.error("replaced by an order that is not ours", order=str(order.id), by=successor_id)
            open_item(KIND, order=order, detail=_detail(successor_id))
            break
        applied.append(result)
        report = successor
    return applied


def _successor_of(report: ExecutionReport) -> str | None:
    replaced = report.exec_type is ExecType.REPLACED or report.ord_status is OrdStatus.REPLACED
    return report.replaced_by if replaced and report.replaced_by else None


def _is_told(order: Order, successor_id: str) -> bool:
    items = AttentionItem.objects.filter(kind=KIND, order=order)
    return items.filter(detail=_detail(successor_id)).exists()


def _detail(successor_id: str) -> str:
    return f"replaced at the broker's own site by {successor_id}"
