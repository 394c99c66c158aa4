"""Record what the desk was told to trade: signal, orders, history and quota in one transaction."""

import datetime as dt
import uuid
from collections.abc import Sequence
from decimal import Decimal

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from brokers.catalog import capabilities_of
from brokers.ids import cl_ord_id_of, new_id
from brokers.models import BrokerAccount
from brokers.types import OrdStatus, Side, TimeInForce
from failpoints import failpoint
from orders.intake.alert import Alert
from orders.intake.order_request import OrderRequest
from orders.intake.sizing import SizingCode, SizingError, cap_exit, size_order
from orders.models import Order, Signal, Source, Strategy, Trader
from orders.selectors import closing_quantity, first_order_of, net_position
from orders.services.changes import Origin, project, write_event
from orders.services.following import next_check
from orders.services.quotas import QuotaExceeded, spend_quota
from orders.state import OrderState

LEAST_STATEMENT_MS = 500  # an alert that waited long is still better recorded than refused
LOT_STEP = Decimal("0.000000001")


class AlreadyRecorded(Exception):
    """This alert, or this idempotency key, was accepted before; ``order_id`` is its first order's."""

    def __init__(self, order_id: uuid.UUID | None) -> None:
        super().__init__(str(order_id))
        self.order_id = order_id


def record_alert(
    *,
    strategy: Strategy,
    trader: Trader,
    accounts: Sequence[BrokerAccount],
    alert: Alert,
    replay_key: str,
    received_at: dt.datetime,
    statement_timeout_ms: int,
) -> list[Order]:
    """Record an alert and return its orders, one for each account; none where there is nothing to close.

    The replay key is written in this transaction: after a failure nothing stands in a resend's way.
    Raises ``AlreadyRecorded``, ``QuotaExceeded``, ``SizingError``.
    """
    with transaction.atomic():
        _limit_statements(statement_timeout_ms)
        signal = _write_signal(strategy, alert, replay_key, received_at)
        if alert.is_exit:
            quantities = _closable(accounts, alert)
        else:
            spend_quota(trader=trader, count=len(accounts), now=received_at)
            quantities = [
                (account, _entry_quantity(account, alert.quantity, strategy.default_quantity))
                for account in accounts
            ]
        orders = [
            _write_order(
                alert,
                account,
                quantity,
                source=Source.WEBHOOK,
                received_at=received_at,
                strategy=strategy,
                signal=signal,
            )
            for account, quantity in quantities
        ]
        failpoint("record.before_commit")
    failpoint("record.after_commit")
    return orders


def record_order(
    *,
    trader: Trader,
    account: BrokerAccount,
    request: OrderRequest,
    source: Source,
    received_at: dt.datetime,
    statement_timeout_ms: int,
    idempotency_key: str | None = None,
    request_digest: str = "",
) -> Order:
    """Record a manual order; from here on it goes the same way as an alert's.

    Raises ``AlreadyRecorded`` for a key that was used before, ``QuotaExceeded``, ``SizingError``.
    """
    try:
        with transaction.atomic():
            _limit_statements(statement_timeout_ms)
            if request.is_exit:
                quantity = _exit_quantity(account, request.symbol, request.side, request.quantity)
            else:
                spend_quota(trader=trader, count=1, now=received_at)
                quantity = _entry_quantity(account, request.quantity, None)
            order = _write_order(
                request,
                account,
                quantity,
                source=source,
                received_at=received_at,
                idempotency_key=idempotency_key,
                request_digest=request_digest,
            )
            failpoint("record.before_commit")
    except (IntegrityError, QuotaExceeded, SizingError):
        first = Order.objects.filter(user=trader.user_id, idempotency_key=idempotency_key).first()
        if idempotency_key is None or first is None:
            raise
        raise AlreadyRecorded(first.id) from None
    failpoint("record.after_commit")
    return order


# --- inside the transaction ---


def _limit_statements(milliseconds: int) -> None:
    """Keep a slow database from eating the sender's patience: TradingView hangs up after 3 s."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true)", [str(max(milliseconds, LEAST_STATEMENT_MS))]
        )


INSERT_SIGNAL = """
INSERT INTO orders_signal
    (id, user_id, strategy_id, replay_key, operation, symbol, body, alert_time, received_at, recorded_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, now())
ON CONFLICT (strategy_id, replay_key) DO NOTHING
"""


def _write_signal(strategy: Strategy, alert: Alert, replay_key: str, received_at: dt.datetime) -> Signal:
    """Insert the signal; a second one with its key waits for the first one's commit, then finds it."""
    signal = Signal(
        id=new_id(),
        user_id=strategy.user_id,
        strategy=strategy,
        replay_key=replay_key,
        operation=alert.operation,
        symbol=alert.symbol,
        body=dict(alert.body),
        alert_time=alert.timestamp,
        received_at=received_at,
    )
    body = Signal._meta.get_field("body").get_db_prep_save(signal.body, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT_SIGNAL,
            [
                signal.id,
                signal.user_id,
                strategy.id,
                replay_key,
                signal.operation,
                signal.symbol,
                body,
                signal.alert_time,
                received_at,
            ],
        )
        if cursor.rowcount == 0:
            raise AlreadyRecorded(first_order_of(strategy, replay_key))
    return signal


def _closable(accounts: Sequence[BrokerAccount], alert: Alert) -> list[tuple[BrokerAccount, Decimal]]:
    """Return what the alert closes in each account that has something to close; having nothing is no error."""
    requested = None if alert.operation.closes_whole else alert.quantity
    quantities = []
    for account in accounts:
        try:
            quantities.append((account, _exit_quantity(account, alert.symbol, alert.side, requested)))
        except SizingError as error:
            if error.code is not SizingCode.NOTHING_TO_CLOSE:
                raise
    return quantities


def _entry_quantity(account: BrokerAccount, requested: Decimal | None, default: Decimal | None) -> Decimal:
    fractional = capabilities_of(account.broker).fractional
    step = LOT_STEP if fractional else Decimal(1)
    return size_order(requested, default, lot_step=step, min_qty=step, max_qty=None)


def _exit_quantity(account: BrokerAccount, symbol: str, side: Side, requested: Decimal | None) -> Decimal:
    """Return what may be closed: never more than the position, less what other exits already close.

    The account's row is locked, so that two exits at once cannot both close the same shares.
    """
    BrokerAccount.objects.select_for_update(of=("self",)).get(pk=account.pk)
    position = net_position(account, symbol)
    held = position if side is Side.SELL else -position
    return cap_exit(requested, held - closing_quantity(account, symbol, side))


def _write_order(
    asked: Alert | OrderRequest,
    account: BrokerAccount,
    order_qty: Decimal,
    *,
    source: Source,
    received_at: dt.datetime,
    strategy: Strategy | None = None,
    signal: Signal | None = None,
    idempotency_key: str | None = None,
    request_digest: str = "",
) -> Order:
    order_id = new_id()
    now = timezone.now()
    order = Order(
        id=order_id,
        cl_ord_id=cl_ord_id_of(order_id),
        working_cl_ord_id=cl_ord_id_of(order_id),
        user_id=account.user_id,
        account=account,
        strategy=strategy,
        signal=signal,
        source=source,
        simulation=account.simulation,
        idempotency_key=idempotency_key,
        request_digest=request_digest,
        symbol=asked.symbol,
        side=asked.side,
        ord_type=asked.ord_type,
        # DAY where the sender leaves it open: what every broker takes, for fractions too.
        time_in_force=asked.time_in_force or TimeInForce.DAY,
        order_qty=order_qty,
        price=asked.price,
        stop_px=asked.stop_px,
        position_effect=asked.position_effect,
        ord_status=OrdStatus.INITIALIZED,
        received_at=received_at,
        recorded_at=now,
    )
    project(order, OrderState(order_qty))
    order.next_check_at = next_check(order, now)
    order.save(force_insert=True)
    origin = Origin("web", stages={"received": received_at, "recorded": now})
    write_event(order, kind="Recorded", at=now, origin=origin, data={"order_qty": str(order_qty)})
    return order
