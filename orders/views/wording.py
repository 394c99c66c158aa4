"""An order's state in words that a trader understands, and with a tone that a page can show."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from brokers.refusals import MEANINGS, RefusalCode
from brokers.types import OrdStatus
from orders.listing import outcome_is_unknown
from orders.models import Order
from orders.services.closed_markets import MARKET_CLOSED
from orders.services.turns import WAITS

SOURCES = {
    "web": "the way in",
    "worker": "the worker",
    "response": "the broker's answer",
    "stream": "the broker's stream",
    "poll": "a question to the broker",
    "reconciliation": "a comparison with the broker",
    "lookup": "the look-up of an unknown outcome",
    "sweep": "the sweep",
    "operator": "an operator",
}
STAGES = {
    "received": "Received",
    "recorded": "Recorded",
    "dequeued": "Taken up by the worker",
    "sent": "Sent to the broker",
    "acknowledged": "Acknowledged by the broker",
    "replied": "Answered",
}
EVENTS = {
    "Recorded": "Recorded",
    "Submitted": "Sending to the broker",
    "NotSent": "Proven not sent; it is tried again",
    "Postponed": "Its account cannot be opened; it is tried again",
    "Denied": "Denied by the desk",
    "HeldBack": "It waits for its market to open",
    "WayBlocked": "It waits for other orders of its symbol to end",
    "ReversalBegun": "The opposite position is closed first",
    "OutcomeUnknown": "The broker's answer did not come",
    "PendingNew": "Received by the broker",
    "Acknowledged": "Accepted by the broker",
    "Resized": "Its quantity is settled",
    "NotSizedYet": "What it is to be sized by is not known; it is tried again",
    "Sized": "The broker has turned the amount into a quantity",
    "Trade": "Fill",
    "Correction": "A fill is corrected",
    "Bust": "A fill is taken back",
    "StatusReport": "The broker was asked",
    "Heard": "The broker said nothing new",
    "Checked": "Looked at again",
    "Replied": "The sender was answered",
    "Canceled": "Canceled",
    "Expired": "Expired",
    "Rejected": "Rejected by the broker",
    "Triggered": "The stop price was reached",
    "DoneForDay": "Done for the day",
    "Stopped": "The broker guarantees the fill",
    "Suspended": "The broker does not work it for now",
    "Restated": "The broker has changed its terms",
    "CancelRecorded": "A cancel was asked for",
    "ReplaceRecorded": "A replace was asked for",
    "CancelRequested": "Sending the cancel to the broker",
    "ReplaceRequested": "Sending the replace to the broker",
    "RequestNotSent": "Proven that the broker has not got the request; it is tried again",
    "RequestOutcomeUnknown": "The broker's answer to the request did not come",
    "RequestDeclined": "The request is not sent any more",
    "PendingCancel": "The broker has taken the cancel",
    "PendingReplace": "The broker has taken the replace",
    "Replaced": "Replaced",
    "CancelRejected": "The broker refused the cancel",
    "ReplaceRejected": "The broker refused the replace",
    "AdoptRequested": "An operator says which of the broker's orders it is",
    "Adopted": "The broker's order is taken for it",
    "AdoptRefused": "The broker's order cannot be it",
    "NeverSentDeclared": "An operator declared that it was never sent",
}
TYPES = {
    "MARKET": "Market",
    "LIMIT": "Limit",
    "STOP": "Stop",
    "STOP_LIMIT": "Stop limit",
    "TRAILING_STOP": "Trailing stop",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """``tone`` is one of waiting, working, good, bad, ended and unknown."""

    tone: str
    label: str
    sentence: str


def plain_number(number: Decimal) -> str:
    """Write a number without an exponent and without the zeros that its column adds."""
    return f"{number.normalize():f}"


def plain_price(number: Decimal) -> str:
    """Write a price like ``plain_number``, with two decimals at least."""
    text = plain_number(number)
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:0<2}"


def humanise(code: str) -> str:
    """Write a code like ``NO_WORKER_FREE`` or ``NoWorkerFree`` as words: ``No worker free``."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", code)
    return apart.replace("_", " ").replace("-", " ").strip().capitalize()


def event_words(kind: str) -> str:
    """Say what an event of this kind means."""
    return EVENTS.get(kind) or humanise(kind)


def words_for(order: Order, now: datetime) -> Wording:
    """Say what has become of an order."""
    if outcome_is_unknown(order, now):
        return Wording(
            "unknown",
            "Outcome unknown",
            "It was sent and the broker has not said what became of it. The desk asks the broker until it "
            "knows; nothing is assumed meanwhile.",
        )
    if order.ord_status == OrdStatus.INITIALIZED and order.reason == MARKET_CLOSED:
        return Wording("waiting", "Waits for the open", f"{order.text} It is kept until then, and sent.")
    if order.ord_status == OrdStatus.INITIALIZED and order.reason in WAITS:
        return Wording("waiting", "Waits its turn", order.text)
    if order.ord_status == OrdStatus.INITIALIZED and order.reason == RefusalCode.RATE_LIMITED:
        return Wording("waiting", "Waits for the broker", order.text)
    tone, label, sentence = _STATUSES[OrdStatus(order.ord_status)]
    return Wording(tone, label, sentence(order))


def _filled(order: Order) -> str:
    price = f" at {plain_price(order.avg_px)} on average" if order.avg_px is not None else ""
    if order.cum_qty == order.order_qty:
        return f"All {plain_number(order.order_qty)} filled{price}."
    return f"{plain_number(order.cum_qty)} of {plain_number(order.order_qty)} filled{price}."


def _with_fills(start: str) -> Callable[[Order], str]:
    return lambda order: f"{start} {_filled(order)}" if order.cum_qty else start


def _with_reason(start: str) -> Callable[[Order], str]:
    def sentence(order: Order) -> str:
        reason = order.text.strip().rstrip(".") or humanise(order.reason)
        return f"{start} {reason[0].upper()}{reason[1:]}." if reason else start

    return sentence


def _refused(order: Order) -> str:
    sentence = _with_reason("The broker refused it.")(order)
    code = order.reason if order.reason in RefusalCode.__members__ else RefusalCode.OTHER
    return f"{sentence} {MEANINGS[RefusalCode(code)].advice}"


_Sentence = Callable[[Order], str]
_STATUSES: dict[OrdStatus, tuple[str, str, _Sentence]] = {
    OrdStatus.INITIALIZED: (
        "waiting",
        "Recorded",
        lambda order: "It is recorded and waits for the trader's worker to send it.",
    ),
    OrdStatus.DENIED: ("bad", "Denied", _with_reason("The desk did not send it.")),
    OrdStatus.SUBMITTED: ("waiting", "Sent", lambda order: "It was sent; the broker's answer is awaited."),
    OrdStatus.PENDING_NEW: (
        "working",
        "With the broker",
        _with_fills("The broker has it and is about to work it."),
    ),
    OrdStatus.NEW: ("working", "Working", _with_fills("It works in the broker's book.")),
    OrdStatus.PARTIALLY_FILLED: (
        "working",
        "Partly filled",
        lambda order: f"{_filled(order)} The rest works on.",
    ),
    OrdStatus.FILLED: ("good", "Filled", _filled),
    OrdStatus.DONE_FOR_DAY: (
        "waiting",
        "Done for the day",
        _with_fills("The broker works it no more today."),
    ),
    OrdStatus.CANCELED: ("ended", "Canceled", _with_fills("It was canceled.")),
    OrdStatus.REPLACED: ("ended", "Replaced", _with_fills("Another order has taken its place.")),
    OrdStatus.PENDING_CANCEL: (
        "working",
        "Canceling",
        _with_fills("The broker was asked to cancel it and may still fill it."),
    ),
    OrdStatus.PENDING_REPLACE: (
        "working",
        "Replacing",
        _with_fills("The broker was asked to replace it and may still fill it."),
    ),
    OrdStatus.STOPPED: ("working", "Guaranteed", _with_fills("The broker guarantees its fill at a price.")),
    OrdStatus.SUSPENDED: ("waiting", "Suspended", _with_fills("The broker does not work it for now.")),
    OrdStatus.REJECTED: ("bad", "Rejected", _refused),
    OrdStatus.EXPIRED: ("ended", "Expired", _with_fills("Its time ended.")),
}
