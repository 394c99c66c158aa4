"""Follow an order that the broker shows as replaced, where no open replace of ours says by what."""

import structlog

from brokers.base import BrokerAdapter
from brokers.types import ExecType, ExecutionReport, OrdStatus
from failpoints import failpoint
from orders.models import Order
from orders.services.changes import Origin
from orders.services.executions import Applied, apply_execution_report

log = structlog.get_logger(__name__)

MOST_HOPS = 5


def follow_replaced(
    order: Order, report: ExecutionReport, *, adapter: BrokerAdapter, origin: Origin
) -> list[Applied]:
    """Ask for the order at the broker that has taken the place of this one, and of that one, and apply what they are.

    A replace that we hold for refused may have been carried out, by a sending before the refused one: the
    broker's new order carries that replace's id, and is taken in. Of one that is not ours the account is to be
    compared with its broker. Raises what the adapter raises.
    """
    applied: list[Applied] = []
    for _ in range(MOST_HOPS):
        successor_id = _successor_of(report)
        if successor_id is None:
            break
        failpoint("replaced.before")
        successor = adapter.get_order_by_broker_id(successor_id)
        failpoint("replaced.after")
        if successor is None:
            break
        result = apply_execution_report(successor, account_id=order.account_id, origin=origin)
        if result is None:  # somebody else's terms: the comparing that was asked for takes them over
            log.warning("replaced at the broker's own site", order=str(order.id), by=successor_id)
            break
        applied.append(result)
        report = successor
    return applied


def _successor_of(report: ExecutionReport) -> str | None:
    replaced = report.exec_type is ExecType.REPLACED or report.ord_status is OrdStatus.REPLACED
    return report.replaced_by if replaced and report.replaced_by else None
