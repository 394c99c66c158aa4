"""An entry in an account whose books differ from its broker's is denied; an exit never is."""

import datetime as dt
import uuid

from orders.models import Order
from orders.services.changes import ORDER_COLUMNS, Change
from orders.state import Denied

DRIFT_HALT = "DRIFT_HALT"
DRIFT_TEXT = (
    "The account's books differ from its broker's: no new entries until that is explained. Exits go on."
)

# As ``changes.LOCK_ORDER``, in the same round trip with the halt of the order's account.
LOCK_TO_SEND = (
    f"SELECT {ORDER_COLUMNS}, EXISTS ("  # noqa: S608 - names of our own columns
    "SELECT FROM orders_accounthalt AS halt WHERE halt.account_id = orders_order.account_id AND halt.lifted_at IS NULL"
    ") AS account_halted FROM orders_order WHERE id = %s FOR NO KEY UPDATE"
)


def lock_to_send(order_id: uuid.UUID) -> tuple[Order, bool]:
    """Return the order with its row locked, and whether the entries of its account are halted.

    Raises ``Order.DoesNotExist``.
    """
    for order in Order.objects.raw(LOCK_TO_SEND, [order_id]):
        return order, order.account_halted  # type: ignore[attr-defined]
    raise Order.DoesNotExist(f"no order {order_id}")


def deny_halted(change: Change, *, at: dt.datetime) -> None:
    """Deny a recorded entry because its account is halted; the caller saves the change."""
    change.apply(Denied(DRIFT_HALT), at=at)
    change.set(reason=DRIFT_HALT, text=DRIFT_TEXT)
