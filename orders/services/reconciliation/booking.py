"""Book what nobody has traded, so that a position here is what the broker holds: marked as what it is."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.types import ExecType, ExecutionReport, OrdStatus, OrdType, Side, TimeInForce
from failpoints import failpoint
from orders.models import ReconciliationFinding
from orders.reconciliation import BOOKED
from orders.services.attention import plain_reason
from orders.services.changes import Origin
from orders.services.executions import Applied, apply_execution_reports
from orders.services.positions import lock_position
from orders.services.reconciliation.findings import plain, settle
from orders.services.reconciliation.halts import settle_halt
from orders.services.reconciliation.outside import write_outside_order
from orders.services.retrying import retried

log = structlog.get_logger(__name__)

BOOKED_PREFIX = "reconcile-"
"""Exec ids of what was booked and not traded begin so."""
BOOKED_TEXT = "Booked by the comparison with the broker: no execution there explains it."
PX_PLACES = Decimal("0.000000001")


def book_difference(
    finding: ReconciliationFinding, run_id: int, price: Decimal, origin: Origin, *, word: str = ""
) -> Applied | None:
    """Book a position's finding as an outside order and its execution, and settle it.

    In the caller's transaction, the position's row locked.
    """
    report = _report(finding, run_id, price)
    account = BrokerAccount.objects.get(pk=finding.account_id)
    order = write_outside_order(account, report, origin, reason=BOOKED, text=BOOKED_TEXT)
    applied = apply_execution_reports(
        [replace(report, cl_ord_id=order.cl_ord_id)], account_id=account.pk, origin=origin
    )
    done = f"booked as {report.side} {plain(report.order_qty)} at {plain(price)}, {report.exec_id}"
    finding.order = order
    finding.save(update_fields=["order"])
    settle(finding, f"{word}: {done}" if word else done)
    log.warning("booked what no execution explains", account=account.label, booked=done)
    return applied


@retried
def book_by_operator(
    finding: ReconciliationFinding, operator: AbstractBaseUser, price: Decimal, reason: str
) -> bool:
    """Have a position follow the broker's at an operator's price; False where it is not as it was found any more.

    For a split the price is 0: cash stays as it is, and so does what the trade brings in when all of it is sold.
    Raises ``ReasonRequiredError`` for a blank reason, ``ValueError`` for a price below zero.
    """
    word = f"{operator.get_username()[:90]}: {plain_reason(reason)}"
    if price < 0:
        raise ValueError("A price is never below zero.")
    with transaction.atomic():
        position = lock_position(finding.user_id, finding.account_id, finding.symbol)
        finding = ReconciliationFinding.objects.select_for_update(of=("self",)).get(pk=finding.pk)
        if finding.resolved_at is not None or finding.their_qty is None or position.qty != finding.our_qty:
            return False
        finding.resolved_by_id = operator.pk
        finding.save(update_fields=["resolved_by"])
        book_difference(finding, finding.last_run_id, price, Origin("operator"), word=word)
        label = finding.account.label
        settle_halt(user_id=finding.user_id, account_id=finding.account_id, label=label)
        failpoint("reconcile.book.before_commit")
    failpoint("reconcile.book.after_commit")
    return True


def _report(finding: ReconciliationFinding, run_id: int, price: Decimal) -> ExecutionReport:
    if finding.our_qty is None or finding.their_qty is None:
        raise ValueError(f"finding {finding.pk} is of no position")
    difference = finding.their_qty - finding.our_qty
    quantity = abs(difference)
    return ExecutionReport(
        exec_type=ExecType.TRADE,
        ord_status=OrdStatus.FILLED,
        cl_ord_id="",
        broker_order_id="",
        symbol=finding.symbol,
        side=Side.BUY if difference > 0 else Side.SELL,
        order_qty=quantity,
        transact_time=timezone.now(),
        exec_id=f"{BOOKED_PREFIX}{run_id}-{finding.symbol}"[:64],
        last_qty=quantity,
        last_px=price.quantize(PX_PLACES, ROUND_HALF_EVEN),
        cum_qty=quantity,
        ord_type=OrdType.MARKET,
        time_in_force=TimeInForce.DAY,
    )
