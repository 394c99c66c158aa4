"""The rows of fills: each counts once, however often and under whichever name a broker tells it."""

from django.db import connection

from brokers.types import ExecType, ExecutionReport
from orders.models import Execution
from orders.services.changes import Change
from orders.services.links import is_twin


def write_execution(change: Change, report: ExecutionReport) -> bool:
    """Insert the execution; return False where this account already has it."""
    if not report.exec_id:
        raise ValueError(f"a {report.exec_type} report without an exec id")
    order = change.order
    row = Execution(
        user_id=order.user_id,
        account_id=order.account_id,
        order=order,
        exec_id=report.exec_id,
        exec_ref_id=report.exec_ref_id or "",
        exec_type=report.exec_type,
        symbol=order.symbol,
        side=order.side,
        last_qty=report.last_qty or 0,
        last_px=report.last_px or 0,
        cum_qty=report.cum_qty,
        fee=report.commission or 0,
        transact_time=report.transact_time,
    )
    # The order's row is locked and an exec id belongs to one order, so looking first is no race.
    known = _is_known(change, report)
    if not known:
        change.record_execution(row)
    return not known


KNOWN_AS = """
SELECT exec_id FROM orders_execution WHERE account_id = %(account)s AND exec_id = %(exec_id)s
UNION ALL
SELECT exec_id FROM orders_execution
WHERE %(by_total)s AND account_id = %(account)s AND order_id = %(order)s AND exec_type = 'TRADE'
  AND cum_qty = %(cum_qty)s AND last_qty = %(last_qty)s AND last_px = %(last_px)s
"""


def _is_known(change: Change, report: ExecutionReport) -> bool:
    """Say whether this is a fill that we have: by its exec id, or by the broker's own running total.

    The second guards against a broker whose stream and history name a fill differently: two fills of one order never
    leave the same total behind with the same quantity and price, but where the first was busted, or where the broker
    has two orders of one id.
    """
    order = change.order
    by_total = (
        report.exec_type is ExecType.TRADE and report.cum_qty is not None and not is_twin(order, report)
    )
    values = {
        "account": order.account_id,
        "exec_id": report.exec_id,
        "order": order.id,
        "by_total": by_total,
        "cum_qty": report.cum_qty or 0,
        "last_qty": report.last_qty or 0,
        "last_px": report.last_px or 0,
    }
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_AS, values)
        found = [exec_id for (exec_id,) in cursor.fetchall()]
    counted = {name for fill in change.state.fills for name in (fill.exec_id, *fill.supersedes)}
    return any(exec_id == report.exec_id or exec_id in counted for exec_id in found)
