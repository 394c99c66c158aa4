"""Cancels and replaces in words: what was asked, and what has become of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from brokers.refusals import RefusalCode
from brokers.types import OrdStatus
from orders.listing import request_is_unknown
from orders.models import Order, OrderRequest
from orders.views.wording import Wording, humanise, plain_number, plain_price

Kind = OrderRequest.Kind
Status = OrderRequest.Status

_ASKED = {Kind.CANCEL: "cancel", Kind.REPLACE: "replace"}


def request_words(request: OrderRequest, order: Order, now: datetime) -> Wording:
    """Say what has become of a cancel or replace of ``order``."""
    if request_is_unknown(request, now):
        return Wording(
            "unknown",
            "Outcome unknown",
            f"The {_ASKED[Kind(request.kind)]} was sent and the broker has not said what became of it. The desk asks "
            "until it knows; meanwhile the order may still be filled as it was.",
        )
    tone, label, sentence = _WORDS[Status(request.status)]
    return Wording(tone, label, sentence(request, order))


def terms_words(request: OrderRequest) -> str:
    """Say what a replace asks for, as in ``quantity 12, limit price 99.50``; '' for a cancel."""
    terms = []
    if request.order_qty is not None:
        terms.append(f"quantity {plain_number(request.order_qty)}")
    if request.stop_px is not None:
        terms.append(f"stop price {plain_price(request.stop_px)}")
    if request.price is not None:
        terms.append(f"limit price {plain_price(request.price)}")
    return ", ".join(terms)


def _accepted(request: OrderRequest, order: Order) -> str:
    if request.kind == Kind.REPLACE:
        return f"The order is replaced: {terms_words(request)}."
    if order.ord_status == OrdStatus.DENIED:
        return "The order was canceled before it was sent."
    if order.cum_qty:
        done = f"{plain_number(order.cum_qty)} of {plain_number(order.order_qty)}"
        return f"The order is canceled. {done} were filled before."
    return "The order is canceled."


def _too_late(request: OrderRequest, order: Order) -> str:
    if order.ord_status == OrdStatus.FILLED:
        return f"Too late: the order was filled before the broker could {_ASKED[Kind(request.kind)]} it."
    return f"Too late: the order had ended before. It is {humanise(order.ord_status).lower()}."


def _refused(request: OrderRequest, order: Order) -> str:
    return f"The broker refused to {_ASKED[Kind(request.kind)]} the order. {_why(request)}The order stands as it was."


def _denied(request: OrderRequest, order: Order) -> str:
    return f"The desk did not send the {_ASKED[Kind(request.kind)]}. {_why(request)}".rstrip()


def _why(request: OrderRequest) -> str:
    reason = request.text.strip().rstrip(".") or humanise(request.reason)
    return f"{reason[0].upper()}{reason[1:]}. " if reason else ""


def _pending(request: OrderRequest, order: Order) -> str:
    return (
        f"The broker has taken the {_ASKED[Kind(request.kind)]}; until it confirms, the order may still be filled "
        "as it was."
    )


def _recorded(request: OrderRequest, order: Order) -> str:
    if order.ord_status in (OrdStatus.INITIALIZED, OrdStatus.SUBMITTED, OrdStatus.PENDING_NEW):
        return f"The {_ASKED[Kind(request.kind)]} is recorded and goes out once the broker works the order."
    if request.reason == RefusalCode.RATE_LIMITED:
        return f"The {_ASKED[Kind(request.kind)]} waits. {request.text}"
    return f"The {_ASKED[Kind(request.kind)]} is recorded and about to be sent."


def _sent(request: OrderRequest, order: Order) -> str:
    return f"The {_ASKED[Kind(request.kind)]} was sent; the broker's answer is awaited."


_Sentence = Callable[[OrderRequest, Order], str]
_WORDS: dict[Status, tuple[str, str, _Sentence]] = {
    Status.RECORDED: ("waiting", "Recorded", _recorded),
    Status.SENT: ("waiting", "Sent", _sent),
    Status.PENDING: ("working", "With the broker", _pending),
    Status.ACCEPTED: ("good", "Done", _accepted),
    Status.REFUSED: ("bad", "Refused", _refused),
    Status.MOOT: ("ended", "Too late", _too_late),
    Status.DENIED: ("bad", "Denied", _denied),
}
