"""Exit rules close a position once, on fresh quotes only, and try again where an exit failed."""

import datetime as dt
import threading
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from orders.hours import forget_hours
from orders.models import AttentionItem, Errand, ExitReason, Order, Position, Trade
from orders.services import exit_monitor
from orders.services.exit_rules import rules_for, set_exit_rules
from orders.services.leases import Fence, LeaseLost, expire_lease
from orders.services.valuation import value_position, write_valuation_errands
from tasks.fleet.errands import run_errand
from tests.factories.adapters import ScriptedAdapter
from tests.factories.exit_rules import exits, open_items, opened_ago, position_of, set_rules, watch
from tests.factories.hours import close_market, keep_session
from tests.factories.leases import lease_of
from tests.factories.quotes import keep_quote, make_quote
from tests.factories.reports import make_fill
from tests.factories.sending import hear, hold
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db
Kind = AttentionItem.Kind


@pytest.mark.parametrize(
    ("action", "side", "before", "edge"),
    [("buy", "SELL", "104.99", "105"), ("short_entry", "BUY", "95.01", "95")],
)
def test_a_profit_target_closes_the_whole_position_once(
    desk: Desk, fence: Fence, action: str, side: str, before: str, edge: str
) -> None:
    set_rules(desk, profit_target_pct="5")
    hold(desk, "10", action)
    assert watch(desk, fence, before) is None
    order = watch(desk, fence, edge)
    assert order is not None
    assert (order.side, order.order_qty, order.ord_type, order.position_effect) == (
        side,
        10,
        "MARKET",
        "CLOSE",
    )
    assert (order.exit_reason, order.source, order.strategy) == ("PROFIT_TARGET", "desk", desk.strategy)
    again = watch(desk, fence, edge)
    assert again is not None
    assert again.pk == order.pk
    assert len(exits(desk)) == 1
    hear(order, make_fill(order, "10", edge, "out"))
    trade = Trade.objects.get()
    assert (trade.status, trade.exit_reason) == ("CLOSED", ExitReason.PROFIT_TARGET)
    assert watch(desk, fence, edge) is None
    assert len(exits(desk)) == 1


def test_a_stop_loss_goes_by_the_average_entry_price(desk: Desk, fence: Fence) -> None:
    set_rules(desk, default=True, stop_loss_pct="10")
    hold(desk, "10")
    assert watch(desk, fence, "90.01") is None
    order = watch(desk, fence, "90")
    assert order is not None
    assert order.exit_reason == ExitReason.STOP_LOSS_RULE


def test_trailing_goes_by_the_best_mark_since_the_entry(desk: Desk, fence: Fence) -> None:
    set_rules(desk, trailing_pct="10")
    hold(desk, "10")
    for price in ("100", "150", "140", "135.01"):
        assert watch(desk, fence, price) is None
    assert Trade.objects.get().best_mark_px == 150
    order = watch(desk, fence, "135")
    assert order is not None
    assert order.exit_reason == ExitReason.TRAILING_RULE


def test_the_best_mark_of_a_short_position_is_the_lowest(desk: Desk, fence: Fence) -> None:
    set_rules(desk, trailing_pct="10")
    hold(desk, "10", "short_entry")
    for price in ("100", "50", "54.99"):
        assert watch(desk, fence, price) is None
    assert watch(desk, fence, "55") is not None


def test_a_price_from_before_the_entry_does_not_count(desk: Desk, fence: Fence) -> None:
    set_rules(desk, profit_target_pct="5", trailing_pct="1")
    hold(desk, "10")
    assert watch(desk, fence, "200", age_seconds=30) is None
    assert Trade.objects.get().best_mark_px is None
    assert open_items(Kind.STALE_QUOTE) == []


def test_a_new_trade_has_a_best_mark_of_its_own(desk: Desk, fence: Fence) -> None:
    hold(desk, "10")
    watch(desk, fence, "150")
    hold(desk, "10", "close_long")
    hold(desk, "10")
    watch(desk, fence, "120")
    assert [trade.best_mark_px for trade in Trade.objects.order_by("id")] == [150, 120]


def test_the_longest_hold_needs_no_quote(desk: Desk, fence: Fence) -> None:
    set_rules(desk, max_hold_minutes=60)
    hold(desk, "10")
    opened_ago(desk, minutes=59, seconds=50)
    assert watch(desk, fence) is None
    opened_ago(desk, minutes=60)
    order = watch(desk, fence)
    assert order is not None
    assert order.exit_reason == ExitReason.MAX_HOLD
    assert open_items(Kind.STALE_QUOTE) == []


def test_the_end_of_the_session(desk: Desk, fence: Fence) -> None:
    set_rules(desk, minutes_before_close=10)
    hold(desk, "10")
    desk.account.market = "XNYS"
    desk.account.save()
    now = timezone.now()
    session = keep_session("XNYS", now - dt.timedelta(hours=1), hours=1.2)  # 12 minutes are left
    keep_session("XNYS", now + dt.timedelta(days=1))
    assert watch(desk, fence) is None
    session.closes_at = now + dt.timedelta(minutes=9, seconds=59)
    session.save()
    forget_hours()
    order = watch(desk, fence)
    assert order is not None
    assert order.exit_reason == ExitReason.SESSION_END


def test_days_to_expiry(desk: Desk, fence: Fence) -> None:
    option = f"AAPL{timezone.now() + dt.timedelta(days=2):%y%m%d}C00150000"
    set_rules(desk, days_to_expiry=1)
    hold(desk, "10")
    Position.objects.update(symbol=option)
    Trade.objects.update(symbol=option)
    position = position_of(desk, option)
    now = timezone.now()
    assert exit_monitor.judge(position, now - dt.timedelta(days=1)).rule is None
    assert exit_monitor.judge(position, now + dt.timedelta(days=1)).rule == "EXPIRY_NEAR"


def test_nothing_is_closed_while_the_market_is(desk: Desk, fence: Fence) -> None:
    set_rules(desk, max_hold_minutes=1, profit_target_pct="1")
    hold(desk, "10")
    opened_ago(desk, hours=1)
    desk.account.market = "XNYS"
    desk.account.save()
    close_market()
    assert watch(desk, fence, "200", age_seconds=300) is None
    assert position_of(desk).stale_since is None


def test_who_has_lost_the_lease_closes_nothing(desk: Desk, fence: Fence) -> None:
    set_rules(desk, profit_target_pct="5")
    hold(desk, "10")
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)
    with pytest.raises(LeaseLost):
        watch(desk, fence, "105")
    assert exits(desk) == []


def test_one_position_in_trouble_keeps_no_other_from_closing(
    desk: Desk, fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_rules(desk, default=True, profit_target_pct="5")
    Position.objects.create(user=desk.user, account=desk.account, symbol="MSFT", qty=1, cost=1)
    hold(desk, "10")
    judge = exit_monitor.judge

    def troubled(position: Position, at: dt.datetime) -> exit_monitor.Verdict:
        if position.symbol == "MSFT":
            raise ValueError("trouble")
        return judge(position, at)

    monkeypatch.setattr(exit_monitor, "judge", troubled)
    write_valuation_errands()
    run_errand(Errand.objects.get(), ScriptedAdapter(quoted=[make_quote("AAPL", "105")]), fence)  # type: ignore[arg-type]
    assert [order.symbol for order in exits(desk)] == ["AAPL"]


def monitor_at_once(desk: Desk, fence: Fence, count: int) -> tuple[list[Order | None], list[BaseException]]:
    """Have so many monitors look at the position at the same time, each three times."""
    start = threading.Barrier(count)
    orders: list[Order | None] = []
    failures: list[BaseException] = []

    def monitor() -> None:
        try:
            start.wait(10)
            orders.extend(watch(desk, fence) for _ in range(3))
        except Exception as error:  # noqa: BLE001 - told by whoever asserts that there is none
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=monitor) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return orders, failures


@pytest.mark.django_db(transaction=True)
def test_two_monitors_at_once_place_one_exit(caplog: pytest.LogCaptureFixture) -> None:
    desk = make_desk()
    fence = lease_of(desk)
    set_rules(desk, profit_target_pct="5")
    for number in range(5):
        hold(desk, "10")
        keep_quote(desk.account, "105")
        orders, failures = monitor_at_once(desk, fence, 4)
        assert failures == []
        placed = exits(desk)
        assert len(placed) == number + 1
        assert {order.pk for order in orders if order is not None} == {placed[-1].pk}
        hear(placed[-1], make_fill(placed[-1], "10", "105", f"out-{number}"))
        assert position_of(desk).qty == 0
    assert "deadlock" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_fills_and_monitors_at_once_wait_for_each_other_without_a_deadlock(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = make_desk()
    fence = lease_of(desk)
    set_rules(desk, profit_target_pct="50", trailing_pct="50")
    hold(desk, "1")
    keep_quote(desk.account, "120")
    done = threading.Event()

    def fill() -> None:
        try:
            for _ in range(10):
                hold(desk, "1")
        finally:
            done.set()
            connection.close()

    filling = threading.Thread(target=fill)
    filling.start()
    while not done.is_set():
        _, failures = monitor_at_once(desk, fence, 2)
        assert failures == []
    filling.join(30)
    position = value_position(position_of(desk))
    assert (position.qty, position.cost, position.unrealized_pnl) == (11, 1100, 220)
    assert "deadlock" not in caplog.text


def test_whose_rules_count(desk: Desk) -> None:
    def target(strategy: object) -> Decimal | None:
        return rules_for(desk.user.pk, strategy).profit_target_pct  # type: ignore[arg-type]

    assert (target(None), target(desk.strategy.pk)) == (None, None)
    set_rules(desk, default=True, profit_target_pct="5", stop_loss_pct="2")
    assert (target(None), target(desk.strategy.pk)) == (5, 5)
    set_rules(desk, profit_target_pct="9")
    assert (target(None), target(desk.strategy.pk)) == (5, 9)
    assert rules_for(desk.user.pk, desk.strategy.pk).stop_loss_pct == 2
    set_rules(desk, stands_alone=True)
    alone = rules_for(desk.user.pk, desk.strategy.pk)
    assert (alone.profit_target_pct, alone.stop_loss_pct) == (9, None)
    other = make_desk()
    assert rules_for(other.user.pk, other.strategy.pk).profit_target_pct is None
    with pytest.raises(ValueError, match="another"):
        set_exit_rules(user_id=other.user.pk, strategy=desk.strategy, values={})
