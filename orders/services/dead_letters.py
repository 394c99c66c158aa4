"""Count failures of a task in a row, and keep what failed too often for a person to look at."""

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from failpoints import failpoint
from orders.models import AttentionItem, DeadLetter, TaskFailure
from orders.services.attention import ReasonRequiredError, open_item, settle_items
from orders.services.redaction import redact
from orders.services.retrying import retried

MOST_FAILURES = 3
IN_A_ROW = dt.timedelta(minutes=15)
"""After so long without a failure a task is taken to have succeeded meanwhile, perhaps in another process.

Longer than the longest period of a periodic task, so that its failures are seen to be in a row.
"""
MOST_TIMES = 10
COUNT = """
INSERT INTO orders_taskfailure AS known (task, args, failures, first_failed_at, failed_at)
VALUES (%s, %s::jsonb, 1, %s, %s)
ON CONFLICT (task, args) DO UPDATE SET
    failures = CASE WHEN known.failed_at < %s THEN 1 ELSE known.failures + 1 END,
    first_failed_at = CASE WHEN known.failed_at < %s THEN excluded.failed_at ELSE known.first_failed_at END,
    failed_at = excluded.failed_at
RETURNING id, failures, first_failed_at
"""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure of a task; ``args`` are ids and names, ``context`` says where it ran."""

    task: str
    args: list[Any]
    queue: str
    exception: str
    message: str
    traceback: str
    user_id: int | None = None
    context: dict[str, Any] = field(default_factory=dict)


@retried
def record_failure(failure: Failure) -> DeadLetter | None:
    """Count one more failure in a row; return the dead letter, a new or an open one, or None below the limit.

    Of a task and its arguments there is one open dead letter at most: what fails after that is counted on it.
    Secrets are taken out of message and traceback before they are written.
    """
    now = timezone.now()
    with transaction.atomic():
        letter = _count_on_open_letter(failure, now)
        if letter is None:
            letter = _count_in_a_row(failure, now)
        if letter is not None:
            failpoint("dead_letter.before_commit")
    if letter is not None:
        failpoint("dead_letter.after_commit")
    return letter


def _count_on_open_letter(failure: Failure, now: dt.datetime) -> DeadLetter | None:
    rows = DeadLetter.objects.select_for_update()
    letter = rows.filter(task=failure.task, args=failure.args, resolved_at__isnull=True).first()
    if letter is None:
        return None
    times = [*letter.context.get("failed_at", []), now.isoformat()]
    letter.failures += 1
    letter.failed_at = now
    for name, value in _described(failure, times).items():
        setattr(letter, name, value)
    letter.save()
    return letter


def _count_in_a_row(failure: Failure, now: dt.datetime) -> DeadLetter | None:
    since = now - IN_A_ROW
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [failure.task, json.dumps(failure.args), now, now, since, since])
        row_id, failures, first_failed_at = cursor.fetchone()
    if failures < MOST_FAILURES:
        return None
    letter = DeadLetter.objects.create(
        task=failure.task,
        args=failure.args,
        queue=failure.queue,
        failures=failures,
        first_failed_at=first_failed_at,
        failed_at=now,
        **_described(failure, [first_failed_at.isoformat(), now.isoformat()]),
    )
    TaskFailure.objects.filter(pk=row_id).delete()
    detail = f"{letter.task}{tuple(letter.args)}: {letter.exception}: {letter.message}"
    open_item(AttentionItem.Kind.DEAD_LETTER, user_id=failure.user_id, detail=detail)
    return letter


def _described(failure: Failure, times: list[str]) -> dict[str, Any]:
    return {
        "exception": failure.exception[:200],
        "message": redact(failure.message)[:1000],
        "traceback": redact(failure.traceback),
        "context": failure.context | {"user_id": failure.user_id, "failed_at": times[-MOST_TIMES:]},
    }


@retried
def record_success(*, task: str, args: list[Any]) -> None:
    """Forget this task's failures in a row; where somebody had it tried again, its dead letter is settled."""
    with transaction.atomic():
        TaskFailure.objects.filter(task=task, args=args).delete()
        tried_again = DeadLetter.objects.filter(task=task, args=args, retried_at__isnull=False)
        letter = tried_again.filter(resolved_at__isnull=True).select_for_update().first()
        if letter is not None:
            _settle(letter, "It went through when it was tried again.", user=None)
        failpoint("dead_letter.success.before_commit")


def mark_retried(letter: DeadLetter) -> bool:
    """Note that an open dead letter is about to be tried again; False where it is settled already."""
    rows = DeadLetter.objects.filter(pk=letter.pk, resolved_at__isnull=True)
    marked = bool(rows.update(retried_at=Now()))
    failpoint("dead_letter.retry.before")
    return marked


@retried
def resolve_letter(letter: DeadLetter, user: AbstractBaseUser, reason: str) -> bool:
    """Close an open dead letter with the operator's name and reason; False where it was closed before.

    Raises ``ReasonRequiredError`` for a blank reason.
    """
    reason = " ".join(reason.split())[:500]
    if not reason:
        raise ReasonRequiredError("Say why the dead letter is resolved.")
    with transaction.atomic():
        row = DeadLetter.objects.select_for_update().get(pk=letter.pk)
        if row.resolved_at is not None:
            return False
        _settle(row, reason, user=user)
        failpoint("dead_letter.resolve.before_commit")
    return True


def _settle(letter: DeadLetter, resolution: str, *, user: AbstractBaseUser | None) -> None:
    """Close the letter, and the item of the attention list once its trader has no other open letter."""
    rows = DeadLetter.objects.filter(pk=letter.pk)
    rows.update(resolved_at=Now(), resolution=resolution, resolved_by=user)
    user_id = letter.context.get("user_id")
    if not DeadLetter.objects.filter(resolved_at__isnull=True, context__user_id=user_id).exists():
        settle_items(AttentionItem.Kind.DEAD_LETTER, user_id=user_id, resolution=resolution)
