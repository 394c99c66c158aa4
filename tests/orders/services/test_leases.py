"""Leases: one holder, an epoch that only grows, the database's clock."""

import pytest
from django.db import connection, transaction

from orders.models import WorkerLease
from orders.services.leases import Fence, LeaseLost, expire_lease, hold_lease, renew_leases, take_lease
from tests.factories.traders import make_desk

pytestmark = pytest.mark.django_db


def take(user_id: int, worker: str) -> Fence | None:
    return take_lease(user_id=user_id, worker=worker, host="h", pid=1)


def age(user_id: int, seconds: int) -> None:
    """Let time pass for this lease."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_workerlease SET expires_at = expires_at - make_interval(secs => %s) WHERE user_id = %s",
            [seconds, user_id],
        )


def test_of_two_one_wins_and_the_epoch_grows() -> None:
    user_id = make_desk().user.id
    first = take(user_id, "a")
    assert first is not None
    assert take(user_id, "b") is None
    assert expire_lease(user_id=user_id, epoch=first.epoch)
    second = take(user_id, "b")
    assert second is not None
    assert (first.epoch, second.epoch) == (1, 2)
    assert WorkerLease.objects.get(user=user_id).worker == "b"


def test_a_superseded_holder_can_neither_hold_renew_nor_expire() -> None:
    user_id = make_desk().user.id
    old = take(user_id, "a")
    assert old is not None
    age(user_id, 60)
    new = take(user_id, "b")
    assert new is not None
    with pytest.raises(LeaseLost), transaction.atomic():
        hold_lease(old)
    assert renew_leases([(user_id, old.epoch)]) == set()
    assert not expire_lease(user_id=user_id, epoch=old.epoch)
    with transaction.atomic():
        hold_lease(new)


def test_an_expired_lease_is_not_revived() -> None:
    user_id = make_desk().user.id
    fence = take(user_id, "a")
    assert fence is not None
    age(user_id, 60)
    assert renew_leases([(user_id, fence.epoch)]) == set()
    with pytest.raises(LeaseLost), transaction.atomic():
        hold_lease(fence)


def test_one_statement_renews_all_that_are_live() -> None:
    fences = [take(make_desk().user.id, "a") for _ in range(3)]
    live = [fence for fence in fences if fence is not None]
    age(live[0].user_id, 60)
    held = [(fence.user_id, fence.epoch) for fence in live]
    assert renew_leases(held) == {fence.user_id for fence in live[1:]}
