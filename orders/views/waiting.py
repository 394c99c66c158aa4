"""Record in a thread, wait on the loop, answer with what the row says."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar, cast

import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, close_old_connections, connection

from failpoints import failpoint
from orders.intake.problem import Problem, ProblemError, ProblemType
from orders.models import Order, OrderRequest
from orders.selectors import orders_as_they_stand
from orders.views.receipt import Budget
from tasks.dispatch import hand_over
from tasks.replies import TooManyWaiting, Waiter, board, is_answerable

P = ParamSpec("P")
T = TypeVar("T")
Row = TypeVar("Row", bound=Order | OrderRequest)

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 5.0
REREAD_SECONDS = 0.4  # after the budget; TradingView hangs up half a second after the webhook's ends
DATABASE_DOWN = (
    OperationalError,
    InterfaceError,
    InternalError,
)  # the last: cut off in a transaction it slept in
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


async def start_listening() -> bool:
    """See to it that replies are read in this process; return whether Redis answers."""
    return await board().ready()


async def require_redis() -> None:
    """Refuse before anything is recorded where Redis does not answer. Raises ``ProblemError`` (503)."""
    if not await start_listening():
        raise ProblemError(unavailable("The desk's message broker is not reachable."))


def unavailable(detail: str) -> Problem:
    return Problem(ProblemType.SERVICE_UNAVAILABLE, detail, retry_after_seconds=RETRY_AFTER_SECONDS)


def record_and_ring(record: Callable[[], Sequence[Row]]) -> tuple[list[Row], Waiter | None]:
    """Record orders, or requests about one, register for their replies, then ring.

    What is answered already is waited for by nobody, nor what is to be sent only later. After the commit nothing here
    raises.
    """
    failpoint("web.received")
    rows = list(record())
    if all(is_answered(row) for row in rows):
        return rows, None
    try:
        waiter = board().expect(row.id for row in rows if not (is_answered(row) or _waits(row)))
    except TooManyWaiting:
        waiter = None
    try:
        hand_over(rows[0].user_id)
    except Exception:
        # Whatever it is, the rows are committed: an error would have the sender repeat what is recorded and will be
        # sent. The sweep rings for it within UNDELIVERED_SECONDS.
        log.exception("not handed over, the sweep will", user_id=rows[0].user_id)
    return rows, waiter


async def answers(rows: Sequence[Row], waiter: Waiter | None, budget: Budget) -> tuple[list[Row], bool]:
    """Wait within the budget; return the rows as they stand and whether all could be answered."""
    if waiter is not None:
        with waiter:
            await waiter.wait(budget.left_seconds)
        try:
            rows = await asyncio.wait_for(in_database(_reread, rows), REREAD_SECONDS)
        except (*DATABASE_DOWN, TimeoutError) as error:
            log.warning("not read again", error=str(error))
    return list(rows), all(is_answered(row) for row in rows)


def is_answered(row: Order | OrderRequest) -> bool:
    """Say whether the sender can be told what has become of an order, or of a request about one."""
    return is_answerable(row) if isinstance(row, Order) else not row.is_open


def _waits(row: Order | OrderRequest) -> bool:
    """Say whether this is an order that is not to be sent now, because its market is closed."""
    return isinstance(row, Order) and row.eligible_at is not None and not row.ended


def _reread(rows: Sequence[Row]) -> list[Row]:
    if isinstance(rows[0], Order):
        return cast(list[Row], orders_as_they_stand(cast(Sequence[Order], rows)))
    requests = OrderRequest.objects.select_related("order").filter(pk__in=[row.pk for row in rows])
    return cast(list[Row], list(requests.order_by("pk")))
