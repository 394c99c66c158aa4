"""Keep what a comparison has found. A finding that stays is one row, however often it is found."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from orders.models import Order, ReconciliationFinding, ReconciliationRun
from orders.services.attention import plain_reason

Kind = ReconciliationFinding.Kind


def note_done(
    run: ReconciliationRun,
    kind: Kind,
    *,
    order: Order,
    ours: str = "",
    theirs: str = "",
    done: str,
) -> ReconciliationFinding:
    """Keep a finding about an order that is settled by what was done, in the transaction that has done it."""
    now = timezone.now()
    finding = _finding(run, kind, order.symbol, order.broker_order_id, ours, theirs, done)
    finding.order, finding.resolved_at, finding.resolution = order, now, done[:500]
    finding.save(force_insert=True)
    return finding


def note_open(
    run: ReconciliationRun,
    kind: Kind,
    *,
    symbol: str = "",
    order: Order | None = None,
    ours: str,
    theirs: str,
    done: str,
    quantities: tuple[Decimal, Decimal] | None = None,
) -> ReconciliationFinding | None:
    """Keep a finding that nothing explains yet; the one that is open where it was found before.

    None where an operator has accepted this very difference. ``runs_seen`` counts the runs in a row that have found
    the same. ``quantities``: of a position, ours and the broker's.
    """
    broker_order_id = order.broker_order_id if order else ""
    rows = ReconciliationFinding.objects.filter(
        account=run.account_id, kind=kind, symbol=symbol, broker_order_id=broker_order_id
    )
    finding = rows.filter(resolved_at__isnull=True).select_for_update(of=("self",)).first()
    if finding is None:
        last = rows.order_by("-id").first()
        if last is not None and last.resolved_by_id and (last.ours, last.theirs) == (ours, theirs):
            return None
        finding = _finding(run, kind, symbol, broker_order_id, ours, theirs, done)
        finding.order = order
        finding.our_qty, finding.their_qty = quantities or (None, None)
        finding.save(force_insert=True)
        return finding
    if finding.last_run_id == run.pk:
        return finding
    same = (finding.ours, finding.theirs) == (ours, theirs)
    finding.runs_seen = finding.runs_seen + 1 if same else 1
    finding.last_run, finding.ours, finding.theirs, finding.done = run, ours, theirs, done
    finding.our_qty, finding.their_qty = quantities or (None, None)
    finding.save(update_fields=["runs_seen", "last_run", "ours", "theirs", "our_qty", "their_qty", "done"])
    return finding


def settle(finding: ReconciliationFinding, done: str) -> None:
    """Close a finding by what was done about it."""
    finding.done, finding.resolved_at, finding.resolution = done[:300], timezone.now(), done[:500]
    finding.save(update_fields=["done", "resolved_at", "resolution"])


def settle_gone(run: ReconciliationRun, *kinds: Kind, left_out: frozenset[str] = frozenset()) -> int:
    """Close the account's open findings that this run has not found any more; return how many.

    ``left_out``: symbols that it could not compare.
    """
    rows = ReconciliationFinding.objects.filter(
        account=run.account_id, kind__in=kinds, resolved_at__isnull=True, last_run__lt=run.pk
    )
    return rows.exclude(symbol__in=left_out).update(
        resolved_at=timezone.now(), resolution="The books agree again."
    )


def accept_finding(finding: ReconciliationFinding, operator: AbstractBaseUser, reason: str) -> bool:
    """Accept a difference as it is, in an operator's name; False where it was settled before.

    The same difference is not told of again; another one is. Raises ``ReasonRequiredError`` for a blank reason.
    """
    resolution = f"{operator.get_username()[:90]}: {plain_reason(reason)}"
    rows = ReconciliationFinding.objects.filter(pk=finding.pk, resolved_at__isnull=True)
    changed = rows.update(resolved_at=timezone.now(), resolved_by=operator.pk, resolution=resolution)
    return bool(changed)


def plain(value: Decimal) -> str:
    """Return a number as people write it."""
    return f"{value.normalize():f}"


def _finding(
    run: ReconciliationRun, kind: Kind, symbol: str, broker_order_id: str, ours: str, theirs: str, done: str
) -> ReconciliationFinding:
    return ReconciliationFinding(
        user_id=run.user_id,
        account_id=run.account_id,
        run=run,
        last_run=run,
        kind=kind,
        symbol=symbol,
        broker_order_id=broker_order_id,
        ours=ours[:200],
        theirs=theirs[:200],
        done=done[:300],
        found_at=timezone.now(),
    )
