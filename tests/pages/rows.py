"""Rows for the tests of pages and admin: each function makes one, with what the test does not say left plain."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from brokers.ids import cl_ord_id_of, new_id
from brokers.models import BrokerAccount
from orders.models import (
    Execution,
    Order,
    OrderEvent,
    OrderRequest,
    Plan,
    Position,
    Signal,
    Strategy,
    Trade,
    TradeOrder,
    Trader,
)
from tests.factories.history import past

NOON = datetime(2026, 3, 2, 12, 0, 0, 250_000, tzinfo=UTC)
PASSWORD = "a long pass phrase"


def make_trader(username: str = "ann", *, time_zone: str = "UTC", password: str = "") -> User:
    """Make a user who trades; hashing a password takes a while, so it has one only if asked."""
    user = User.objects.create(username=username)
    if password:
        user.set_password(password)
        user.save()
    plan, _ = Plan.objects.get_or_create(name="Basic", defaults={"daily_order_limit": 1000})
    Trader.objects.create(user=user, plan=plan, terms_accepted_at=NOON, time_zone=time_zone)
    return user


def make_account(user: User, label: str = "Paper", **fields: Any) -> BrokerAccount:
    fields = {
        "broker": "paper",
        "simulation": True,
        "verified_at": NOON,
        "sealed_credentials": "sealed",
    } | fields
    return BrokerAccount.objects.create(user=user, label=label, **fields)


def make_strategy(user: User, name: str = "Breakout", **fields: Any) -> Strategy:
    fields = {"token": f"token-{new_id().hex}", "secret_digest": b"\x01" * 32} | fields
    return Strategy.objects.create(user=user, name=name, **fields)


def make_signal(strategy: Strategy, symbol: str = "AAPL", **fields: Any) -> Signal:
    fields = {"operation": "ENTER_LONG", "body": {}, "alert_time": NOON, "received_at": NOON} | fields
    key = str(new_id())
    return Signal.objects.create(
        user=strategy.user, strategy=strategy, replay_key=key, symbol=symbol, **fields
    )


def make_order(account: BrokerAccount, ord_status: str = "FILLED", **fields: Any) -> Order:
    """Make an order as the desk would have left it; quantities and prices may be given as text."""
    key = new_id()
    final = ord_status in ("DENIED", "FILLED", "CANCELED", "REPLACED", "REJECTED", "EXPIRED")
    order_qty = Decimal(fields.pop("order_qty", "10"))
    cum_qty = Decimal(fields.pop("cum_qty", order_qty if ord_status == "FILLED" else "0"))
    received_at = fields.pop("received_at", NOON)
    values = {
        "source": "dashboard",
        "symbol": "AAPL",
        "side": "BUY",
        "ord_type": "MARKET",
        "time_in_force": "DAY",
        "position_effect": "OPEN",
        "avg_px": Decimal("187.35") if cum_qty else None,
        "leaves_qty": Decimal(0) if final else order_qty - cum_qty,
        "next_check_at": None if final else timezone.now() + timedelta(seconds=30),
        "recorded_at": received_at + timedelta(milliseconds=4),
        "submitted_at": received_at + timedelta(milliseconds=9),
    } | fields
    order = Order(
        id=key,
        cl_ord_id=cl_ord_id_of(key),
        working_cl_ord_id=cl_ord_id_of(key),
        ended=final,
        user=account.user,
        account=account,
        simulation=account.simulation,
        ord_status=ord_status,
        order_qty=order_qty,
        cum_qty=cum_qty,
        received_at=received_at,
        state={},
        **values,
    )
    with past():
        order.save(force_insert=True)
    return order


def become(order: Order, **columns: Any) -> None:
    """Have an order's row say something else, as the desk would have left it."""
    with past():
        Order.objects.filter(pk=order.pk).update(**columns)


def make_event(order: Order, kind: str = "Recorded", *, ms: float = 4, **fields: Any) -> OrderEvent:
    """Make an event ``ms`` after the order's receipt; ``stages`` maps a stage to its own ``ms``."""
    stages = {name: _after(order, at).isoformat() for name, at in fields.pop("stages", {}).items()}
    fields = {"source": "worker", "ord_status": order.ord_status} | fields
    return OrderEvent.objects.create(
        order=order, user=order.user, kind=kind, at=_after(order, ms), stages=stages, **fields
    )


def make_fill(order: Order, last_qty: str, last_px: str, *, exec_id: str = "", **fields: Any) -> Execution:
    fields = {"exec_type": "TRADE", "transact_time": _after(order, 20)} | fields
    return Execution.objects.create(
        user=order.user,
        account=order.account,
        order=order,
        exec_id=exec_id or str(new_id()),
        symbol=order.symbol,
        side=order.side,
        last_qty=Decimal(last_qty),
        last_px=Decimal(last_px),
        **fields,
    )


def make_request(order: Order, kind: str = "CANCEL", status: str = "RECORDED", **fields: Any) -> OrderRequest:
    """Make a cancel or replace a minute after the order's receipt; terms may be given as text."""
    key = new_id()
    recorded_at = fields.pop("recorded_at", _after(order, 60_000))
    terms = {name: Decimal(fields.pop(name)) for name in ("order_qty", "price", "stop_px") if name in fields}
    sent = status in ("SENT", "PENDING", "ACCEPTED", "REFUSED")
    values = {
        "source": "dashboard",
        "attempt": int(sent),
        "epoch": 1 if sent else None,
        "submitted_at": recorded_at + timedelta(milliseconds=5) if sent else None,
        "answered_at": None if status in OrderRequest.OPEN else recorded_at + timedelta(milliseconds=20),
    }
    return OrderRequest.objects.create(
        id=key,
        cl_ord_id=cl_ord_id_of(key),
        order=order,
        user=order.user,
        kind=kind,
        status=status,
        received_at=recorded_at,
        recorded_at=recorded_at,
        **(values | terms | fields),
    )


def make_position(account: BrokerAccount, symbol: str = "AAPL", qty: str = "10", **fields: Any) -> Position:
    """Make a position of ``qty`` at 100 each; amounts may be given as text."""
    amounts = {"cost": Decimal(qty) * 100, "realized_pnl": "0", "fees": "0"} | fields
    amounts["cash"] = Decimal(amounts["realized_pnl"]) - Decimal(amounts["cost"]) - Decimal(amounts["fees"])
    numbers = {name: Decimal(number) for name, number in amounts.items()}
    return Position.objects.create(
        user=account.user, account=account, symbol=symbol, qty=Decimal(qty), **numbers
    )


def make_trade(account: BrokerAccount, status: str = "POSITION", **fields: Any) -> Trade:
    """Make a trade that bought 10 at 100 and, closed, sold them at 101; amounts may be given as text."""
    opened, closed = status in ("POSITION", "CLOSED"), status == "CLOSED"
    values = {
        "symbol": "AAPL",
        "side": "LONG",
        "source": "dashboard",
        "entry_qty": "10" if opened else "0",
        "entry_amount": "1000" if opened else "0",
        "exit_qty": "10" if closed else "0",
        "exit_amount": "1010" if closed else "0",
        "realized_pnl": "10" if closed else "0",
        "exit_reason": "MANUAL_EXIT" if closed else "",
        "opened_by": "fill-1" if opened else "",
        "ordered_at": NOON,
        "opened_at": NOON + timedelta(minutes=1) if opened else None,
        "closed_at": NOON + timedelta(hours=1) if status in ("CLOSED", "CANCELED") else None,
    } | fields
    trade = Trade(user=account.user, account=account, simulation=account.simulation, status=status, **values)
    trade.save(force_insert=True)
    trade.refresh_from_db()
    return trade


def make_leg(trade: Trade, order: Order, role: str = "ENTRY", qty: str = "10") -> TradeOrder:
    return TradeOrder.objects.create(trade=trade, order=order, role=role, qty=Decimal(qty))


def _after(order: Order, ms: float) -> datetime:
    at: datetime = order.received_at + timedelta(milliseconds=ms)
    return at
