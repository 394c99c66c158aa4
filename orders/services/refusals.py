"""A broker's refusal on our rows: its code as the ``reason``, and as the ``text`` our words with the broker's after."""

import datetime as dt
import uuid
from collections.abc import Sequence

from django.utils import timezone

from brokers.errors import MarketClosed, NotSent, RateLimited
from brokers.refusals import RefusalCode, explain
from brokers.types import ExecutionReport
from orders.models import Order, OrderRequest
from orders.services.changes import Change
from orders.services.closed_markets import closed_at_broker

LONGEST_TEXT = 500


def refusal_columns(order: Order, code: RefusalCode, words: str) -> dict[str, str]:
    """Return the ``reason`` and ``text`` that say why a broker refused; ``words`` are its own."""
    sentence = _hours_of(order, words) if code is RefusalCode.MARKET_CLOSED else ""
    return {"reason": code.value, "text": explain(code, words, sentence=sentence)[:LONGEST_TEXT]}


def take_refusal(change: Change, report: ExecutionReport, *, is_news: bool) -> None:
    """Write why an order was rejected; a repetition that gives no words leaves those that we have."""
    if is_news or report.text:
        change.set(**refusal_columns(change.order, report.refusal or RefusalCode.OTHER, report.text))


def tell_refused_requests(
    order: Order, answered: Sequence[uuid.UUID], reports: Sequence[ExecutionReport]
) -> None:
    """Write onto the requests that these reports have refused why; part of the transaction that applies them."""
    refusal = next((report for report in reports if report.refusal is not None), None)
    if refusal is None or refusal.refusal is None or not answered:
        return
    refused = OrderRequest.objects.filter(pk__in=answered, status=OrderRequest.Status.REFUSED)
    refused.update(**refusal_columns(order, refusal.refusal, refusal.text))


def waiting_columns(error: NotSent, eligible_at: dt.datetime) -> dict[str, str]:
    """Return what a trader reads of an order that its broker has put off; nothing where that explains nothing."""
    if not isinstance(error, RateLimited):
        return {}
    seconds = max(1, round((eligible_at - timezone.now()).total_seconds()))
    sentence = f"The broker asks for a slower pace; it is sent again in {seconds} s."
    return {"reason": RefusalCode.RATE_LIMITED.value, "text": sentence}


def _hours_of(order: Order, words: str) -> str:
    return closed_at_broker(order, MarketClosed(words, next_open=None), timezone.now()).words
