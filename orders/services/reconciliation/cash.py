"""Compare cash: what the broker shows against what there was at first and what the fills have brought in since."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce

from orders.models import AttentionItem, Execution, Position, ReconciliationFinding, ReconciliationRun
from orders.reconciliation import TheirBooks, cash_difference
from orders.services.attention import open_item, settle_items
from orders.services.reconciliation.booking import BOOKED_PREFIX
from orders.services.reconciliation.findings import Kind, note_open, plain, settle_gone
from orders.services.reconciliation.positions import moving_symbols

DIFFERING = (Kind.POSITION_DIFFERS, Kind.CORPORATE_ACTION, Kind.ORDER_MISSING)


def compare_cash(run: ReconciliationRun, books: TheirBooks) -> None:
    """Compare the account's cash where positions agree; a difference is told of and halts nothing.

    The first comparison only says what there was. So does the first one after something was booked that was not
    traded, and after an operator has accepted a difference (a deposit, a dividend, a fee): from there on everything
    is explained again. Sets the run's columns; its caller saves them.
    """
    run.broker_cash = books.cash
    run.booked_cash = _booked(run)
    if moving_symbols(run, books) or _open(run).filter(kind__in=DIFFERING).exists():
        return
    base = _base_of(run)
    if base is None:
        run.is_cash_base = True
        settle_gone(run, Kind.CASH_DIFFERS)
    else:
        difference = cash_difference(
            base=base, booked=run.booked_cash, theirs=books.cash, tolerance=settings.RECONCILE_CASH_TOLERANCE
        )
        if difference is None:
            settle_gone(run, Kind.CASH_DIFFERS)
        else:
            _tell(run, base + run.booked_cash, difference)
    if not ReconciliationFinding.objects.filter(
        user=run.user_id, kind=Kind.CASH_DIFFERS, resolved_at__isnull=True
    ).exists():
        kind = AttentionItem.Kind.CASH_DIFFERS
        settle_items(kind, user_id=run.user_id, resolution="The cash agrees again.")


def _tell(run: ReconciliationRun, expected: Decimal, difference: Decimal) -> None:
    ours, theirs = plain(round(expected, 6)), plain(run.broker_cash or Decimal(0))
    noted = note_open(
        run, Kind.CASH_DIFFERS, ours=ours, theirs=theirs, done="told of; nothing is halted for cash alone"
    )
    if noted is not None:
        detail = f"{run.account.label}: {theirs} at the broker, {ours} by its fills: {plain(difference)} more"
        open_item(AttentionItem.Kind.CASH_DIFFERS, user_id=run.user_id, detail=detail)


def _booked(run: ReconciliationRun) -> Decimal:
    positions = Position.objects.filter(account=run.account_id)
    total: Decimal = positions.aggregate(total=Coalesce(Sum("cash"), Decimal(0)))["total"]
    return total


def _base_of(run: ReconciliationRun) -> Decimal | None:
    """Return the cash that no fill has brought in, by the run that told it last; None where it is to be told anew."""
    base = ReconciliationRun.objects.filter(account=run.account_id, is_cash_base=True).order_by("-id").first()
    if base is None or base.broker_cash is None or base.booked_cash is None:
        return None
    booked_since = Execution.objects.filter(
        account=run.account_id, exec_id__startswith=BOOKED_PREFIX, recorded_at__gt=base.started_at
    )
    accepted_since = ReconciliationFinding.objects.filter(
        account=run.account_id,
        kind=Kind.CASH_DIFFERS,
        resolved_by__isnull=False,
        resolved_at__gt=base.started_at,
    )
    if booked_since.exists() or accepted_since.exists():
        return None
    return base.broker_cash - base.booked_cash


def _open(run: ReconciliationRun) -> QuerySet[ReconciliationFinding]:
    return ReconciliationFinding.objects.filter(account=run.account_id, resolved_at__isnull=True)
