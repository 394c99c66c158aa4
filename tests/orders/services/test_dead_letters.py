"""Tasks that fail three times in a row become dead letters, without secrets; outages never do."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from failpoints import FailpointError, listening
from orders.models import AttentionItem, DeadLetter, TaskFailure
from orders.services import dead_letters
from orders.services.attention import ReasonRequiredError
from orders.services.dead_letters import IN_A_ROW, record_failure, record_success, resolve_letter
from orders.services.outages import is_outage
from orders.services.redaction import redact
from tasks import dead_letters as hooks
from tasks import queues, routing
from tasks.dead_letters import try_again
from tradingsite.celery import app

pytestmark = pytest.mark.django_db


class Poison:
    """What the tests' task does: it raises what it is told to."""

    error: Exception | None = None


@app.task(name="tests.poison")
def poison(number: int) -> None:
    password = "hunter2-of-a-local-variable"
    if Poison.error is not None and password:
        raise Poison.error


@pytest.fixture(autouse=True)
def healthy() -> Iterator[None]:
    yield
    Poison.error = None
    hooks._failed_here.clear()


def fail(number: int = 7, error: Exception | None = None, times: int = 1, **options: Any) -> None:
    Poison.error = error or ValueError("no such thing")
    for _ in range(times):
        poison.apply(args=[number], **options)
    Poison.error = None


def succeed(number: int = 7, **options: Any) -> None:
    poison.apply(args=[number], **options)


def failure(**fields: Any) -> dead_letters.Failure:
    values = {"task": "t", "args": [1], "queue": "q", "exception": "E", "message": "m", "traceback": "tb"}
    return dead_letters.Failure(**(values | fields))


def test_the_third_failure_in_a_row_is_a_dead_letter() -> None:
    fail(times=2)
    assert not DeadLetter.objects.exists()
    assert TaskFailure.objects.get().failures == 2
    fail()
    letter = DeadLetter.objects.get()
    assert (letter.task, letter.args, letter.failures, letter.exception, letter.message) == (
        "tests.poison",
        [7],
        3,
        "ValueError",
        "no such thing",
    )
    assert "test_dead_letters.py" in letter.traceback
    assert "hunter2" not in letter.traceback
    assert {"worker", "pid", "host", "task_id", "failed_at"} <= letter.context.keys()
    assert not TaskFailure.objects.exists()
    item = AttentionItem.objects.get()
    assert (item.kind, item.user_id, item.order_id) == ("DEAD_LETTER", None, None)


def test_what_fails_after_that_is_counted_on_the_open_letter() -> None:
    fail(times=5)
    letter = DeadLetter.objects.get()
    assert letter.failures == 5
    assert letter.failed_at > letter.first_failed_at
    assert AttentionItem.objects.count() == 1
    resolve_letter(letter, User.objects.create(username="operator"), "repaired")
    fail(times=3)
    assert sorted(DeadLetter.objects.values_list("failures", flat=True)) == [3, 5]


def test_failures_are_counted_for_each_task_and_its_arguments() -> None:
    for number in range(3):
        fail(number, times=2)
    assert not DeadLetter.objects.exists()
    record_failure(failure(args=["a"]))
    assert TaskFailure.objects.count() == 4


def test_a_success_ends_the_row() -> None:
    fail(times=2)
    succeed()
    fail(times=2)
    assert not DeadLetter.objects.exists()


def test_a_success_of_a_task_that_has_not_failed_asks_the_database_nothing() -> None:
    fail(1)
    with CaptureQueriesContext(connection) as captured:
        succeed(2)
    assert len(captured) == 0


def test_a_success_in_another_process_shows_by_the_time_between_failures() -> None:
    fail(times=2)
    before = timezone.now() - IN_A_ROW - dt.timedelta(seconds=1)
    TaskFailure.objects.update(failed_at=before, first_failed_at=before)
    fail()
    row = TaskFailure.objects.get()
    assert (row.failures, row.first_failed_at) == (1, row.failed_at)


def outage(sqlstate: str | None) -> OperationalError:
    error = OperationalError("away")
    cause = psycopg.errors.lookup(sqlstate)("away") if sqlstate else psycopg.OperationalError("away")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (outage(None), True),
        (outage("57P01"), True),
        (outage("53300"), True),
        (outage("57014"), False),  # a statement that took too long is the task's own doing
        (outage("40P01"), False),
        (redis.ConnectionError("away"), True),
        (redis.TimeoutError("away"), True),
        (ValueError("x"), False),
        (FailpointError("x"), False),
    ],
)
def test_outages_do_not_count(error: Exception, expected: bool) -> None:
    assert is_outage(error) == expected
    fail(error=error, times=3)
    assert DeadLetter.objects.exists() != expected


def test_a_retry_is_published_and_its_success_settles_the_letter_in_any_process() -> None:
    fail(times=3)
    letter = DeadLetter.objects.get()
    DeadLetter.objects.update(queue="tests.dead")
    letter.refresh_from_db()
    try:
        assert try_again(letter)
        message = queues.client().lpop("tests.dead")
    finally:
        queues.client().delete("tests.dead")
    assert isinstance(message, bytes)
    assert routing.claimant_of(message) == 7  # the first of its arguments
    assert f'"{routing.DEAD_LETTER_HEADER}": {letter.pk}'.encode() in message
    record_success(task="t", args=[7])
    letter.refresh_from_db()
    assert letter.retried_at is not None
    assert letter.resolved_at is None
    hooks._failed_here.clear()  # as in a process that knows of no failure
    succeed(headers={routing.DEAD_LETTER_HEADER: letter.pk})
    letter.refresh_from_db()
    assert letter.resolved_at is not None
    assert letter.resolved_by is None
    assert AttentionItem.objects.get().resolved_at is not None
    assert not try_again(letter)


def test_a_retry_that_fails_stays_open() -> None:
    fail(times=3)
    DeadLetter.objects.update(retried_at=timezone.now())
    fail()
    letter = DeadLetter.objects.get()
    assert (letter.failures, letter.resolved_at) == (4, None)


def test_an_operator_resolves_with_a_reason_and_the_first_stands() -> None:
    fail(1, times=3)
    fail(2, times=3)
    first, second = DeadLetter.objects.order_by("id")
    operator = User.objects.create(username="operator")
    with pytest.raises(ReasonRequiredError):
        resolve_letter(first, operator, "  ")
    assert resolve_letter(first, operator, " fixed\n it ")
    assert not resolve_letter(first, operator, "again")
    first.refresh_from_db()
    assert (first.resolution, first.resolved_by) == ("fixed it", operator)
    assert AttentionItem.objects.get().resolved_at is None  # another letter is open
    resolve_letter(second, operator, "too")
    assert AttentionItem.objects.get().resolved_at is not None


def test_a_process_that_dies_before_the_commit_leaves_two_failures() -> None:
    record_failure(failure())
    record_failure(failure())

    def die(name: str) -> None:
        if name == "dead_letter.before_commit":
            raise FailpointError(name)

    with pytest.raises(FailpointError), listening(die):
        record_failure(failure())
    assert TaskFailure.objects.get().failures == 2
    assert not AttentionItem.objects.exists()
    letter = record_failure(failure())
    assert letter is not None
    assert letter.failures == 3


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("connect to postgresql://desk:hunter2@db/x failed", "hunter2"),
        ("redis://:hunter2@cache:6379/0", "hunter2"),
        ("host=db password=hunter2 dbname=x", "hunter2"),
        ("{'secret': 'hunter2', 'qty': 1}", "hunter2"),
        ('{"api_key": "hunter2"}', "hunter2"),
        ("APCA-API-SECRET-KEY: hunter2", "hunter2"),
        ("Authorization: Bearer abcdefghijk12345", "abcdefghijk12345"),
        ("tsk_12abhunter2hunter2", "hunter2"),
        ("POST /webhook/tradingview/AbCdEfhunter2-_x", "hunter2"),
        ("Failing row contains (1, hunter2, null).", "hunter2"),
        ("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----", "hunter2"),
        ("digest " + "ab12" * 16, "ab12ab12"),
    ],
)
def test_secrets_are_hidden(text: str, secret: str) -> None:
    assert secret not in redact(text)
    letter = None
    for _ in range(3):
        letter = record_failure(failure(message=text, traceback=f"Traceback:\n{text}"))
    assert letter is not None
    letter.refresh_from_db()
    assert secret not in str(list(DeadLetter.objects.values()))
    assert secret not in str(list(AttentionItem.objects.values()))


def test_what_is_no_secret_stays_readable() -> None:
    text = (
        'File "/srv/desk/orders/services/submission.py", line 93, in submit_order\nValueError: bad qty 12.5'
    )
    assert redact(text) == text
