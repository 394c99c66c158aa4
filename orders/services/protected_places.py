"""Read what a position is to be protected by, what rests, and what has happened to it: one look, under its locks."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import F, Q

from brokers.types import OrdStatus, OrdType, PositionEffect, Side
from orders.models import Leg, Order, OrderRequest, Position, Source, Trade, TradeOrder
from orders.protection import (
    LegKind,
    LegState,
    OpenLeg,
    Place,
    StopTerms,
    protection_from_dict,
    stop_terms,
    target_px,
    usual_tick,
)
from orders.services.instruments import instrument_of
from orders.services.journal import open_trade_of
from orders.services.refused_exits import (
    pause_seconds,
    refusal_words,
    refused_exits,
    refused_stop,
    seconds_left,
    target_in_seconds,
)

CHURN_SECONDS = 1.0
"""While an entry is being filled its exits follow it no faster."""
SETTLE_SECONDS = 1.0
"""So long a broker has to cancel an OCO's other order by itself."""
UNTOLD_SECONDS = 5.0
"""So long nothing is placed beside an exit that has ended with fills of which only their number was told."""
BY_HAND = (Source.DASHBOARD, Source.API)


@dataclass(frozen=True, slots=True)
class Found:
    """What a look has found.

    ``refusal`` tells of exits that the broker would not have, ``refused_stop`` is the last of them where that was a
    stop by itself at a price; ``target_in_seconds``: it would not have the target
    beside the stop, which is placed alone until then.
    """

    place: Place
    entry: Order | None = None
    overclosed_by: Order | None = None
    refusal: str = ""
    refused_stop: Order | None = None
    target_in_seconds: float = 0.0


def open_legs(account_id: uuid.UUID, symbol: str) -> list[Order]:
    """Return the protective exits of a place that have not ended, by id, their rows locked."""
    rows = Order.objects.select_for_update(no_key=True, of=("self",))
    return list(rows.filter(account=account_id, symbol=symbol, ended=False, leg__in=list(Leg)).order_by("id"))


def look_at_place(position: Position, legs: Sequence[Order]) -> Found:
    """Return what there is to know about a locked position and its locked protective exits."""
    trade = open_trade_of(position)
    overclosed_by = _overclosed_by(trade)
    entry = None if trade is None or overclosed_by else protected_entry(trade)
    under_way = _exit_under_way(position)
    seen = tuple(_leg_of(order) for order in legs)
    if entry is None:
        place = Place(
            position=position.qty,
            legs=seen,
            exit_under_way=under_way,
            settle_in_seconds=_settle_seconds(position, legs),
        )
        return Found(place, overclosed_by=overclosed_by)
    stop, target = _wanted(entry, position)
    refusals = refused_exits(entry)
    target_in = 0.0 if stop is None or target is None else target_in_seconds(refusals)
    place = Place(
        position=position.qty,
        stop=stop,
        target=None if target_in else target,
        legs=seen,
        exit_under_way=under_way,
        place_in_seconds=max(pause_seconds(refusals), _untold_seconds(position)),
        resize_in_seconds=0.0 if entry.ended else _churn_seconds(legs),
        settle_in_seconds=_settle_seconds(position, legs),
    )
    return Found(
        place,
        entry,
        refusal=refusal_words(refusals),
        refused_stop=refused_stop(refusals, seen),
        target_in_seconds=target_in,
    )


def protected_entry(trade: Trade) -> Order | None:
    """Return the newest filled entry of an open trade that came with protective exits."""
    entries = Order.objects.select_related("strategy").filter(
        trade_legs__trade=trade,
        trade_legs__role=TradeOrder.Role.ENTRY,
        trade_legs__qty__gt=0,
        position_effect=PositionEffect.OPEN,
        protection__isnull=False,
    )
    return entries.order_by("-id").first()


def _overclosed_by(trade: Trade | None) -> Order | None:
    """Return the exit that has opened this trade: it has closed more than there was."""
    if trade is None:
        return None
    entries = trade.legs.filter(role=TradeOrder.Role.ENTRY, qty__gt=0).select_related("order")
    orders = [entry.order for entry in entries.order_by("id")]
    if not orders or any(order.position_effect == PositionEffect.OPEN for order in orders):
        return None
    return orders[0]


def _exit_under_way(position: Position) -> bool:
    exits = Order.objects.filter(
        account=position.account_id,
        symbol=position.symbol,
        position_effect=PositionEffect.CLOSE,
        ended=False,
        leg="",
        next_check_at__isnull=False,
    )
    return exits.exists()


def _wanted(entry: Order, position: Position) -> tuple[StopTerms | None, Decimal | None]:
    """Return stop and target at their prices; what the trader has canceled or moved by hand is left so."""
    protection = protection_from_dict(entry.protection or {})
    given_up = _given_up(entry)
    entry_px, is_long = entry.avg_px or Decimal(0), position.qty > 0
    instrument = instrument_of(position.account, position.symbol)
    tick_at = usual_tick if instrument is None else instrument.tick_at
    stop = stop_terms(protection, entry_px=entry_px, is_long=is_long, tick_at=tick_at)
    target = target_px(protection, entry_px=entry_px, is_long=is_long, tick_at=tick_at)
    moved = _moved(entry)
    if stop is not None and not stop.is_trailing and Leg.STOP_LOSS in moved:
        stop = StopTerms(stop_px=moved[Leg.STOP_LOSS])
    return (
        None if Leg.STOP_LOSS in given_up else stop,
        None if Leg.TAKE_PROFIT in given_up or target is None else moved.get(Leg.TAKE_PROFIT, target),
    )


def _moved(entry: Order) -> dict[str, Decimal]:
    """Return the prices to which the trader has moved exits by hand, by kind of exit: the last of each."""
    replaces = OrderRequest.objects.filter(
        order__parent=entry,
        order__leg__in=list(Leg),
        kind=OrderRequest.Kind.REPLACE,
        status=OrderRequest.Status.ACCEPTED,
        source__in=BY_HAND,
    )
    rows = replaces.order_by("id").values_list("order__leg", "stop_px", "price")
    prices = ((leg, stop_px if leg == Leg.STOP_LOSS else price) for leg, stop_px, price in rows)
    return {leg: price for leg, price in prices if price is not None}


def _given_up(entry: Order) -> set[str]:
    canceled = OrderRequest.objects.filter(
        order__parent=entry,
        order__leg__in=list(Leg),
        kind=OrderRequest.Kind.CANCEL,
        status=OrderRequest.Status.ACCEPTED,
        source__in=BY_HAND,
    )
    return set(canceled.values_list("order__leg", flat=True))


def _leg_of(order: Order) -> OpenLeg:
    requests = list(order.requests.order_by("-id"))
    return OpenLeg(
        id=order.id,
        kind=LegKind(order.leg),
        side=Side(order.side),
        state=_state_of_leg(order, requests),
        leaves_qty=order.leaves_qty,
        cum_qty=order.cum_qty,
        stop=_stop_of(order),
        price=order.price,
        pair=_pair_of(order),
        replaceable=not any(_was_refused(one, OrderRequest.Kind.REPLACE) for one in requests),
        pause_seconds=_refused_lately(requests),
    )


def _state_of_leg(order: Order, requests: Sequence[OrderRequest]) -> LegState:
    standing = {request.kind for request in requests if request.is_open}
    if OrderRequest.Kind.CANCEL in standing or order.ord_status == OrdStatus.PENDING_CANCEL:
        return LegState.ENDING
    if order.ord_status == OrdStatus.INITIALIZED:
        return LegState.UNSENT
    if order.ord_status == OrdStatus.SUBMITTED:
        return LegState.IN_FLIGHT
    if OrderRequest.Kind.REPLACE in standing or order.ord_status == OrdStatus.PENDING_REPLACE:
        return LegState.CHANGING
    return LegState.WORKING


def _stop_of(order: Order) -> StopTerms | None:
    if order.leg != Leg.STOP_LOSS:
        return None
    if order.ord_type == OrdType.TRAILING_STOP:
        return StopTerms(trail_offset=order.trail_offset, trail_percent=order.trail_percent)
    return StopTerms(stop_px=order.stop_px)


def _pair_of(order: Order) -> uuid.UUID | None:
    if order.leg == Leg.STOP_LOSS:
        return order.sent_with_id
    return order.id if Order.objects.filter(sent_with=order.id).exists() else None


def _was_refused(request: OrderRequest, kind: OrderRequest.Kind) -> bool:
    return request.kind == kind and request.status == OrderRequest.Status.REFUSED


def _refused_lately(requests: Sequence[OrderRequest]) -> float:
    refused = next((one for one in requests if _was_refused(one, OrderRequest.Kind.CANCEL)), None)
    return 0.0 if refused is None else seconds_left(refused.recorded_at, CHURN_SECONDS)


def _churn_seconds(legs: Sequence[Order]) -> float:
    """Return how long what was placed or changed last is left alone, because more fills are to come."""
    moments = [leg.recorded_at for leg in legs]
    moments += [request.recorded_at for leg in legs for request in leg.requests.all()]
    return max((seconds_left(moment, CHURN_SECONDS) for moment in moments), default=0.0)


def _settle_seconds(position: Position, legs: Sequence[Order]) -> float:
    """Return how long the broker still has to end what rests of an OCO: its other order has ended just now."""
    others = [leg.sent_with_id for leg in legs if leg.sent_with_id]
    pairs = Q(pk__in=others) | Q(sent_with__in=[leg.id for leg in legs])
    ended = Order.objects.filter(pairs, account=position.account_id, symbol=position.symbol, ended=True)
    moments = ended.exclude(transact_time=None).values_list("transact_time", flat=True)
    return max(
        (seconds_left(moment, SETTLE_SECONDS) for moment in moments if moment is not None), default=0.0
    )


def _untold_seconds(position: Position) -> float:
    """Return how long to wait for fills that the broker has counted and not told: they are closed already."""
    ended = Order.objects.filter(
        account=position.account_id,
        symbol=position.symbol,
        position_effect=PositionEffect.CLOSE,
        ended=True,
        next_check_at__isnull=False,  # followed, since the broker counts more than we do
        cum_qty__lt=F("order_qty"),
    ).exclude(ord_status__in=[OrdStatus.DENIED, OrdStatus.REJECTED])
    moments = ended.exclude(transact_time=None).values_list("transact_time", flat=True)
    return max(
        (seconds_left(moment, UNTOLD_SECONDS) for moment in moments if moment is not None), default=0.0
    )
