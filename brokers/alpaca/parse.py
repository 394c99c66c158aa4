"""Alpaca's payloads to the desk's facts: pure, and strict about what it does not know.

A status or an event that is not in the tables below is never guessed at: it raises
``values.UnreadableFact``, an ``OutcomeUnknown``.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.alpaca.refusals import REFUSALS
from brokers.alpaca.values import (
    Payload,
    UnreadableFact,
    day_of,
    decimal_of,
    mapping_of,
    optional_decimal_of,
    text_of,
    time_of,
)
from brokers.types import (
    AccountReport,
    CorporateAction,
    ExecType,
    ExecutionReport,
    OrdStatus,
    OrdType,
    PositionReport,
    Quote,
    Side,
    TimeInForce,
)

# https://docs.alpaca.markets/docs/orders-at-alpaca (order lifecycle); "calculated" is below.
_ORD_STATUSES = {
    "accepted": OrdStatus.PENDING_NEW,  # received, not yet routed
    "pending_new": OrdStatus.PENDING_NEW,  # routed, not yet accepted for execution
    "pending_review": OrdStatus.PENDING_NEW,
    "held": OrdStatus.PENDING_NEW,  # a bracket's leg that waits for its parent
    "new": OrdStatus.NEW,
    "accepted_for_bidding": OrdStatus.NEW,
    "partially_filled": OrdStatus.PARTIALLY_FILLED,
    "filled": OrdStatus.FILLED,
    "done_for_day": OrdStatus.DONE_FOR_DAY,
    "canceled": OrdStatus.CANCELED,
    "expired": OrdStatus.EXPIRED,
    "replaced": OrdStatus.REPLACED,
    "pending_cancel": OrdStatus.PENDING_CANCEL,
    "pending_replace": OrdStatus.PENDING_REPLACE,
    "stopped": OrdStatus.STOPPED,
    "rejected": OrdStatus.REJECTED,
    "suspended": OrdStatus.SUSPENDED,
}

_EVENTS = {
    "accepted": ExecType.PENDING_NEW,
    "pending_new": ExecType.PENDING_NEW,
    "pending_review": ExecType.PENDING_NEW,
    "held": ExecType.PENDING_NEW,
    "new": ExecType.NEW,
    "accepted_for_bidding": ExecType.NEW,
    "fill": ExecType.TRADE,
    "partial_fill": ExecType.TRADE,
    "trade_correct": ExecType.TRADE_CORRECT,
    "trade_bust": ExecType.TRADE_CANCEL,
    "canceled": ExecType.CANCELED,
    "expired": ExecType.EXPIRED,
    "done_for_day": ExecType.DONE_FOR_DAY,
    "replaced": ExecType.REPLACED,
    "rejected": ExecType.REJECTED,
    "stopped": ExecType.STOPPED,
    "suspended": ExecType.SUSPENDED,
    "pending_cancel": ExecType.PENDING_CANCEL,
    "pending_replace": ExecType.PENDING_REPLACE,
    "order_cancel_rejected": ExecType.CANCEL_REJECTED,
    "order_replace_rejected": ExecType.REPLACE_REJECTED,
    "calculated": ExecType.RESTATED,
    "restated": ExecType.RESTATED,
}

# What the answer to a new order says by its status; anything further on is a plain status.
_SUBMIT_EXEC_TYPES = {
    OrdStatus.PENDING_NEW: ExecType.PENDING_NEW,
    OrdStatus.NEW: ExecType.NEW,
    OrdStatus.REJECTED: ExecType.REJECTED,
}

# The types of a FILL activity. Alpaca documents the first two; the others are *assumed*, as the paper exchange has
# them: under the names of the stream's events, each with the id of the execution that it speaks of.
_FILL_KINDS = {
    "fill": ExecType.TRADE,
    "partial_fill": ExecType.TRADE,
    "trade_correct": ExecType.TRADE_CORRECT,
    "trade_bust": ExecType.TRADE_CANCEL,
}

_ORD_TYPES = {
    "market": OrdType.MARKET,
    "limit": OrdType.LIMIT,
    "stop": OrdType.STOP,
    "stop_limit": OrdType.STOP_LIMIT,
    "trailing_stop": OrdType.TRAILING_STOP,
}
_TIMES_IN_FORCE = {time.lower(): time for time in TimeInForce}
_REFUSALS = frozenset({ExecType.REJECTED, ExecType.CANCEL_REJECTED, ExecType.REPLACE_REJECTED})

_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL}


def parse_order(row: Any) -> ExecutionReport:
    """Read an order object as an ORDER_STATUS report."""
    return _order_report(mapping_of(row), ExecType.ORDER_STATUS)


def parse_submitted(row: Any) -> ExecutionReport:
    """Read the answer to a new or replaced order; never a TRADE, whatever its status."""
    order = mapping_of(row)
    status = _ord_status(order)
    return _order_report(order, _SUBMIT_EXEC_TYPES.get(status, ExecType.ORDER_STATUS))


def parse_trade_update(data: Any) -> ExecutionReport:
    """Read the ``data`` of one ``trade_updates`` message."""
    update = mapping_of(data)
    event = text_of(update, "event")
    exec_type = _EVENTS.get(event)
    if exec_type is None:
        raise UnreadableFact(f"unknown event {event[:40]!r}")
    order = mapping_of(update.get("order"))
    when = update.get("timestamp") or update.get("at")
    fill: dict[str, Any] = {}
    if exec_type in (ExecType.TRADE, ExecType.TRADE_CORRECT, ExecType.TRADE_CANCEL):
        fill = _fill_fields(update, exec_type, text_of(update, "execution_id"))
    return _order_report(
        order,
        exec_type,
        transact_time=None if when is None else time_of(when),
        text=str(update.get("reason") or ""),
        **fill,
    )


def _fill_fields(update: Payload, exec_type: ExecType, exec_id: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"exec_id": exec_id}
    if exec_type is not ExecType.TRADE:
        fields["exec_ref_id"] = text_of(update, "previous_execution_id")
    if exec_type is not ExecType.TRADE_CANCEL:
        fields["last_qty"] = decimal_of(update.get("qty"))
        fields["last_px"] = decimal_of(update.get("price"))
    return fields


def parse_fill(row: Any, *, cl_ord_id: str, order_qty: Decimal | None) -> ExecutionReport:
    """Read a FILL account activity: a fill, its correction or its bust.

    The client order id comes from the order that it names.

    ``exec_id`` is what follows ``::`` in the activity's id
    (``20210127144930176::ddc0a142-ebfd-4890-9021-641d33e58742``). That it equals the
    ``execution_id`` of the same fill on the stream is *assumed* for Alpaca: both are UUIDs, one
    for each fill, but neither the API reference nor an issue there says so; at the paper
    exchange it holds. The desk must not count on it alone against a double count.
    """
    fill = mapping_of(row)
    kind = text_of(fill, "type")
    exec_type = _FILL_KINDS.get(kind)
    if exec_type is None:
        raise UnreadableFact(f"unknown kind of fill {kind[:40]!r}")
    cum_qty = decimal_of(fill.get("cum_qty"))
    return ExecutionReport(
        exec_type=exec_type,
        ord_status=_status_after(fill, kind),
        cl_ord_id=cl_ord_id,
        broker_order_id=text_of(fill, "order_id"),
        symbol=text_of(fill, "symbol"),
        side=_side(fill),
        order_qty=cum_qty + decimal_of(fill.get("leaves_qty")) if order_qty is None else order_qty,
        transact_time=time_of(fill.get("transaction_time")),
        cum_qty=cum_qty,
        **_fill_fields(fill, exec_type, text_of(fill, "id").rpartition("::")[2]),
    )


def _status_after(fill: Payload, kind: str) -> OrdStatus:
    """Return what an activity makes of its order; a bust or a correction may leave it in any state, and says which."""
    if kind == "fill":
        return OrdStatus.FILLED
    return (
        OrdStatus.PARTIALLY_FILLED if kind == "partial_fill" else _known_status(text_of(fill, "order_status"))
    )


def parse_position(row: Any) -> PositionReport:
    """Read a position; Alpaca's sign of a short quantity is not relied upon, its side is."""
    position = mapping_of(row)
    side = text_of(position, "side")
    if side not in ("long", "short"):
        raise UnreadableFact(f"unknown side of a position {side[:40]!r}")
    qty = abs(decimal_of(position.get("qty")))
    return PositionReport(
        symbol=text_of(position, "symbol"),
        qty=qty if side == "long" else -qty,
        avg_px=decimal_of(position.get("avg_entry_price")),
        market_value=optional_decimal_of(position.get("market_value")),
    )


def parse_split(row: Any) -> CorporateAction:
    """Read a SPLIT activity. That ``qty`` is by how much the position has changed is *assumed* of Alpaca."""
    split = mapping_of(row)
    return CorporateAction(
        symbol=text_of(split, "symbol"),
        qty=decimal_of(split.get("qty")),
        day=day_of(split.get("date")),
        description=str(split.get("description") or ""),
    )


def parse_account(row: Any) -> AccountReport:
    """Read the account; blocked means that it cannot trade right now, for whatever reason."""
    account = mapping_of(row)
    blocks = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
    return AccountReport(
        account_number=text_of(account, "account_number"),
        currency=text_of(account, "currency"),
        cash=decimal_of(account.get("cash")),
        equity=decimal_of(account.get("equity")),
        buying_power=decimal_of(account.get("buying_power")),
        blocked=text_of(account, "status").upper() != "ACTIVE" or any(account.get(b) for b in blocks),
    )


def parse_quote(answer: Any, symbol: str) -> Quote:
    """Read the latest quotes; Alpaca writes a missing side as price 0."""
    quote = mapping_of(mapping_of(mapping_of(answer).get("quotes")).get(symbol))
    return Quote(
        symbol=symbol,
        bid_px=optional_decimal_of(quote.get("bp")) or None,
        ask_px=optional_decimal_of(quote.get("ap")) or None,
        quote_time=time_of(quote.get("t")),
    )


def quoted_symbols(answer: Any) -> frozenset[str]:
    """Read only whose quotes these are."""
    return frozenset(mapping_of(mapping_of(answer).get("quotes")))


def parse_next_open(row: Any) -> datetime | None:
    """Read from the clock when the market opens next; None where it has opened since."""
    clock = mapping_of(row)
    return None if clock.get("is_open") is True else time_of(clock.get("next_open"))


def _order_report(
    order: Payload,
    exec_type: ExecType,
    *,
    transact_time: datetime | None = None,
    text: str = "",
    **fields: Any,
) -> ExecutionReport:
    ord_status = _ord_status(order)
    is_refusal = exec_type in _REFUSALS or ord_status is OrdStatus.REJECTED
    cum_qty = optional_decimal_of(order.get("filled_qty")) or Decimal(0)
    order_qty = optional_decimal_of(order.get("qty"))
    return ExecutionReport(
        exec_type=exec_type,
        ord_status=ord_status,
        cl_ord_id=text_of(order, "client_order_id"),
        broker_order_id=text_of(order, "id"),
        symbol=text_of(order, "symbol"),
        side=_side(order),
        # An order by amount of money (placed outside of the desk) has no quantity but its fills.
        order_qty=cum_qty if order_qty is None else order_qty,
        transact_time=transact_time or _last_change(order),
        cum_qty=cum_qty,
        avg_px=optional_decimal_of(order.get("filled_avg_price")),
        price=optional_decimal_of(order.get("limit_price")),
        stop_px=optional_decimal_of(order.get("stop_price")),
        text=text,
        refusal=REFUSALS.code_of(text) if is_refusal else None,
        replaces=order.get("replaces") or None,
        replaced_by=order.get("replaced_by") or None,
        ord_type=_ORD_TYPES.get(str(order.get("type"))),
        time_in_force=_TIMES_IN_FORCE.get(str(order.get("time_in_force"))),
        trail_offset=optional_decimal_of(order.get("trail_price")),
        trail_percent=optional_decimal_of(order.get("trail_percent")),
        legs=tuple(parse_order(leg) for leg in order.get("legs") or ()),
        **fields,
    )


def _ord_status(order: Payload) -> OrdStatus:
    text = text_of(order, "status")
    if text == "calculated":
        # Done for the day, only the settlement is still being worked out: filled or not.
        is_filled = decimal_of(order.get("filled_qty")) == decimal_of(order.get("qty"))
        return OrdStatus.FILLED if is_filled else OrdStatus.DONE_FOR_DAY
    return _known_status(text)


def _known_status(text: str) -> OrdStatus:
    status = _ORD_STATUSES.get(text)
    if status is None:
        raise UnreadableFact(f"unknown order status {text[:40]!r}")
    return status


def _last_change(order: Payload) -> datetime:
    for name in ("updated_at", "submitted_at", "created_at"):
        if order.get(name):
            return time_of(order[name])
    raise UnreadableFact("an order without a time")


def _side(row: Payload) -> Side:
    side = _SIDES.get(text_of(row, "side"))
    if side is None:
        raise UnreadableFact("unknown side")
    return side
