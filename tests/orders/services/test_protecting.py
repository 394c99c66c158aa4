"""Protective exits follow a position, one step after the other, decided from the database alone."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from brokers.paper.factory import CAPABILITIES
from brokers.types import ExecType, OrdStatus, Side
from orders.intake.replace_request import ReplaceTerms
from orders.models import AttentionItem, Errand, ExitReason, Leg, Order, OrderRequest, Position, Trade
from orders.selectors import errands_due, unsent_orders
from orders.services.leases import Fence, LeaseLost
from orders.services.request_sending import send_request
from orders.services.requests import Asked, record_cancel, record_replace
from orders.services.tending import tend_position
from orders.services.unsent import deny_order
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.protecting import (
    covered,
    entered,
    legs,
    look,
    protect,
    send_cancel,
    send_pair,
    stop_fill,
    stop_report,
)
from tests.factories.reports import make_fill, make_report
from tests.factories.sending import UNKNOWN, accepting, hear, send_order, submit
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db

APART = replace(CAPABILITIES, oco=False, exits_hold_shares=False)


def test_the_first_fill_has_an_oco_placed_for_what_is_filled(desk: Desk, fence: Fence) -> None:
    entry = entered(desk, fence, "4")
    protect(desk, fence)
    target, stop = legs(desk)["TAKE_PROFIT"], legs(desk)["STOP_LOSS"]
    assert (target.ord_type, target.price, target.order_qty, target.side) == ("LIMIT", 104, 4, "SELL")
    assert (stop.ord_type, stop.stop_px, stop.order_qty, stop.side) == ("STOP", 98, 4, "SELL")
    assert {target.parent, stop.parent} == {entry}
    assert (stop.sent_with, stop.exit_reason, target.exit_reason) == (target, "STOPPED_OUT", "PROFIT_TAKEN")
    assert (target.time_in_force, target.source, target.strategy) == ("GTC", "desk", desk.strategy)
    assert [order.id for order in unsent_orders(desk.user.id)] == [target.id]


def test_the_stop_gets_the_ids_that_the_broker_has_chosen(desk: Desk, fence: Fence) -> None:
    target, stop = covered(desk, fence)
    assert (target.ord_status, stop.ord_status) == ("NEW", "PENDING_NEW")
    assert (stop.working_cl_ord_id, stop.broker_order_id) == ("venue-chose-this", "venue-stop")
    stop = hear(stop, stop_report(stop, ExecType.NEW))
    assert stop.ord_status == "NEW"


def test_once_all_is_in_place_nothing_more_is_done(desk: Desk, fence: Fence) -> None:
    entered(desk, fence)
    protect(desk, fence)
    send_pair(desk, fence)
    assert protect(desk, fence) is None
    assert Order.objects.filter(leg__in=list(Leg)).count() == 2
    assert not OrderRequest.objects.exists()


def test_the_stop_fills_and_the_trade_is_stopped_out(desk: Desk, fence: Fence) -> None:
    target, stop = covered(desk, fence)
    hear(target, make_report(target, ExecType.CANCELED))
    hear(stop, stop_fill(stop, "10"))
    protect(desk, fence)
    trade = Trade.objects.get()
    assert (trade.status, trade.exit_reason, trade.realized_pnl) == ("CLOSED", "STOPPED_OUT", -20)
    assert legs(desk) == {}
    assert not Position.objects.get().protected


def test_a_filled_target_leaves_the_broker_a_moment_to_cancel_the_stop(desk: Desk, fence: Fence) -> None:
    target, stop = covered(desk, fence)
    hear(target, make_fill(target, "10", "104", exec_id="t1", transact_time=timezone.now()))
    wait = protect(desk, fence)
    assert wait is not None
    assert 0 < wait <= 1
    assert not OrderRequest.objects.exists()
    hear(stop, stop_report(stop, ExecType.CANCELED))
    assert Trade.objects.get().exit_reason == ExitReason.PROFIT_TAKEN
    assert protect(desk, fence) is None


def test_a_stop_that_outlives_its_position_is_canceled(desk: Desk, fence: Fence) -> None:
    target, stop = covered(desk, fence)
    long_ago = timezone.now() - timezone.timedelta(seconds=5)
    hear(target, make_fill(target, "10", "104", exec_id="t1"))
    Order.objects.filter(pk=target.pk).update(transact_time=long_ago)
    assert protect(desk, fence) is None
    request = OrderRequest.objects.get()
    assert (request.order, request.kind, request.source) == (stop, "CANCEL", "desk")


def test_nothing_is_put_back_before_all_fills_of_what_has_ended_are_counted(desk: Desk, fence: Fence) -> None:
    entered(desk, fence, take_profit=None)
    protect(desk, fence)
    stop = legs(desk)["STOP_LOSS"]
    send_order(stop, fence, accepting(stop))
    ended = make_report(stop, ExecType.CANCELED, cum_qty=Decimal(4), transact_time=timezone.now())
    hear(stop, ended)
    a_moment_ago = timezone.now() - timezone.timedelta(seconds=2)
    Order.objects.filter(pk=stop.pk).update(transact_time=a_moment_ago)
    wait = protect(desk, fence)
    assert legs(desk) == {}, "4 of the 10 may be sold already"
    assert wait is not None
    hear(stop, make_fill(stop, "4", "98", exec_id="s1", cum_qty=Decimal(4)))
    hear(stop, replace(ended, exec_type=ExecType.ORDER_STATUS, ord_status=OrdStatus.CANCELED))
    protect(desk, fence)
    assert legs(desk)["STOP_LOSS"].order_qty == 6


def test_fills_that_never_come_do_not_keep_a_position_unprotected(desk: Desk, fence: Fence) -> None:
    entered(desk, fence, take_profit=None)
    protect(desk, fence)
    stop = legs(desk)["STOP_LOSS"]
    send_order(stop, fence, accepting(stop))
    hear(stop, make_report(stop, ExecType.CANCELED, cum_qty=Decimal(4)))
    long_ago = timezone.now() - timezone.timedelta(seconds=6)
    Order.objects.filter(pk=stop.pk).update(transact_time=long_ago)
    protect(desk, fence)
    assert legs(desk)["STOP_LOSS"].order_qty == 10


def test_a_target_whose_stop_the_broker_has_ended_is_placed_anew_with_one(desk: Desk, fence: Fence) -> None:
    target, stop = covered(desk, fence)
    now = timezone.now()
    hear(stop, stop_report(stop, ExecType.CANCELED, transact_time=now))
    wait = protect(desk, fence)
    assert wait is not None
    assert 0 < wait <= 1, "its target may be filling"
    Order.objects.filter(pk=stop.pk).update(transact_time=now - timezone.timedelta(seconds=2))
    look(desk, fence)
    send_cancel(target, fence)
    hear(target, make_report(target, ExecType.CANCELED))
    look(desk, fence)
    assert set(legs(desk)) == {"STOP_LOSS", "TAKE_PROFIT"}


def test_while_a_target_fills_in_parts_the_pair_is_left_alone(desk: Desk, fence: Fence) -> None:
    target, stop = covered(desk, fence)
    hear(target, make_fill(target, "4", "104", exec_id="t1"))
    assert protect(desk, fence) is None
    stop = hear(stop, stop_report(stop, ExecType.RESTATED, order_qty=Decimal(6)))
    assert protect(desk, fence) is None
    assert not OrderRequest.objects.exists()
    stop = hear(stop, stop_fill(stop, "6"))
    assert (stop.ord_status, stop.order_qty) == ("FILLED", 6)


def test_a_cut_that_was_not_told_is_seen_in_the_stops_next_report(desk: Desk, fence: Fence) -> None:
    _, stop = covered(desk, fence)
    stop = hear(stop, replace(stop_fill(stop, "6"), order_qty=Decimal(6)))
    assert (stop.ord_status, stop.order_qty, stop.leaves_qty) == ("FILLED", 6, 0)


def test_more_fills_have_the_oco_replaced_by_a_bigger_one(desk: Desk, fence: Fence) -> None:
    entry = entered(desk, fence, "4", type="limit", price="100")
    protect(desk, fence)
    target, stop = send_pair(desk, fence)
    hear(entry, make_fill(entry, "3", exec_id="e2"))
    wait = protect(desk, fence)
    assert wait is not None, "the exits follow a filling entry once a second"
    hear(entry, make_fill(entry, "3", exec_id="e3"))
    assert protect(desk, fence) is None
    assert OrderRequest.objects.get().order == target
    send_cancel(target, fence)
    hear(target, make_report(target, ExecType.CANCELED))
    assert protect(desk, fence) is not None, "the broker is about to cancel the stop"
    assert set(legs(desk)) == {"STOP_LOSS"}, "the broker has not told of the other one's end"
    hear(stop, stop_report(stop, ExecType.CANCELED))
    protect(desk, fence)
    assert {order.order_qty for order in legs(desk).values()} == {10}
    assert len(legs(desk)) == 2


def test_a_plain_stop_grows_by_a_replace(desk: Desk, fence: Fence) -> None:
    desk.strategy.trade_style = "DAY"
    desk.strategy.save()
    entry = entered(desk, fence, "4", type="limit", price="100")
    protect(desk, fence)
    stop = legs(desk)["STOP_LOSS"]
    assert (set(legs(desk)), stop.sent_with) == ({"STOP_LOSS"}, None)
    send_order(stop, fence, accepting(stop))
    hear(entry, make_fill(entry, "6", "110", exec_id="e2"))
    protect(desk, fence)
    request = OrderRequest.objects.get()
    assert (request.kind, request.order_qty, request.stop_px) == ("REPLACE", 10, Decimal("103.88"))


def test_a_trailing_stop_is_placed_by_its_distance(desk: Desk, fence: Fence) -> None:
    order = record_one(desk, quantity="10", trailing={"percent": "1.5"})
    send_order(order, fence, accepting(order))
    hear(order, make_fill(order, "10", exec_id="e1"))
    protect(desk, fence)
    stop = legs(desk)["STOP_LOSS"]
    adapter = ScriptedAdapter(submit=accepting(stop))
    submit(stop, adapter, fence)
    assert (adapter.sent[0].ord_type, adapter.sent[0].trail_percent) == ("TRAILING_STOP", Decimal("1.5"))
    assert protect(desk, fence) is None


def test_a_short_is_protected_from_above(desk: Desk, fence: Fence) -> None:
    entered(desk, fence, action="sell")
    protect(desk, fence)
    target, stop = legs(desk)["TAKE_PROFIT"], legs(desk)["STOP_LOSS"]
    assert (stop.side, stop.stop_px, target.price) == (Side.BUY, 102, 96)


def test_where_exits_hold_nothing_the_stop_goes_first_and_the_target_follows(
    desk: Desk, fence: Fence
) -> None:
    entered(desk, fence)
    protect(desk, fence, APART)
    assert set(legs(desk)) == {"STOP_LOSS"}
    stop = legs(desk)["STOP_LOSS"]
    send_order(stop, fence, accepting(stop))
    protect(desk, fence, APART)
    assert set(legs(desk)) == {"STOP_LOSS", "TAKE_PROFIT"}
    target = legs(desk)["TAKE_PROFIT"]
    send_order(target, fence, accepting(target))
    assert protect(desk, fence, APART) is None
    hear(target, make_fill(target, "10", "104", exec_id="t1"))
    protect(desk, fence, APART)
    assert OrderRequest.objects.get().order == stop


def test_both_filled_at_once_is_seen_told_and_taken_back(desk: Desk, fence: Fence) -> None:
    target, stop = covered(desk, fence)
    hear(target, make_fill(target, "10", "104", exec_id="t1"))
    hear(stop, stop_fill(stop, "10"))
    assert Position.objects.get().qty == -10
    protect(desk, fence)
    way_back = Order.objects.get(exit_reason=ExitReason.OVERFILLED)
    assert (way_back.side, way_back.order_qty, way_back.ord_type) == ("BUY", 10, "MARKET")
    assert AttentionItem.objects.get().kind == AttentionItem.Kind.OVERCLOSED


def test_an_overclosed_position_may_be_left_to_a_person(desk: Desk, fence: Fence, settings: Any) -> None:
    settings.OVERCLOSED_POLICY = "alarm"
    target, stop = covered(desk, fence)
    hear(target, make_fill(target, "10", "104", exec_id="t1"))
    hear(stop, stop_fill(stop, "10"))
    protect(desk, fence)
    assert not Order.objects.filter(exit_reason=ExitReason.OVERFILLED).exists()
    assert AttentionItem.objects.get().kind == AttentionItem.Kind.OVERCLOSED


def test_a_leg_canceled_by_hand_is_not_put_back(desk: Desk, fence: Fence) -> None:
    target, stop = covered(desk, fence)
    asked = Asked(user_id=desk.user.id, order_id=target.id, source="dashboard", received_at=timezone.now())  # type: ignore[arg-type]
    record_cancel(asked, statement_timeout_ms=2500)
    send_cancel(target, fence)
    hear(target, make_report(target, ExecType.CANCELED))
    hear(stop, stop_report(stop, ExecType.CANCELED))
    protect(desk, fence)
    assert set(legs(desk)) == {"STOP_LOSS"}


def test_a_stop_moved_by_hand_stays_where_it_was_put(desk: Desk, fence: Fence) -> None:
    desk.strategy.takes_profit = False
    desk.strategy.save()
    entered(desk, fence)
    protect(desk, fence)
    stop = legs(desk)["STOP_LOSS"]
    send_order(stop, fence, accepting(stop))
    asked = Asked(user_id=desk.user.id, order_id=stop.id, source="api", received_at=timezone.now())  # type: ignore[arg-type]
    request = record_replace(asked, ReplaceTerms(stop_px=Decimal(99)), statement_timeout_ms=2500)
    adapter = ScriptedAdapter(
        replace=lambda command: make_report(stop, ExecType.NEW, cl_ord_id=request.cl_ord_id)
    )
    send_request(request.id, adapter=adapter, fence=fence, before_send=lambda: None)  # type: ignore[arg-type]
    assert protect(desk, fence) is None
    stop.refresh_from_db()
    assert stop.stop_px == 99
    assert OrderRequest.objects.count() == 1


def test_what_the_broker_ends_by_itself_is_put_back(desk: Desk, fence: Fence) -> None:
    target, stop = covered(desk, fence)
    long_ago = timezone.now() - timezone.timedelta(seconds=5)
    hear(target, make_report(target, ExecType.EXPIRED, transact_time=long_ago))
    Order.objects.filter(pk=target.pk).update(transact_time=long_ago)
    hear(stop, stop_report(stop, ExecType.EXPIRED, transact_time=long_ago))
    protect(desk, fence)
    assert len(legs(desk)) == 2


def test_nothing_is_placed_beside_an_exit_that_is_under_way(desk: Desk, fence: Fence) -> None:
    entered(desk, fence)
    exit_order = record_one(desk, action="close_long")
    assert protect(desk, fence) is None
    assert legs(desk) == {}
    send_order(exit_order, fence, accepting(exit_order))
    hear(exit_order, make_fill(exit_order, "4", exec_id="c1"))
    hear(exit_order, make_report(exit_order, ExecType.CANCELED))
    protect(desk, fence)
    assert {order.order_qty for order in legs(desk).values()} == {6}


def test_an_exit_that_is_not_sent_after_all_has_protection_put_back(desk: Desk, fence: Fence) -> None:
    entered(desk, fence)
    exit_order = record_one(desk, action="close_long")
    protect(desk, fence)
    deny_order(exit_order.id, reason="ANY", text="", source="operator")
    protect(desk, fence)
    assert len(legs(desk)) == 2


def test_a_bust_of_the_entry_ends_the_pair(desk: Desk, fence: Fence) -> None:
    entry = entered(desk, fence)
    protect(desk, fence)
    target, _ = send_pair(desk, fence)
    bust = make_report(entry, ExecType.TRADE_CANCEL, exec_id="b1", exec_ref_id="e1")
    hear(entry, bust)
    protect(desk, fence)
    assert OrderRequest.objects.get().order == target


def test_orders_without_protection_ask_for_nothing(desk: Desk, fence: Fence) -> None:
    order = record_one(desk, quantity="10")
    send_order(order, fence, accepting(order))
    hear(order, make_fill(order, "10", exec_id="e1"))
    assert not Errand.objects.exists()


def test_a_pair_that_is_not_sent_yet_is_dropped_with_its_position(desk: Desk, fence: Fence) -> None:
    entry = entered(desk, fence)
    protect(desk, fence)
    bust = make_report(entry, ExecType.TRADE_CANCEL, exec_id="b1", exec_ref_id="e1")
    target = legs(desk)["TAKE_PROFIT"]
    hear(entry, bust)
    adapter = ScriptedAdapter(submit=UNKNOWN)
    submit(target, adapter, fence)
    assert adapter.sent == []
    assert legs(desk) == {}
    assert set(Order.objects.exclude(leg="").values_list("ord_status", flat=True)) == {"DENIED"}


def test_a_lost_lease_decides_nothing(desk: Desk, fence: Fence) -> None:
    entered(desk, fence)
    with pytest.raises(LeaseLost):
        protect(desk, replace(fence, epoch=fence.epoch + 1))
    assert legs(desk) == {}


def test_an_errand_that_waits_comes_again_in_time(desk: Desk, fence: Fence) -> None:
    target, _ = covered(desk, fence)
    hear(target, make_fill(target, "10", "104", exec_id="t1", transact_time=timezone.now()))
    (errand,) = errands_due(desk.user.id)
    tend_position(errand, ScriptedAdapter(), fence)  # type: ignore[arg-type]
    later = Errand.objects.get()
    assert later.version > errand.version
    assert later.due_at > timezone.now()
