"""Record in a thread, wait on the loop, answer with what the order's row says."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from failpoints import failpoint
from orders.intake.problem import Problem, ProblemError, ProblemType
from orders.models import Order
from orders.views.receipt import Budget
from tasks.dispatch import hand_over
from tasks.replies import TooManyWaiting, Waiter, board, is_answerable

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 5.0
REREAD_SECONDS = 0.4  # after the budget; TradingView hangs up half a second after the webhook's ends
DATABASE_DOWN = (OperationalError, InterfaceError)
_threads = ThreadPoolExecutor(max_workers=settings.DATABASE_THREADS, thread_name_prefix="database")


async def in_database(unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one whole unit of database work in a thread that keeps its connection from one unit to the next."""

    def run() -> T:
        connection.close_at = None
        close_old_connections()  # that is, one that has died
        return unit(*args, **kwargs)

    if connection.in_atomic_block:  # a test's transaction: its connection belongs to this context
        return await sync_to_async(lambda: unit(*args, **kwargs), thread_sensitive=False, executor=_threads)()
    # Not by sync_to_async: Django's connections belong to the context, and every request's is a new one.
    return await asyncio.get_running_loop().run_in_executor(_threads, run)


async def release_connection() -> None:
    """Give back the connection that Django's own thread for this request holds, before a long wait."""

    def release() -> None:
        if not connection.in_atomic_block:
            connection.close()

    await sync_to_async(release)()


async def require_redis() -> None:
    """Refuse before anything is recorded where Redis does not answer. Raises ``ProblemError`` (503)."""
    if not await board().ready():
        raise ProblemError(unavailable("The desk's message broker is not reachable."))


def unavailable(detail: str) -> Problem:
    return Problem(ProblemType.SERVICE_UNAVAILABLE, detail, retry_after_seconds=RETRY_AFTER_SECONDS)


def record_and_ring(record: Callable[[], list[Order]]) -> tuple[list[Order], Waiter | None]:
    """Record orders, register for their replies, then ring. After the commit nothing here raises."""
    failpoint("web.received")
    orders = record()
    if not orders:
        return orders, None
    try:
        waiter = board().expect(order.id for order in orders)
    except TooManyWaiting:
        waiter = None
    try:
        hand_over(orders[0].user_id)
    except Exception:
        log.exception("orders not handed over, the sweep will", user_id=orders[0].user_id)
    return orders, waiter


async def answers(orders: Sequence[Order], waiter: Waiter | None, budget: Budget) -> tuple[list[Order], bool]:
    """Wait within the budget; return the orders as they stand and whether all could be answered."""
    if waiter is not None:
        with waiter:
            await waiter.wait(budget.left_seconds)
        ids = [order.id for order in orders]
        try:
            orders = await asyncio.wait_for(in_database(_reread, ids), REREAD_SECONDS)
        except (*DATABASE_DOWN, TimeoutError) as error:
            log.warning("order not read again", error=str(error))
    return list(orders), all(is_answerable(order) for order in orders)


def _reread(order_ids: list[uuid.UUID]) -> list[Order]:
    return list(Order.objects.filter(id__in=order_ids).order_by("id"))
