"""Record what the desk was told to trade: signal, orders, history and quota in one transaction."""

import datetime as dt
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connection, transaction

from brokers.ids import new_id
from brokers.models import BrokerAccount
from failpoints import failpoint
from orders.intake.alert import Alert
from orders.intake.order_request import OrderRequest
from orders.intake.sizing import SizingCode, SizingError
from orders.models import Order, Signal, Source, Strategy, Trader
from orders.protection import protection_of, protection_to_dict
from orders.selectors import first_order_of
from orders.services.new_orders import Provenance, write_order
from orders.services.quantities import entry_quantity, exit_quantity, part_to_close
from orders.services.quotas import QuotaExceeded, spend_quota
from orders.services.retrying import retried
from orders.services.sizing import Plan, plan_entry
from orders.services.statements import limit_statements


class AlreadyRecorded(Exception):
    """This alert, or this idempotency key, was accepted before; ``order_id`` is its first order's."""

    def __init__(self, order_id: uuid.UUID | None) -> None:
        super().__init__(str(order_id))
        self.order_id = order_id


@retried
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
        limit_statements(statement_timeout_ms)
        signal = _write_signal(strategy, alert, replay_key, received_at)
        if alert.is_exit:
            plans = _closable(accounts, alert, strategy.exit_percent)
        else:
            spend_quota(trader=trader, count=len(accounts), now=received_at)
            plans = [(account, plan_entry(account, strategy, alert)) for account in accounts]
        provenance = Provenance(
            source=Source.WEBHOOK, received_at=received_at, strategy=strategy, signal=signal
        )
        columns = _protected(alert, places_targets=strategy.places_targets)
        columns["closes_whole"] = _closes_whole(alert, strategy.exit_percent)
        orders = [
            write_order(alert, account, plan.order_qty, provenance, sizing=plan.sizing, **columns)
            for account, plan in plans
        ]
        failpoint("record.before_commit")
    failpoint("record.after_commit")
    return orders


@retried
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
            limit_statements(statement_timeout_ms)
            if request.is_exit:
                quantity = exit_quantity(account, request.symbol, request.side, request.quantity)
            else:
                spend_quota(trader=trader, count=1, now=received_at)
                quantity = entry_quantity(account, request.symbol, request.side, request.quantity)
            provenance = Provenance(
                source=source,
                received_at=received_at,
                idempotency_key=idempotency_key,
                request_digest=request_digest,
            )
            columns = _protected(request, places_targets=True)
            columns["closes_whole"] = request.is_exit and request.quantity is None
            order = write_order(request, account, quantity, provenance, **columns)
            failpoint("record.before_commit")
    except (IntegrityError, QuotaExceeded, SizingError):
        first = Order.objects.filter(user=trader.user_id, idempotency_key=idempotency_key).first()
        if idempotency_key is None or first is None:
            raise
        raise AlreadyRecorded(first.id) from None
    failpoint("record.after_commit")
    return order


# --- inside the transaction ---


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


def _protected(asked: Alert | OrderRequest, *, places_targets: bool) -> dict[str, Any]:
    """Return the columns that say by which exits an entry is to be protected."""
    protection = protection_of(asked, places_targets=places_targets)
    return {} if protection is None else {"protection": protection_to_dict(protection)}


def _closes_whole(alert: Alert, percent: Decimal | None) -> bool:
    """Say whether an alert closes all there is at its turn; ``percent``: what the strategy closes else."""
    return alert.operation.closes_whole or (alert.is_exit and alert.quantity is None and percent is None)


def _closable(
    accounts: Sequence[BrokerAccount], alert: Alert, percent: Decimal | None
) -> list[tuple[BrokerAccount, Plan]]:
    """Return what the alert closes in each account that has something to close; having nothing is no error.

    ``percent`` of the position counts where the alert neither names a quantity nor closes the whole.
    """
    plans = []
    for account in accounts:
        requested = None if alert.operation.closes_whole else alert.quantity
        if requested is None and percent is not None and not alert.operation.closes_whole:
            requested = part_to_close(account, alert.symbol, alert.side, percent)
        try:
            plans.append((account, Plan(exit_quantity(account, alert.symbol, alert.side, requested))))
        except SizingError as error:
            if error.code is not SizingCode.NOTHING_TO_CLOSE:
                raise
    return plans
