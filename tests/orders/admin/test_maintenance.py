"""Dead letters and the pool in the admin: to look at, to try again, to resolve with a reason."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orders.models import DeadLetter, Heartbeat, PoolTarget, TaskFailure
from orders.services.dead_letters import Failure, record_failure
from orders.services.heartbeats import Fleet, beat_fleet, beat_orphans
from tasks import queues

TASK, QUEUE = "orders.execute", "tests.admin"


@pytest.fixture
def letter(db: None) -> DeadLetter:
    failure = Failure(
        task=TASK,
        args=[5],
        queue=QUEUE,
        exception="ValueError",
        message="bad",
        traceback="Traceback\n  <module>",
        context={"host": "h"},
    )
    made = [record_failure(failure) for _ in range(3)][-1]
    assert made is not None
    return made


def url(model: Any, action: str, *args: Any) -> str:
    return reverse(f"admin:orders_{model._meta.model_name}_{action}", args=args)


def act(client: Client, action: str, letter: DeadLetter, reason: str = "") -> str:
    data = {"action": action, "reason": reason, "_selected_action": [letter.pk]}
    return client.post(url(DeadLetter, "changelist"), data, follow=True).content.decode()


def test_the_detail_shows_the_traceback_and_changes_nothing(operator: Client, letter: DeadLetter) -> None:
    html = operator.get(url(DeadLetter, "change", letter.pk)).content.decode()
    assert "<pre>Traceback\n  &lt;module&gt;</pre>" in html
    assert 'name="_save"' not in html
    assert operator.post(url(DeadLetter, "change", letter.pk), {}).status_code == 403
    assert operator.get(url(DeadLetter, "add")).status_code == 403
    assert operator.post(url(DeadLetter, "delete", letter.pk), {"post": "yes"}).status_code == 403


def test_retry_publishes_the_task_again_and_is_audited(operator: Client, letter: DeadLetter) -> None:
    try:
        assert "Published again: 1." in act(operator, "retry", letter)
        assert queues.client().llen(QUEUE) == 1
    finally:
        queues.client().delete(QUEUE)
    letter.refresh_from_db()
    assert letter.retried_at is not None
    assert letter.resolved_at is None
    assert LogEntry.objects.get().object_id == str(letter.pk)


def test_resolving_takes_a_reason_and_is_audited(operator: Client, letter: DeadLetter) -> None:
    assert "Say why" in act(operator, "resolve_with_reason", letter, "  ")
    letter.refresh_from_db()
    assert letter.resolved_at is None
    assert "Resolved: 1." in act(operator, "resolve_with_reason", letter, "fixed")
    letter.refresh_from_db()
    assert letter.resolved_by == User.objects.get(username="operator")
    assert letter.resolution == "fixed"
    assert LogEntry.objects.get().object_id == str(letter.pk)


def test_who_may_only_look_neither_retries_nor_resolves(client: Client, letter: DeadLetter) -> None:
    viewer = User.objects.create(username="viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_deadletter"))
    client.force_login(viewer)
    for action in ("retry", "resolve_with_reason"):
        act(client, action, letter, "because")
    letter.refresh_from_db()
    assert (letter.retried_at, letter.resolved_at) == (None, None)


def test_failures_that_are_no_letter_yet_are_listed(operator: Client) -> None:
    now = timezone.now()
    TaskFailure.objects.create(task=TASK, args=[6], first_failed_at=now, failed_at=now)
    assert TASK in operator.get(url(TaskFailure, "changelist")).content.decode()


def test_the_pool_shows_target_reason_history_and_the_fleets_now(operator: Client) -> None:
    assert "Nothing was decided yet" in operator.get(url(PoolTarget, "changelist")).content.decode()
    now = timezone.now()
    PoolTarget.objects.create(size=11, demand={"claims": 7}, decided_at=now - timedelta(hours=1))
    PoolTarget.objects.create(size=6, demand={"claims": 4}, decided_at=now)
    beat_fleet(Fleet("fleet@desk-a:12", idle=5, target=6, workers=31))
    html = operator.get(url(PoolTarget, "changelist")).content.decode()
    for text in ("in force: 6 idle", "claims 7", "claims 4", "fleet@desk-a:12", "<td>5</td>", "<td>31</td>"):
        assert text in html


def test_heartbeats_show_what_they_say(operator: Client) -> None:
    beat_orphans({"queues nobody reads": 3})
    html = operator.get(url(Heartbeat, "changelist")).content.decode()
    assert "queues nobody reads 3" in html
