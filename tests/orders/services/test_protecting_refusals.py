"""Protective exits that a broker refuses, does not take yet, or says nothing of."""

from dataclasses import replace

import pytest
from django.utils import timezone

from brokers.errors import MarketClosed, OrderRejected, RateLimited
from brokers.paper.factory import CAPABILITIES
from brokers.types import ExecType, IdempotencyClass
from orders.models import AttentionItem, Errand, Order, OrderRequest
from orders.selectors import next_due_at
from orders.services.leases import Fence
from orders.services.lookup import look_up_order
from orders.services.protecting import protect_position
from tests.factories.adapters import ScriptedAdapter
from tests.factories.protecting import (
    entered,
    legs,
    look,
    oco_answer,
    protect,
)
from tests.factories.quotes import keep_quote
from tests.factories.sending import UNKNOWN, accepting, hear, send_order, submit
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db


def test_a_refused_pair_is_told_of_and_tried_again(desk: Desk, fence: Fence) -> None:
    entry = entered(desk, fence)
    protect(desk, fence)
    pair = legs(desk)
    submit(pair["TAKE_PROFIT"], ScriptedAdapter(submit=OrderRejected("stop price too near")), fence)
    assert legs(desk) == {}, "what the broker refuses, it refuses whole"
    wait = protect(desk, fence)
    assert wait is not None
    assert 0 < wait <= 1
    item = AttentionItem.objects.get(kind=AttentionItem.Kind.UNPROTECTED)
    assert item.order == entry
    assert "stop price too near" in item.detail
    Order.objects.filter(leg="TAKE_PROFIT").update(
        transact_time=timezone.now() - timezone.timedelta(seconds=2)
    )
    protect_position(account_id=desk.account.id, symbol="AAPL", capabilities=CAPABILITIES, fence=fence)
    assert set(legs(desk)) == {"STOP_LOSS"}, "the stop by itself, rather than neither"
    stop = legs(desk)["STOP_LOSS"]
    send_order(stop, fence, accepting(stop))
    wait = protect(desk, fence)
    assert wait is not None
    assert 500 < wait <= 600, "then the target is tried again"
    Order.objects.filter(leg="TAKE_PROFIT").update(
        recorded_at=timezone.now() - timezone.timedelta(minutes=11)
    )
    protect_position(account_id=desk.account.id, symbol="AAPL", capabilities=CAPABILITIES, fence=fence)
    assert OrderRequest.objects.get().order == stop


def test_a_pair_that_was_not_sent_waits_together(desk: Desk, fence: Fence) -> None:
    entered(desk, fence)
    protect(desk, fence)
    target = legs(desk)["TAKE_PROFIT"]
    submit(target, ScriptedAdapter(submit=RateLimited("slow", retry_after_seconds=7)), fence)
    target.refresh_from_db()
    stop = legs(desk)["STOP_LOSS"]
    assert (target.ord_status, stop.ord_status) == ("INITIALIZED", "INITIALIZED")
    assert stop.eligible_at == target.eligible_at is not None


def test_an_unknown_pair_is_looked_up_by_its_target(desk: Desk, fence: Fence) -> None:
    entered(desk, fence)
    protect(desk, fence)
    target, stop = legs(desk)["TAKE_PROFIT"], legs(desk)["STOP_LOSS"]
    answer = oco_answer(target, stop)
    submit(target, ScriptedAdapter(submit=UNKNOWN), fence)
    stop.refresh_from_db()
    assert stop.ord_status == "SUBMITTED"
    adapter = ScriptedAdapter(found=answer(None))
    look_up_order(stop, adapter=adapter, fence=fence)  # type: ignore[arg-type]
    stop.refresh_from_db()
    target.refresh_from_db()
    assert (target.ord_status, stop.ord_status, stop.broker_order_id) == ("NEW", "PENDING_NEW", "venue-stop")
    assert adapter.asked == [target.cl_ord_id]


def test_an_unknown_pair_at_a_broker_that_only_correlates_ids_is_told_of_at_once(
    desk: Desk, fence: Fence
) -> None:
    entered(desk, fence)
    protect(desk, fence)
    target = legs(desk)["TAKE_PROFIT"]
    submit(target, ScriptedAdapter(submit=UNKNOWN, idempotency_class=IdempotencyClass.C), fence)
    target.refresh_from_db()
    adapter = ScriptedAdapter(idempotency_class=IdempotencyClass.C)
    look_up_order(target, adapter=adapter, fence=fence)  # type: ignore[arg-type]
    item = AttentionItem.objects.get(kind=AttentionItem.Kind.OUTCOME_UNKNOWN)
    assert item.order == target
    assert legs(desk)["STOP_LOSS"].ord_status == "SUBMITTED", "never sent again"


def test_a_stop_whose_name_got_lost_is_found_through_its_target(desk: Desk, fence: Fence) -> None:
    entered(desk, fence)
    protect(desk, fence)
    target, stop = legs(desk)["TAKE_PROFIT"], legs(desk)["STOP_LOSS"]
    answer = oco_answer(target, stop)(None)
    submit(target, ScriptedAdapter(submit=UNKNOWN), fence)
    target.refresh_from_db()
    hear(target, replace(answer, legs=()))
    early = replace(answer.legs[0], exec_type=ExecType.NEW)
    hear(stop, early)
    assert not AttentionItem.objects.exists(), "a stop that is faster than its name is no stranger"
    look_up_order(stop, adapter=ScriptedAdapter(by_broker_id=answer), fence=fence)  # type: ignore[arg-type]
    stop.refresh_from_db()
    assert (stop.ord_status, stop.working_cl_ord_id) == ("PENDING_NEW", "venue-chose-this")


def refused_stop(desk: Desk, fence: Fence) -> Order:
    """Return the entry of a position of 10 whose stop at 98 the broker has refused, a moment ago."""
    entry = entered(desk, fence, take_profit=None)
    protect(desk, fence)
    submit(legs(desk)["STOP_LOSS"], ScriptedAdapter(submit=OrderRejected("beyond the market")), fence)
    return entry


def test_a_stop_that_comes_too_late_closes_at_market(desk: Desk, fence: Fence) -> None:
    entry = refused_stop(desk, fence)
    look(desk, fence)
    assert Errand.objects.filter(kind=Errand.Kind.QUOTES).exists(), "whether it is too late says a quote"
    keep_quote(desk.account, "97")
    assert look(desk, fence) is None
    order = Order.objects.get(parent=entry, leg="")
    assert (order.ord_type, order.side, order.order_qty) == ("MARKET", "SELL", 10)
    assert (order.exit_reason, order.source, order.strategy) == ("STOPPED_OUT", "desk", desk.strategy)
    assert look(desk, fence) is None
    assert Order.objects.filter(parent=entry).count() == 2, "once"


def test_a_refused_stop_that_the_price_has_not_passed_is_placed_again(desk: Desk, fence: Fence) -> None:
    entry = refused_stop(desk, fence)
    keep_quote(desk.account, "98.01")
    Order.objects.filter(leg="STOP_LOSS").update(transact_time=timezone.now() - timezone.timedelta(seconds=2))
    look(desk, fence)
    assert set(legs(desk)) == {"STOP_LOSS"}
    assert not Order.objects.filter(parent=entry, leg="").exists()


def test_a_short_whose_stop_comes_too_late_is_bought_back(desk: Desk, fence: Fence) -> None:
    entry = entered(desk, fence, action="short_entry", take_profit=None)
    protect(desk, fence)
    submit(legs(desk)["STOP_LOSS"], ScriptedAdapter(submit=OrderRejected("beyond the market")), fence)
    keep_quote(desk.account, "103")
    look(desk, fence)
    order = Order.objects.get(parent=entry, leg="")
    assert (order.side, order.order_qty) == ("BUY", 10)


def test_an_exit_at_market_that_is_refused_too_is_tried_again_ever_later(desk: Desk, fence: Fence) -> None:
    entry = refused_stop(desk, fence)
    keep_quote(desk.account, "97")
    look(desk, fence)
    submit(Order.objects.get(parent=entry, leg=""), ScriptedAdapter(submit=OrderRejected("halted")), fence)
    wait = protect(desk, fence)
    assert wait is not None
    assert 0 < wait <= 1
    assert Order.objects.filter(parent=entry, leg="").count() == 1


def test_a_pair_whose_market_is_closed_waits_together(desk: Desk, fence: Fence) -> None:
    entered(desk, fence)
    protect(desk, fence)
    target = legs(desk)["TAKE_PROFIT"]
    opens_at = timezone.now() + timezone.timedelta(hours=15)
    submit(target, ScriptedAdapter(submit=MarketClosed("closed", next_open=opens_at)), fence)
    assert {order.ord_status for order in legs(desk).values()} == {"INITIALIZED"}
    Errand.objects.all().delete()
    due = next_due_at(desk.user.id)
    assert due is not None
    assert due > 3600, "nobody looks before"
