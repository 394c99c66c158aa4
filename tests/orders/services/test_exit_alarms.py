"""What is told of exit rules: quotes that are stale or missing, positions nobody looks at, exits that failed."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from brokers.errors import OutcomeUnknown
from brokers.types import OrdStatus
from orders.models import AttentionItem, Errand, ExitReason, Order, Quote, Trade
from orders.services.exit_alarms import settle_alarms
from orders.services.leases import Fence
from orders.services.unseen_positions import watch_unseen_positions
from orders.services.unsent import deny_order
from tasks.fleet.errands import run_errand
from tests.factories.adapters import ScriptedAdapter
from tests.factories.exit_rules import exits, open_items, opened_ago, set_rules, watch
from tests.factories.hours import keep_session
from tests.factories.quotes import keep_quote, make_quote
from tests.factories.reports import make_fill
from tests.factories.sending import hear, hold
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db
Kind = AttentionItem.Kind


@pytest.mark.parametrize("quote", [("200", 61.0), (None, 0.0)], ids=["stale", "missing"])
def test_a_stale_or_missing_quote_triggers_nothing_and_is_told_until_it_is_fresh(
    desk: Desk, fence: Fence, settings: Any, quote: tuple[str | None, float]
) -> None:
    settings.EXIT_QUOTE_MAX_AGE_SECONDS = 60
    set_rules(desk, profit_target_pct="5")
    hold(desk, "10")
    opened_ago(desk, hours=1)
    price, age = quote
    quoted = [] if price is None else [make_quote("AAPL", price, age_seconds=age)]
    errand = Errand(user=desk.user, account=desk.account, kind=Errand.Kind.QUOTES)
    for _ in range(2):
        run_errand(errand, ScriptedAdapter(quoted=quoted), fence)  # type: ignore[arg-type]
    [item] = open_items(Kind.STALE_QUOTE)
    assert (item.user, f"AAPL ({desk.account.label})" in item.detail) == (desk.user, True)
    assert exits(desk) == []
    run_errand(errand, ScriptedAdapter(quoted=[make_quote("AAPL", "104")]), fence)  # type: ignore[arg-type]
    assert open_items(Kind.STALE_QUOTE) == []
    assert exits(desk) == []


def test_a_silent_broker_keeps_no_rule_of_time_from_closing(desk: Desk, fence: Fence) -> None:
    set_rules(desk, profit_target_pct="5", max_hold_minutes=1)
    hold(desk, "10")
    opened_ago(desk, hours=1)
    errand = Errand(user=desk.user, account=desk.account, kind=Errand.Kind.QUOTES)
    with pytest.raises(OutcomeUnknown):
        run_errand(errand, ScriptedAdapter(quoted=OutcomeUnknown("silence")), fence)  # type: ignore[arg-type]
    assert [order.exit_reason for order in exits(desk)] == [ExitReason.MAX_HOLD]
    assert len(open_items(Kind.STALE_QUOTE)) == 1


def test_what_is_told_of_a_position_that_is_flat_is_taken_back(desk: Desk, fence: Fence) -> None:
    set_rules(desk, profit_target_pct="5")
    hold(desk, "10")
    errand = Errand(user=desk.user, account=desk.account, kind=Errand.Kind.QUOTES)
    run_errand(errand, ScriptedAdapter(), fence)  # type: ignore[arg-type]
    assert len(open_items(Kind.STALE_QUOTE)) == 1
    hold(desk, "10", "close_long")
    settle_alarms()
    assert open_items(Kind.STALE_QUOTE) == []


def test_a_position_that_no_worker_looks_at_is_told_of_by_the_sweep(
    desk: Desk, fence: Fence, settings: Any
) -> None:
    settings.EXIT_QUOTE_MAX_AGE_SECONDS, settings.SWEEP_VALUATION_SECONDS = 60, 60
    set_rules(desk, profit_target_pct="5")
    hold(desk, "10")
    watch_unseen_positions()
    assert open_items(Kind.STALE_QUOTE) == [], "it was opened just now"
    opened_ago(desk, hours=1)
    keep_quote(desk.account, "105", age_seconds=120)
    watch_unseen_positions()
    assert open_items(Kind.STALE_QUOTE) == [], "its worker has been there"
    Quote.objects.update(fetched_at=timezone.now() - dt.timedelta(seconds=241))
    watch_unseen_positions()
    watch_unseen_positions()
    assert len(open_items(Kind.STALE_QUOTE)) == 1
    assert watch(desk, fence, "104") is None
    settle_alarms()
    assert open_items(Kind.STALE_QUOTE) == []


def test_nobody_is_told_of_a_market_that_has_just_opened_or_of_rules_without_a_price(desk: Desk) -> None:
    hold(desk, "10")
    opened_ago(desk, hours=20)
    watch_unseen_positions()
    set_rules(desk, max_hold_minutes=9999)
    watch_unseen_positions()
    set_rules(desk, profit_target_pct="5")
    desk.account.market = "XNYS"
    desk.account.save()
    now = timezone.now()
    keep_session("XNYS", now - dt.timedelta(days=2))
    keep_session("XNYS", now - dt.timedelta(seconds=30))
    keep_session("XNYS", now + dt.timedelta(days=1))
    watch_unseen_positions()
    assert open_items(Kind.STALE_QUOTE) == []


def fail(order: Order) -> None:
    deny_order(order.pk, reason="RISK", text="", source="worker")
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.DENIED


def age(order: Order, seconds: float) -> None:
    """Have it be recorded so long ago."""
    Order.objects.filter(pk=order.pk).update(recorded_at=timezone.now() - dt.timedelta(seconds=seconds))
    Trade.objects.update(ordered_at=timezone.now() - dt.timedelta(hours=2))


def test_an_exit_that_failed_is_told_and_tried_again_ever_later(desk: Desk, fence: Fence) -> None:
    set_rules(desk, profit_target_pct="5")
    hold(desk, "10")
    first = watch(desk, fence, "105")
    assert first is not None
    fail(first)
    assert watch(desk, fence, "105") is None
    [item] = open_items(Kind.EXIT_RULE_FAILED)
    assert (item.order, "PROFIT_TARGET came to DENIED (RISK)" in item.detail) == (first, True)
    age(first, 61)
    second = watch(desk, fence, "105")
    assert second is not None
    assert second.pk != first.pk
    fail(second)
    age(first, 200)
    age(second, 119)
    assert watch(desk, fence, "105") is None, "the second wait is twice the first"
    age(second, 121)
    third = watch(desk, fence, "105")
    assert third is not None
    assert len(exits(desk)) == 3
    settle_alarms()
    assert len(open_items(Kind.EXIT_RULE_FAILED)) == 2
    hear(third, make_fill(third, "10", "105", "out"))
    settle_alarms()
    assert open_items(Kind.EXIT_RULE_FAILED) == []


def test_a_failed_exit_of_an_earlier_trade_holds_up_nothing(desk: Desk, fence: Fence) -> None:
    set_rules(desk, profit_target_pct="5")
    hold(desk, "10")
    order = watch(desk, fence, "105")
    assert order is not None
    fail(order)
    hold(desk, "10", "close_long")
    hold(desk, "10")
    again = watch(desk, fence, "105")
    assert again is not None
    assert again.pk != order.pk
