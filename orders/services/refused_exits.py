"""Protective exits that a broker would not have: how long to wait after them, and what to say of them."""

import datetime as dt
from collections.abc import Sequence

from django.utils import timezone

from brokers.types import OrdStatus
from orders.models import Leg, Order, OrderRequest
from orders.protection import LegKind, OpenLeg

LONGEST_PAUSE_SECONDS = 60.0
REFUSALS_COUNT_FOR = dt.timedelta(minutes=10)


def refused_exits(entry: Order) -> list[Order]:
    """Return the exits for this entry that came to nothing lately and not by our own doing, newest first.

    Of an OCO the one that was sent.
    """
    rows = Order.objects.filter(
        parent=entry,
        leg__in=list(Leg),
        sent_with__isnull=True,
        ended=True,
        cum_qty=0,
        ord_status__in=[OrdStatus.REJECTED, OrdStatus.CANCELED, OrdStatus.EXPIRED],
        recorded_at__gt=timezone.now() - REFUSALS_COUNT_FOR,
    )
    return list(rows.exclude(requests__kind=OrderRequest.Kind.CANCEL).order_by("-id"))


def pause_seconds(refusals: Sequence[Order]) -> float:
    """Return how long to wait after so many refusals: 1, 2, 4 ... 60 s after the last."""
    if not refusals:
        return 0.0
    pause = min(2.0 ** min(len(refusals) - 1, 6), LONGEST_PAUSE_SECONDS)
    return seconds_left(refusals[0].transact_time or refusals[0].recorded_at, pause)


def target_in_seconds(refusals: Sequence[Order]) -> float:
    """Return how long a target that the broker has refused is left out: a stop by itself is worth more than neither."""
    last = next((one for one in refusals if one.leg == Leg.TAKE_PROFIT), None)
    if last is None or last.ord_status != OrdStatus.REJECTED:
        return 0.0
    return seconds_left(last.recorded_at, REFUSALS_COUNT_FOR.total_seconds())


def refused_stop(refusals: Sequence[Order], legs: Sequence[OpenLeg]) -> Order | None:
    """Return the stop that was refused last, while none is there."""
    last = next(iter(refusals), None)
    if last is None or last.leg != Leg.STOP_LOSS or last.ord_status != OrdStatus.REJECTED:
        return None
    has_stop = any(leg.kind is LegKind.STOP_LOSS for leg in legs)
    return None if has_stop or last.stop_px is None else last


def refusal_words(refusals: Sequence[Order]) -> str:
    """Return what the broker said of the last refusal; nothing where what came last was none."""
    last = next((one for one in refusals if one.ord_status == OrdStatus.REJECTED), None)
    if last is None or last is not refusals[0]:
        return ""
    return f"the broker refused the {last.get_leg_display().lower()} of {last.symbol}: {last.text}"


def seconds_left(since: dt.datetime, seconds: float) -> float:
    """Return what is left of so many seconds; a clock that is ahead does not make them more."""
    passed = (timezone.now() - since).total_seconds()
    return min(max(seconds - passed, 0.0), seconds)
