"""Halt an account's entries while its books differ from the broker's; exits go on."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from failpoints import failpoint
from orders.models import AccountHalt, AttentionItem, ReconciliationFinding
from orders.services.attention import open_item, plain_reason, settle_items
from orders.services.reconciliation.findings import Kind
from orders.services.retrying import retried

HALTING = (Kind.POSITION_DIFFERS, Kind.CORPORATE_ACTION, Kind.ORDER_MISSING)
"""What halts entries for as long as it is open. Cash alone does not."""


def settle_halt(*, user_id: int, account_id: uuid.UUID, label: str) -> bool:
    """Have the account halted exactly while something is open that nothing explains; return whether it is.

    In the caller's transaction. Calling it twice changes nothing.
    """
    findings = list(
        ReconciliationFinding.objects.filter(
            account=account_id, kind__in=HALTING, resolved_at__isnull=True
        ).order_by("id")
    )
    halt = AccountHalt.objects.filter(account=account_id, lifted_at__isnull=True).first()
    if findings and halt is None:
        reason = "; ".join(f"{one}: {one.ours} here, {one.theirs} at the broker" for one in findings)[:500]
        AccountHalt.objects.create(
            user_id=user_id, account_id=account_id, reason=reason, since=timezone.now()
        )
        open_item(AttentionItem.Kind.DRIFT_HALT, user_id=user_id, detail=f"{label}: {reason}")
    elif halt is not None and not findings:
        _lift(halt, "Everything was explained.", operator=None)
    return bool(findings)


@retried
def lift_halt(halt: AccountHalt, operator: AbstractBaseUser, reason: str) -> bool:
    """Let an account trade again in an operator's name; False where its halt was lifted before.

    What it was halted for is accepted as it is: only another difference halts the account again. Raises
    ``ReasonRequiredError`` for a blank reason.
    """
    resolution = f"{operator.get_username()[:90]}: {plain_reason(reason)}"
    with transaction.atomic():
        halt = AccountHalt.objects.select_for_update(of=("self",)).get(pk=halt.pk)
        if halt.lifted_at is not None:
            return False
        ReconciliationFinding.objects.filter(
            account=halt.account_id, kind__in=HALTING, resolved_at__isnull=True
        ).update(resolved_at=timezone.now(), resolved_by=operator.pk, resolution=resolution)
        _lift(halt, resolution, operator=operator)
        failpoint("reconcile.lift.before_commit")
    failpoint("reconcile.lift.after_commit")
    return True


def _lift(halt: AccountHalt, reason: str, *, operator: AbstractBaseUser | None) -> None:
    halt.lifted_at, halt.lift_reason = timezone.now(), reason[:500]
    halt.lifted_by_id = operator.pk if operator else None
    halt.save(update_fields=["lifted_at", "lifted_by", "lift_reason"])
    others = AccountHalt.objects.filter(user=halt.user_id, lifted_at__isnull=True)
    if not others.exists():
        settle_items(AttentionItem.Kind.DRIFT_HALT, user_id=halt.user_id, resolution=reason)
