"""The reply board over a real Redis."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
import redis
from django.conf import settings

import tasks.replies
from orders.models import Source
from orders.views import waiting
from orders.views.receipt import Budget, Receipt
from orders.views.requesting import cancel_order
from tasks.replies import ReplyBoard, TooManyWaiting
from tests.factories.alerts import record_one
from tests.factories.requests import replace
from tests.factories.traders import make_desk


@pytest.fixture
def server() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


@pytest.fixture(autouse=True)
def short_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.replies, "BLOCK_MS", 300)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


@contextlib.asynccontextmanager
async def reading_board() -> AsyncIterator[ReplyBoard]:
    board = ReplyBoard()
    try:
        assert await board.ready()
        await asyncio.sleep(0.1)  # the reader has asked for its first entries by now
        yield board
    finally:
        await board.close()


def reply(server: redis.Redis, order_id: uuid.UUID) -> None:
    server.xadd(settings.REPLY_STREAM, {"for": order_id.bytes})


def test_a_reply_wakes_who_waits_for_it_and_nobody_else(server: redis.Redis) -> None:
    async def test() -> None:
        mine, other = uuid.uuid4(), uuid.uuid4()
        async with reading_board() as board:
            with board.expect([mine]) as waiter, board.expect([other]) as stranger:
                await asyncio.to_thread(reply, server, mine)
                assert await waiter.wait(5)
                assert not await stranger.wait(0.1)

    run(test())


def test_several_orders_are_waited_for_together(server: redis.Redis) -> None:
    async def test() -> None:
        ids = [uuid.uuid4(), uuid.uuid4()]
        async with reading_board() as board:
            with board.expect(ids) as waiter:
                await asyncio.to_thread(reply, server, ids[0])
                assert not await waiter.wait(0.2)
                await asyncio.to_thread(reply, server, ids[1])
                assert await waiter.wait(5)

    run(test())


def test_two_who_wait_for_the_same_are_both_woken_and_neither_forgets_for_the_other(
    server: redis.Redis,
) -> None:
    async def test() -> None:
        key = uuid.uuid4()
        async with reading_board() as board:
            with board.expect([key]) as patient, board.expect([key]) as another:
                with board.expect([key]) as hasty:
                    assert not await hasty.wait(0)
                await asyncio.to_thread(reply, server, key)
                assert await patient.wait(5)
                assert await another.wait(5)

    run(test())


def test_beyond_the_cap_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(settings, "REPLY_MAX_WAITERS", 1)
        board = ReplyBoard()
        with board.expect([uuid.uuid4()]), pytest.raises(TooManyWaiting):
            board.expect([uuid.uuid4()])
        assert board.expect([uuid.uuid4()]) is not None  # the first has been forgotten

    run(test())


def test_a_redis_that_is_away_is_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(settings, "REDIS_URL", "unix:///nowhere/redis.sock?db=0")
        board = ReplyBoard()
        assert not await board.ready()
        await board.close()

    run(test())


def test_the_reader_survives_a_cut_connection(server: redis.Redis) -> None:
    async def test() -> None:
        order_id = uuid.uuid4()
        async with reading_board() as board:
            await asyncio.to_thread(server.client_kill_filter, _type="normal", skipme=True)
            assert await board.ready()
            with board.expect([order_id]) as waiter:
                await asyncio.to_thread(reply, server, order_id)
                assert await waiter.wait(5)

    run(test())


def test_a_request_that_was_given_up_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(settings, "REPLY_MAX_WAITERS", 1)
        board = ReplyBoard()
        for _ in range(3):
            assert board.expect([uuid.uuid4()]) is not None  # and nobody keeps the waiter

    run(test())


@pytest.mark.django_db(transaction=True)
def test_a_cancel_that_denies_an_order_wakes_its_sender_and_who_waits_for_its_replace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = make_desk()
    order = record_one(desk, type="limit", price="100")
    replacing = replace(order, price="101")

    async def test() -> None:
        async with reading_board() as board:
            monkeypatch.setattr(waiting, "board", lambda: board)
            with board.expect([order.id, replacing.id]) as senders:
                canceled = await cancel_order(
                    user=desk.user,
                    order_id=order.id,
                    source=Source.API,
                    idempotency_key=None,
                    budget=Budget(5.0, Receipt.now()),
                )
                assert canceled.status == "ACCEPTED"
                assert await senders.wait(5)

    run(test())
