"""What history tells; and rows as it has left them, not lived again: the triggers of an order's row stand aside."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from orders.models import Order, OrderEvent


@contextmanager
def past() -> Iterator[None]:
    """Let the block write orders in any status and without events; one transaction.

    What every other test writes goes the way of the desk, past the triggers.
    """
    names = ",".join(trigger.get_pgid(Order) for trigger in Order._meta.triggers)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('pgtrigger.ignore', %s, true)", [f"{{{names}}}"])
        yield
        cursor.execute("SELECT set_config('pgtrigger.ignore', '{}', true)")


def event_kinds(order: Order) -> list[str]:
    """Return the kinds of the order's events, as they were recorded."""
    return list(OrderEvent.objects.filter(order=order).order_by("id").values_list("kind", flat=True))
