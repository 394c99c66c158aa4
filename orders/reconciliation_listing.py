"""What pages show of the comparisons of a trader's accounts with their brokers."""

from __future__ import annotations

from dataclasses import dataclass

from brokers.models import BrokerAccount
from orders.models import AccountHalt, Errand, ReconciliationFinding, ReconciliationRun

MOST_FINDINGS = 50


@dataclass(frozen=True, slots=True)
class ComparedAccount:
    """One account: its last comparison, what halts it, whether it waits to be compared, and its latest findings."""

    account: BrokerAccount
    last: ReconciliationRun | None
    halt: AccountHalt | None
    waiting: Errand | None
    findings: list[ReconciliationFinding]


def compared_accounts(user_id: int) -> list[ComparedAccount]:
    """Return the trader's accounts by label."""
    accounts = BrokerAccount.objects.filter(user=user_id).defer("sealed_credentials").order_by("label")
    return [_compared(account) for account in accounts]


def _compared(account: BrokerAccount) -> ComparedAccount:
    runs = ReconciliationRun.objects.filter(account=account, finished_at__isnull=False)
    findings = ReconciliationFinding.objects.filter(account=account).order_by("-id")
    return ComparedAccount(
        account=account,
        last=runs.order_by("-id").first(),
        halt=AccountHalt.objects.filter(account=account, lifted_at__isnull=True).first(),
        waiting=Errand.objects.filter(account=account, kind=Errand.Kind.RECONCILE).first(),
        findings=list(findings[:MOST_FINDINGS]),
    )
