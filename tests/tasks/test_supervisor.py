"""What the supervisor tells its workers: whose lease stands, who is too many, who must go."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from django.utils import timezone

from orders.models import PoolTarget
from orders.services.leases import take_lease
from tasks.fleet.child import Child
from tasks.fleet.slots import LEAVE_POOL, RELEASE_TRADER, Slot, boottime
from tasks.fleet.supervisor import Supervisor
from tests.factories.traders import make_desk

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper


class FakeProcess:
    exitcode: int | None = None
    killed = False

    def kill(self) -> None:
        self.killed = True


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor()


def add(supervisor: Supervisor, *, user_id: int = 0, epoch: int = 0) -> Child:
    """Give the supervisor one more worker."""
    child = Child(cast(Any, FakeProcess()), Slot(user_id=user_id, epoch=epoch), boottime())
    supervisor._children[len(supervisor._children)] = child
    return child


def take(user_id: int) -> int:
    fence = take_lease(user_id=user_id, worker="w", host="h", pid=1)
    assert fence is not None
    return fence.epoch


@pytest.mark.django_db
def test_a_worker_whose_lease_stands_may_act_and_another_learns_that_it_may_not(
    supervisor: Supervisor,
) -> None:
    ours, lost = make_desk().user.id, make_desk().user.id
    standing = add(supervisor, user_id=ours, epoch=take(ours))
    refused = add(supervisor, user_id=lost, epoch=take(lost) + 5)
    supervisor._renew()
    assert standing.slot.deadline > boottime()
    assert (standing.slot.lost, standing.refused_since) == (0, 0.0)
    assert refused.slot.deadline == 0.0
    assert refused.slot.lost == refused.slot.epoch
    assert refused.refused_since > 0


@pytest.mark.django_db
@pytest.mark.parametrize("younger_first", [False, True])
def test_of_two_workers_of_one_trader_the_younger_epoch_is_renewed(
    supervisor: Supervisor, younger_first: bool
) -> None:
    user_id = make_desk().user.id
    epoch = take(user_id)
    epochs = [epoch, epoch - 1] if younger_first else [epoch - 1, epoch]
    children = [add(supervisor, user_id=user_id, epoch=one) for one in epochs]
    supervisor._renew()
    lost = {child.slot.epoch: child.slot.lost for child in children}
    assert lost == {epoch: 0, epoch - 1: epoch - 1}


@pytest.mark.django_db
def test_a_worker_that_has_its_lease_again_is_not_killed(
    supervisor: Supervisor, settings: SettingsWrapper
) -> None:
    settings.WORKER_WEDGED_SECONDS = 10.0
    user_id = make_desk().user.id
    child = add(supervisor, user_id=user_id, epoch=9)
    child.refused(9, boottime() - 5)
    supervisor._kill_disowned()
    assert not cast(FakeProcess, child.process).killed
    child.slot.epoch = take(user_id)
    supervisor._renew()
    assert child.refused_since == 0.0
    child.refused(9, boottime() - 11)
    supervisor._kill_disowned()
    assert cast(FakeProcess, child.process).killed


def test_a_worker_that_has_let_its_trader_go_is_nobodys_concern(
    supervisor: Supervisor, settings: SettingsWrapper
) -> None:
    settings.WORKER_WEDGED_SECONDS = 1.0
    child = add(supervisor, user_id=-1)
    child.refused(9, boottime() - 60)
    supervisor._kill_disowned()
    assert not cast(FakeProcess, child.process).killed
    assert child.refused_since == 0.0


def test_a_surplus_is_asked_to_leave_once_it_lasts(supervisor: Supervisor, settings: SettingsWrapper) -> None:
    settings.POOL_SURPLUS_SECONDS = 0.0
    idle = [add(supervisor) for _ in range(3)]
    bound = add(supervisor, user_id=7)
    supervisor._shrink(0)
    assert not any(child.slot.release for child in [*idle, bound])
    supervisor._shrink(2)
    assert [child.slot.release for child in [*idle, bound]] == [LEAVE_POOL, LEAVE_POOL, 0, 0]
    assert supervisor._count_idle() == 1
    settings.POOL_SURPLUS_SECONDS = 60.0
    supervisor._shrink(1)
    assert supervisor._count_idle() == 1


def test_there_are_never_more_wanted_than_there_is_room_for(
    supervisor: Supervisor, settings: SettingsWrapper
) -> None:
    settings.FLEET_MAX_WORKERS = 4
    supervisor._target = 3
    assert supervisor._wanted() == 3
    for user_id in (5, 6):
        add(supervisor, user_id=user_id)
    add(supervisor)
    assert supervisor._wanted() == 2
    for user_id in (7, 8, 9):
        add(supervisor, user_id=user_id)
    assert supervisor._wanted() == 0


@pytest.mark.django_db
def test_the_heartbeat_brings_the_target(supervisor: Supervisor, settings: SettingsWrapper) -> None:
    settings.FLEET_POOL_SIZE = 4
    now = timezone.now()
    for minute, (size, expected) in enumerate([(9, 9), (1, 4)]):
        PoolTarget.objects.create(size=size, decided_at=now + timedelta(minutes=minute))
        supervisor._next_heartbeat = 0.0
        supervisor._heartbeat()
        assert supervisor._target == expected


@pytest.mark.django_db
def test_releasing_a_busy_fleets_idlest_worker_leaves_the_pool_alone(supervisor: Supervisor) -> None:
    resting = add(supervisor, user_id=make_desk().user.id)
    resting.slot.idle_since = boottime() - 5
    leaving = add(supervisor)
    leaving.slot.release = LEAVE_POOL
    supervisor._release_longest_idle()
    assert (resting.slot.release, leaving.slot.release) == (RELEASE_TRADER, LEAVE_POOL)
