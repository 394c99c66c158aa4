"""Whether an account's stream can be relied on, and how closely its broker is asked while it cannot."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from brokers.base import Stream
from orders.models import Order
from orders.services.executions import Applied
from tasks.fleet.slots import boottime

Known = Mapping[object, tuple[Decimal, bool]]


class StreamWatch:
    """Watches one stream for the worker's loop; ``heard`` is called in the stream's thread.

    A stream is not relied on while it is not live, nor, for a while, after polling has found what it should have
    told: it may be connected, answer every ping, and say nothing all the same.
    """

    def __init__(self, stream: Stream, clock: Callable[[], float] = boottime) -> None:
        self._stream = stream
        self._clock = clock
        self._live_since: dt.datetime | None = None
        self._suspect_until = 0.0
        self._next_poll: float | None = 0.0  # None: nothing is open that would have to be asked about

    @property
    def is_reliable(self) -> bool:
        """Say whether what happens at the broker is told without asking."""
        self._look()
        return self._stream.is_live and self._clock() >= self._suspect_until

    def poll_in_seconds(self) -> float | None:
        """Return in how many seconds to ask the broker because its stream tells nothing; None where that is not due."""
        if self.is_reliable or self._next_poll is None:
            return None
        return max(self._next_poll - self._clock(), 0.0)

    def takes_poll(self, *, wanted: bool) -> bool:
        """Say whether to ask the broker now, and count on its being done; ``wanted``: there is something to ask."""
        if self.is_reliable or not wanted:
            self._next_poll = 0.0 if self.is_reliable else None
            return False
        if self._next_poll is not None and self._clock() < self._next_poll:
            return False
        self._next_poll = self._clock() + settings.VERIFY_BLIND_SECONDS
        return True

    def heard(self) -> None:
        """Note that the stream has told something: it speaks, whatever was suspected."""
        self._suspect_until = 0.0

    def finds_silence(self, known: Known, found: Sequence[Applied]) -> bool:
        """Say whether polling has found what the live stream should have told long since; suspect it then.

        ``known`` is what was known of the orders before they were asked about. What happened before the stream was
        live, or a moment ago, proves nothing.
        """
        self._look()
        if self._live_since is None:
            return False
        grace = dt.timedelta(seconds=settings.STREAM_SILENCE_SECONDS)
        since, until = self._live_since + grace, timezone.now() - grace
        late = [one for one in found if one.changed and _is_news(one.order, known)]
        silent = any(since < one.order.transact_time < until for one in late if one.order.transact_time)
        if silent:
            self._suspect_until = self._clock() + settings.STREAM_SUSPECT_SECONDS
            self._live_since = None  # what is found from now on counts from the new connection
            self._next_poll = 0.0
        return silent

    def _look(self) -> None:
        if not self._stream.is_live:
            self._live_since = None
        elif self._live_since is None:
            self._live_since = timezone.now()
            self._next_poll = 0.0  # once it is lost again


def known_of(orders: Collection[Order]) -> Known:
    """Keep what is known of these orders, before anybody is asked."""
    return {order.id: (order.cum_qty, order.ended) for order in orders}


def _is_news(order: Order, known: Known) -> bool:
    """Say whether the order has been filled or has ended since; those are what every stream tells."""
    cum_qty, ended = known.get(order.id, (Decimal(0), False))
    return order.cum_qty != cum_qty or order.ended != ended
