"""The pool's target follows demand, within its limits."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from failpoints import FailpointError, listening
from orders.models import PoolTarget, WorkerLease
from orders.services.heartbeats import Fleet, beat_fleet
from orders.services.leases import take_lease
from orders.services.pool import Demand, decide_target, measure_demand, target_for
from tests.factories.traders import make_desk

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

QUIET = Demand(claims=0, fleets=1, busy=0, busiest=0, traders=1000)


def claimed(*seconds_ago: float) -> None:
    """Have as many traders, each of whom got a worker so long ago."""
    now = timezone.now()
    for ago in seconds_ago:
        at = now - dt.timedelta(seconds=ago)
        WorkerLease.objects.create(
            user=make_desk().user,
            worker="w",
            host="h",
            pid=1,
            epoch=1,
            claimed_at=at,
            heartbeat_at=at,
            expires_at=at,
        )


def beat(name: str = "fleet@a:1", *, idle: int = 4, workers: int = 4) -> int | None:
    return beat_fleet(Fleet(name, idle=idle, workers=workers))


@pytest.mark.parametrize(
    ("demand", "expected"),
    [
        (QUIET, 4),
        (dataclasses.replace(QUIET, claims=2), 4),  # never below the least
        (dataclasses.replace(QUIET, claims=6), 9),  # with a reserve
        (dataclasses.replace(QUIET, claims=6, fleets=2), 5),  # each fleet its part, rounded up
        (dataclasses.replace(QUIET, claims=500), 16),  # never above the most
        (dataclasses.replace(QUIET, claims=8, traders=7, busy=1), 6),  # no more than could be wanted
        (dataclasses.replace(QUIET, claims=8, busy=295, busiest=295), 5),  # as far as there is room
        (dataclasses.replace(QUIET, busy=300, busiest=300), 0),
    ],
)
def test_the_target_follows_from_the_demand(demand: Demand, expected: int) -> None:
    assert target_for(demand) == expected


@given(
    st.builds(
        Demand,
        claims=st.integers(0, 5000),
        fleets=st.integers(0, 20),
        busy=st.integers(0, 5000),
        busiest=st.integers(0, 400),
        traders=st.integers(0, 10_000),
    )
)
def test_the_target_keeps_its_limits_whatever_the_demand(demand: Demand) -> None:
    target = target_for(demand)
    assert 0 <= target <= settings.FLEET_POOL_MAX
    assert target + demand.busiest <= max(settings.FLEET_MAX_WORKERS, demand.busiest)
    assert target >= min(settings.FLEET_POOL_SIZE, max(settings.FLEET_MAX_WORKERS - demand.busiest, 0))


def test_without_a_pool_there_never_is_one(settings: SettingsWrapper) -> None:
    settings.FLEET_POOL_SIZE = 0
    assert target_for(dataclasses.replace(QUIET, claims=50)) == 0


def test_a_greater_pool_than_the_most_is_the_operators_choice(settings: SettingsWrapper) -> None:
    settings.FLEET_POOL_SIZE = 30
    assert target_for(dataclasses.replace(QUIET, claims=50)) == 30


@pytest.mark.django_db
def test_demand_is_the_greatest_rush_of_the_last_hours() -> None:
    claimed(5, 20, 25, 28, 29.5, 40, 4 * 3600, 4 * 3600 + 1, 4 * 3600 + 2, 4 * 3600 + 3, 4 * 3600 + 4)
    beat("fleet@a:1", idle=2, workers=10)
    beat("fleet@b:1", idle=0, workers=5)
    assert measure_demand() == Demand(claims=4, fleets=2, busy=13, busiest=8, traders=11)


@pytest.mark.django_db
def test_leases_taken_anew_after_an_outage_are_no_new_demand() -> None:
    claimed(8000, 9000, 10_000)
    users = WorkerLease.objects.values_list("user", flat=True)
    for user_id in users:
        assert take_lease(user_id=user_id, worker="w", host="h", pid=1) is not None
    assert measure_demand().claims == 1
    WorkerLease.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    for user_id in users:
        assert take_lease(user_id=user_id, worker="another", host="h", pid=2) is not None
    assert measure_demand().claims == 3


@pytest.mark.django_db
def test_a_row_is_written_only_when_the_target_changes() -> None:
    beat()
    first = decide_target()
    assert first is not None
    assert first.size == settings.FLEET_POOL_SIZE
    assert decide_target() is None
    claimed(*range(1, 7))
    second = decide_target()
    assert second is not None
    assert (second.size, second.demand["claims"]) == (6, 6)  # there are no more traders than six
    assert [row.size for row in PoolTarget.objects.order_by("id")] == [4, 6]
    WorkerLease.objects.update(claimed_at=timezone.now() - dt.timedelta(days=1))
    third = decide_target()
    assert third is not None
    assert third.size == 4


@pytest.mark.django_db
def test_without_a_fleet_nothing_is_decided() -> None:
    claimed(*range(1, 7))
    assert decide_target() is None
    assert not PoolTarget.objects.exists()


@pytest.mark.django_db
def test_a_fleet_learns_the_newest_target_with_its_heartbeat() -> None:
    assert beat() is None
    now = timezone.now()
    PoolTarget.objects.create(size=7, decided_at=now - dt.timedelta(minutes=5))
    PoolTarget.objects.create(size=9, decided_at=now)
    PoolTarget.objects.create(size=8, decided_at=now - dt.timedelta(minutes=1))
    assert beat() == 9


@pytest.mark.django_db
def test_dying_before_the_commit_leaves_the_old_target() -> None:
    beat()

    def die(name: str) -> None:
        if name == "pool.decide.before_commit":
            raise FailpointError(name)

    with pytest.raises(FailpointError), listening(die):
        decide_target()
    assert not PoolTarget.objects.exists()
