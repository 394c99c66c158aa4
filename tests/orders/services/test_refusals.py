"""A broker's refusal, whichever way it comes: its code as the reason, our words and then its own as the text."""

import datetime as dt

import pytest
from django.utils import timezone

from brokers.errors import OrderRejected, PositionModeMismatch, RateLimited
from brokers.models import BrokerAccount
from brokers.refusals import RefusalCode
from brokers.types import ExecType, OrdStatus
from orders.models import Order, OrderRequest
from orders.rendering import order_json
from orders.services.leases import Fence
from orders.services.unsent import deny_order
from orders.views.request_wording import request_words
from orders.views.wording import words_for
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.hours import close_market
from tests.factories.reports import make_report
from tests.factories.requests import request, send
from tests.factories.sending import accept, at_broker, hear, submit
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db

HALTED = "Trading in this symbol is halted. The broker says: halted, T1."
NO_WORDS = "The broker refuses for a reason of its own."


def told(order: Order) -> tuple[str, str, str]:
    order.refresh_from_db()
    return order.ord_status, order.reason, order.text


def test_the_answer_to_an_order(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    refusal = OrderRejected(
        "insufficient buying power", code=RefusalCode.INSUFFICIENT_MARGIN, broker_code="403"
    )
    submit(order, ScriptedAdapter(submit=refusal), fence)
    text = (
        "The account has not enough buying power for this order. The broker says: insufficient buying power."
    )
    assert told(order) == ("REJECTED", "INSUFFICIENT_MARGIN", text)
    shown = order_json(order)
    assert (shown["reason"], shown["text"]) == ("INSUFFICIENT_MARGIN", text)
    assert words_for(order, timezone.now()).sentence == (
        f"The broker refused it. {text} Make the order smaller, close or cancel something, or pay in."
    )


def test_a_position_mode_says_what_to_switch(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    submit(order, ScriptedAdapter(submit=PositionModeMismatch("dual mode")), fence)
    status, reason, text = told(order)
    assert (status, reason) == ("REJECTED", "POSITION_MODE")
    assert text.startswith("Switch to one-way mode")


@pytest.mark.parametrize("exec_type", [ExecType.REJECTED, ExecType.ORDER_STATUS])
def test_one_that_comes_later_by_stream_or_poll(desk: Desk, exec_type: ExecType) -> None:
    order = at_broker(desk)
    hear(
        order,
        make_report(
            order, exec_type, ord_status=OrdStatus.REJECTED, refusal=RefusalCode.HALTED, text="halted, T1"
        ),
    )
    assert told(order) == ("REJECTED", "HALTED", HALTED)


def test_a_repetition_without_words_leaves_the_words_that_we_have(desk: Desk) -> None:
    order = at_broker(desk)
    rejected = {"ord_status": OrdStatus.REJECTED}
    hear(order, make_report(order, ExecType.ORDER_STATUS, **rejected))
    assert told(order) == ("REJECTED", "OTHER", NO_WORDS)
    hear(
        order,
        make_report(order, ExecType.REJECTED, refusal=RefusalCode.HALTED, text="halted, T1", **rejected),
    )
    hear(order, make_report(order, ExecType.ORDER_STATUS, refusal=RefusalCode.OTHER, **rejected))
    assert told(order) == ("REJECTED", "HALTED", HALTED)


def test_what_the_desk_had_denied_and_the_broker_rejected_says_the_brokers_reason(desk: Desk) -> None:
    order = record_one(desk)
    deny_order(order.id, reason="TOO_OLD", text="It grew too old.", source="sweep")
    rejected = {"ord_status": OrdStatus.REJECTED, "refusal": RefusalCode.HALTED, "text": "halted, T1"}
    hear(order, make_report(order, ExecType.REJECTED, **rejected))
    assert told(order) == ("REJECTED", "HALTED", HALTED)


def test_a_closed_market_comes_with_its_hours(desk: Desk) -> None:
    order = at_broker(desk)
    BrokerAccount.objects.filter(pk=desk.account.pk).update(market="XNYS")
    close_market("XNYS")
    rejected = {
        "ord_status": OrdStatus.REJECTED,
        "refusal": RefusalCode.MARKET_CLOSED,
        "text": "market is closed",
    }
    hear(order, make_report(order, ExecType.REJECTED, **rejected))
    status, reason, text = told(order)
    assert (status, reason) == ("REJECTED", "MARKET_CLOSED")
    assert text.startswith("The New York Stock Exchange is closed; it opens on ")
    assert text.endswith("The broker says: market is closed.")


def test_a_pace_that_is_too_fast_is_told_while_the_order_waits(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    submit(order, ScriptedAdapter(submit=RateLimited("slow down", retry_after_seconds=7)), fence)
    text = "The broker asks for a slower pace; it is sent again in 7 s."
    assert told(order) == ("INITIALIZED", "RATE_LIMITED", text)
    assert words_for(order, timezone.now()).label == "Waits for the broker"
    assert words_for(order, timezone.now()).sentence == text
    Order.objects.filter(pk=order.pk).update(eligible_at=timezone.now() - dt.timedelta(seconds=1))
    submit(order, accept(order), fence)
    assert told(order) == ("NEW", "", "")


@pytest.mark.parametrize("kind", ["CANCEL", "REPLACE"])
def test_the_answer_to_a_request(order: Order, fence: Fence, kind: str) -> None:
    refusal = OrderRejected("it is filled", code=RefusalCode.ORDER_NOT_OPEN)
    asked = request(order, kind, **({} if kind == "CANCEL" else {"order_qty": "12"}))
    send(asked, ScriptedAdapter(cancel=refusal, replace=refusal), fence)
    asked.refresh_from_db()
    assert (asked.status, asked.reason) == ("REFUSED", "ORDER_NOT_OPEN")
    assert asked.text == "The broker has no such order open. The broker says: it is filled."
    assert asked.order.reason == ""


def test_a_request_that_is_refused_on_the_stream(order: Order, fence: Fence) -> None:
    asked = send(request(order), ScriptedAdapter(), fence)
    refusal = {"refusal": RefusalCode.ORDER_NOT_OPEN, "text": "too late"}
    hear(order, make_report(order, ExecType.CANCEL_REJECTED, **refusal))
    asked.refresh_from_db()
    assert (asked.status, asked.reason) == ("REFUSED", "ORDER_NOT_OPEN")
    assert asked.text == "The broker has no such order open. The broker says: too late."


def test_a_request_that_waits_for_the_brokers_pace_says_so_and_is_sent_again(
    order: Order, fence: Fence
) -> None:
    asked = request(order)
    send(asked, ScriptedAdapter(cancel=RateLimited("slow down", retry_after_seconds=7)), fence)
    text = "The broker asks for a slower pace; it is sent again in 7 s."
    assert (asked.status, asked.reason, asked.text) == ("RECORDED", "RATE_LIMITED", text)
    assert request_words(asked, order, timezone.now()).sentence == f"The cancel waits. {text}"
    assert asked.eligible_at is not None
    assert asked.eligible_at > timezone.now() + dt.timedelta(seconds=5)
    OrderRequest.objects.filter(pk=asked.pk).update(eligible_at=timezone.now() - dt.timedelta(seconds=1))
    again = send(asked, ScriptedAdapter(), fence)
    assert (again.status, again.reason, again.text) == ("PENDING", "", "")
