"""Deadlocks and serialization failures are run again; nothing else is."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from orders.models import Plan
from orders.services.retrying import conflict_of, retried, run_again


def make_plans() -> tuple[Plan, Plan]:
    return (
        Plan.objects.create(name="first", daily_order_limit=0),
        Plan.objects.create(name="second", daily_order_limit=0),
    )


def add_in_order(first: Plan, second: Plan, meet: Callable[[], None], tries: list[str]) -> None:
    """Lock two rows one after the other; ``meet`` lets two that do so in opposite orders deadlock."""
    tries.append(first.name)
    with transaction.atomic():
        for plan in (first, second):
            row = Plan.objects.select_for_update().get(pk=plan.pk)
            row.daily_order_limit += 1
            row.save()
            if plan is first and len(tries) <= 2:
                meet()


def in_two_threads(
    work: Callable[[Plan, Plan], None], plans: tuple[Plan, Plan]
) -> list[BaseException | None]:
    def run(first: Plan, second: Plan) -> None:
        try:
            work(first, second)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        done = [threads.submit(run, *plans), threads.submit(run, *reversed(plans))]
        return [one.exception() for one in done]


@pytest.mark.django_db(transaction=True)
def test_two_that_deadlock_are_both_through_in_the_end() -> None:
    plans = make_plans()
    both = threading.Barrier(2, timeout=10)
    tries: list[str] = []
    errors = in_two_threads(
        lambda first, second: run_again(lambda: add_in_order(first, second, both.wait, tries)), plans
    )
    assert errors == [None, None]
    assert len(tries) == 3  # one of the two was ended, and ran again
    assert list(Plan.objects.values_list("daily_order_limit", flat=True)) == [2, 2]


@pytest.mark.django_db(transaction=True)
def test_without_it_one_of_the_two_is_lost() -> None:
    plans = make_plans()
    both = threading.Barrier(2, timeout=10)
    tries: list[str] = []
    errors = in_two_threads(lambda first, second: add_in_order(first, second, both.wait, tries), plans)
    lost = [error for error in errors if error is not None]
    assert [conflict_of(error) for error in lost] == ["deadlock"]
    assert list(Plan.objects.values_list("daily_order_limit", flat=True)) == [1, 1]


@pytest.mark.django_db(transaction=True)
def test_a_serialization_failure_runs_again() -> None:
    plan, _ = make_plans()
    calls: list[int] = []

    def disturb() -> None:
        Plan.objects.filter(pk=plan.pk).update(daily_order_limit=10)
        connection.close()

    @retried
    def add(amount: int) -> int:
        calls.append(amount)
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            row = Plan.objects.get(pk=plan.pk)
            if len(calls) == 1:
                with ThreadPoolExecutor(1) as threads:
                    threads.submit(disturb).result()
            row.daily_order_limit += amount
            row.save()
        return row.daily_order_limit

    assert add(5) == 15
    assert calls == [5, 5]


def meeting(sqlstate: str, calls: list[int]) -> Callable[[], None]:
    """Return a unit of work that meets this conflict each time, and counts its calls."""

    def unit() -> None:
        calls.append(1)
        with connection.cursor() as cursor:
            cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$")

    return unit


@pytest.mark.django_db(transaction=True)
def test_it_gives_up_in_the_end_and_passes_on_what_is_no_conflict() -> None:
    calls: list[int] = []

    with pytest.raises(OperationalError):
        run_again(meeting("40P01", calls), tries=3)
    assert len(calls) == 3
    make_plans()
    with pytest.raises(IntegrityError):
        run_again(lambda: calls.append(2) or make_plans())  # type: ignore[func-returns-value]
    assert calls.count(2) == 1


@pytest.mark.django_db
def test_inside_a_transaction_it_runs_once() -> None:
    calls: list[int] = []

    with pytest.raises(OperationalError), transaction.atomic():
        run_again(meeting("40001", calls))
    assert calls == [1]
