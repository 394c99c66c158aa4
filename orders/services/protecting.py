"""Keep a position's protective exits as they should be: one step at a time, decided from the database alone.

What is decided here is recorded as orders and requests, which the worker sends as it sends any other. A worker that
dies leaves the rest to the next: whatever has happened by then, the next look finds what is missing.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.types import Capabilities, OrdType, TimeInForce
from failpoints import failpoint
from orders.intake.replace_request import InvalidRequest, ReplaceTerms
from orders.models import AttentionItem, ExitReason, Leg, Order, Position, Source
from orders.protection import Cancel, PlaceLegs, Replace, Rules, Step, StopTerms, Wait, plan
from orders.services.attention import open_item
from orders.services.closing_out import close_out, is_beyond
from orders.services.executions import Applied
from orders.services.leases import Fence, hold_lease
from orders.services.new_orders import ExitTerms, Provenance, write_order
from orders.services.positions import lock_position
from orders.services.protected_places import Found, look_at_place, open_legs
from orders.services.requests import Asked, RequestRefused, record_cancel, record_replace
from orders.services.retrying import retried

REFUSED_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Protected:
    """What a look at a position has done, and whether it has to be looked at again by the clock."""

    applied: tuple[Applied, ...] = ()
    again_in_seconds: float | None = None


@retried
def protect_position(
    *, account_id: uuid.UUID, symbol: str, capabilities: Capabilities, fence: Fence
) -> Protected:
    """Decide what is next for the protective exits of a position, and record it under this lease.

    Orders are locked before the position, as everywhere. Safe to call at any time. Raises ``LeaseLost``.
    """
    failpoint("protect.before")
    with transaction.atomic():
        legs = open_legs(account_id, symbol)
        position = lock_position(fence.user_id, account_id, symbol)
        hold_lease(fence)
        account = BrokerAccount.objects.get(pk=account_id)
        protected = _protect(account, position, legs, capabilities)
        failpoint("protect.before_commit")
    failpoint("protect.after_commit")
    return protected


def _protect(
    account: BrokerAccount, position: Position, legs: Sequence[Order], capabilities: Capabilities
) -> Protected:
    found = look_at_place(position, legs)
    closing = _close_out(account, position, found)
    if closing is not None and closing.again_in_seconds is None:
        return closing  # what comes next is told by the exit's end
    if not position.qty and not legs and position.protected:
        position.protected = False
        position.save(update_fields=["protected"])
    rules = Rules(
        oco=capabilities.oco, hold_shares=capabilities.exits_hold_shares, replaces=capabilities.replaces
    )
    steps = plan(found.place, rules)
    stopped = any(leg.leg == Leg.STOP_LOSS for leg in legs)
    if found.refusal and found.entry is not None and not stopped:
        open_item(AttentionItem.Kind.UNPROTECTED, order=found.entry, detail=found.refusal)
    by_id = {leg.id: leg for leg in legs}
    waits = [_carry_out(step, found, account, by_id, capabilities) for step in steps]
    waits.append(None if closing is None else closing.again_in_seconds)
    if found.target_in_seconds and not steps:
        waits.append(found.target_in_seconds)
    return Protected(again_in_seconds=min((wait for wait in waits if wait is not None), default=None))


def _carry_out(
    step: Step,
    found: Found,
    account: BrokerAccount,
    legs: dict[uuid.UUID, Order],
    capabilities: Capabilities,
) -> float | None:
    """Record one step; return in how many seconds to look again, None: when something happens."""
    if isinstance(step, Wait):
        return step.seconds
    if isinstance(step, PlaceLegs):
        _place(step, found, account, capabilities)
        return None
    asked, timeout_ms = _asked(legs[step.leg]), settings.STATEMENT_TIMEOUT_MS
    try:
        if isinstance(step, Cancel):
            record_cancel(asked, statement_timeout_ms=timeout_ms)
        else:
            record_replace(asked, _terms(step), statement_timeout_ms=timeout_ms)
    except (RequestRefused, InvalidRequest):
        return REFUSED_AGAIN_SECONDS
    return None


def _terms(step: Replace) -> ReplaceTerms:
    return ReplaceTerms(order_qty=step.order_qty, price=step.price, stop_px=step.stop_px)


def _asked(order: Order) -> Asked:
    return Asked(user_id=order.user_id, order_id=order.id, source=Source.DESK, received_at=timezone.now())


def _place(step: PlaceLegs, found: Found, account: BrokerAccount, capabilities: Capabilities) -> None:
    """Record the orders of one step; of an OCO the target first, since its command carries the stop."""
    if found.entry is None:
        raise ValueError("exits for no entry")
    side = found.place.closing_side
    time_in_force = _time_in_force(step, capabilities)
    target = None
    if step.target is not None:
        terms = ExitTerms(
            symbol=found.entry.symbol,
            side=side,
            ord_type=OrdType.LIMIT,
            price=step.target,
            time_in_force=time_in_force,
        )
        target = _write_leg(found.entry, account, step, terms, Leg.TAKE_PROFIT, None, None)
    if step.stop is not None:
        terms = ExitTerms(
            symbol=found.entry.symbol,
            side=side,
            ord_type=OrdType.TRAILING_STOP if step.stop.is_trailing else OrdType.STOP,
            stop_px=step.stop.stop_px,
            time_in_force=time_in_force,
        )
        _write_leg(found.entry, account, step, terms, Leg.STOP_LOSS, step.stop, target)


def _write_leg(
    entry: Order,
    account: BrokerAccount,
    step: PlaceLegs,
    terms: ExitTerms,
    leg: Leg,
    stop: StopTerms | None,
    sent_with: Order | None,
) -> Order:
    reason = ExitReason.STOPPED_OUT if leg is Leg.STOP_LOSS else ExitReason.PROFIT_TAKEN
    provenance = Provenance(
        source=Source.DESK,
        received_at=timezone.now(),
        strategy=entry.strategy,
        exit_reason=reason,
        leg=leg,
        parent=entry,
        writer="worker",
    )
    return write_order(
        terms,
        account,
        step.qty,
        provenance,
        trail_offset=stop.trail_offset if stop else None,
        trail_percent=stop.trail_percent if stop else None,
        sent_with=sent_with,
    )


def _time_in_force(step: PlaceLegs, capabilities: Capabilities) -> TimeInForce:
    """Let protection outlive the session; where the broker takes fractions for the day only, it is put back then."""
    whole = step.qty == step.qty.to_integral_value()
    lasts = TimeInForce.GTC in capabilities.times_in_force and (whole or not capabilities.exits_hold_shares)
    return TimeInForce.GTC if lasts else TimeInForce.DAY


def _close_out(account: BrokerAccount, position: Position, found: Found) -> Protected | None:
    """Close at once what no protective exit can help any more; None where there is no such thing."""
    if found.overclosed_by is not None:
        return _meet_overclosed(account, position, found.overclosed_by)
    entry, stop = found.entry, found.refused_stop
    if entry is None or stop is None or found.place.exit_under_way or not is_beyond(account, position, stop):
        return None
    return Protected(
        again_in_seconds=close_out(account, position, exit_reason=ExitReason.STOPPED_OUT, parent=entry)
    )


def _meet_overclosed(account: BrokerAccount, position: Position, exit_order: Order) -> Protected | None:
    """Tell of a position that an exit has turned over, and take it back where the desk is set so."""
    detail = f"{exit_order.symbol}: more was closed than was held, {position.qty.normalize():f} are open the other way"
    open_item(AttentionItem.Kind.OVERCLOSED, order=exit_order, detail=detail)
    if settings.OVERCLOSED_POLICY != "flatten":
        return None
    wait = close_out(account, position, exit_reason=ExitReason.OVERFILLED, parent=exit_order)
    return Protected(again_in_seconds=wait)
