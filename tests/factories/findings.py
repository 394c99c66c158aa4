"""Comparisons with a broker and what they found, as rows."""

from typing import Any

from django.utils import timezone

from brokers.models import BrokerAccount
from orders.models import AccountHalt, ReconciliationFinding, ReconciliationRun


def make_run(account: BrokerAccount, **fields: Any) -> ReconciliationRun:
    now = timezone.now()
    values: dict[str, Any] = {
        "user": account.user,
        "account": account,
        "worker": "w",
        "epoch": 1,
        "since": now,
        "started_at": now,
        "finished_at": now,
        "is_settled": True,
    }
    return ReconciliationRun.objects.create(**(values | fields))


def make_finding(account: BrokerAccount, **fields: Any) -> ReconciliationFinding:
    run = make_run(account)
    values: dict[str, Any] = {
        "user": account.user,
        "account": account,
        "run": run,
        "last_run": run,
        "kind": "CORPORATE_ACTION",
        "symbol": "AAPL",
        "ours": "10 at 100",
        "theirs": "20 at 50",
        "done": "an operator says what is to become of it",
        "found_at": timezone.now(),
    }
    return ReconciliationFinding.objects.create(**(values | fields))


def make_halt(account: BrokerAccount, reason: str = "the books differ") -> AccountHalt:
    return AccountHalt.objects.create(user=account.user, account=account, reason=reason, since=timezone.now())
