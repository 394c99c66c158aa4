"""What the database itself demands of an order's row: born recorded, moved as the state machine moves, with history."""

import pgtrigger

from brokers.types import OrdStatus
from orders.state.moves import ALLOWED_FROM

PROJECTION = ("ord_status", "order_qty", "cum_qty", "leaves_qty", "avg_px")
"""The columns that say what the state says."""


def order_triggers() -> list[pgtrigger.Trigger]:
    """Return the triggers of an order's row; an UPDATE that leaves the projection alone pays for none of them."""
    return [
        pgtrigger.Trigger(
            name="recorded_first",
            when=pgtrigger.Before,
            operation=pgtrigger.Insert,
            condition=pgtrigger.Q(new__ord_status__df=OrdStatus.INITIALIZED.value),
            func="RAISE EXCEPTION 'an order begins INITIALIZED, not %', NEW.ord_status"
            " USING ERRCODE = 'check_violation', CONSTRAINT = 'order_recorded_first';",
        ),
        pgtrigger.Trigger(
            name="legal_move",
            when=pgtrigger.Before,
            operation=pgtrigger.UpdateOf("ord_status"),
            condition=pgtrigger.Condition("OLD.ord_status IS DISTINCT FROM NEW.ord_status"),
            func=_legal_move(),
        ),
        pgtrigger.Trigger(
            name="history_first",
            when=pgtrigger.After,
            operation=pgtrigger.UpdateOf(*PROJECTION),
            condition=pgtrigger.Condition(_changed()),
            func=HISTORY_FIRST,
        ),
    ]


def _legal_move() -> str:
    """Write the table of moves as one CASE; a status that it does not name is never moved to."""
    cases = "\n".join(
        f"    WHEN '{after.value}' THEN OLD.ord_status IN ({_listed(ALLOWED_FROM[after])})"
        for after in OrdStatus
        if after in ALLOWED_FROM
    )
    return f"""
IF NOT (CASE NEW.ord_status
{cases}
    ELSE false
END) THEN
    RAISE EXCEPTION 'an order never goes from % to %', OLD.ord_status, NEW.ord_status
        USING ERRCODE = 'check_violation', CONSTRAINT = 'order_legal_move';
END IF;
RETURN NEW;
"""


def _listed(statuses: frozenset[OrdStatus]) -> str:
    return ", ".join(f"'{status.value}'" for status in OrdStatus if status in statuses)


def _changed() -> str:
    old, new = (", ".join(f"{row}.{column}" for column in PROJECTION) for row in ("OLD", "NEW"))
    return f"(({old}) IS DISTINCT FROM ({new}))"


# Row and history row bear the same transaction's number (that of the savepoint, inside one), whatever the clock
# says meanwhile. The history is written first, so that this can be asked at once and not at the commit.
HISTORY_FIRST = """
IF NOT EXISTS (
    SELECT FROM orders_order AS row JOIN orders_orderevent AS event ON event.order_id = row.id
    WHERE row.id = NEW.id AND event.xmin = row.xmin AND event.ord_status = NEW.ord_status
) THEN
    RAISE EXCEPTION 'an order changed without an event that says so: %', NEW.cl_ord_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'order_history_first';
END IF;
RETURN NULL;
"""
