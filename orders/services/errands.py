"""Write errands for a trader's worker, and settle them once they are done."""

import datetime as dt
import uuid
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from failpoints import failpoint
from orders.models import Errand, Order

MAX_WAIT_SECONDS = 60.0

# The earlier time stands. The version tells a worker that was at it already that it has to look once more.
WRITE_ERRAND = """
INSERT INTO orders_errand (user_id, account_id, kind, symbol, due_at, tries, why, written_at, version)
VALUES (%(user)s, %(account)s, %(kind)s, %(symbol)s, %(due_at)s, 0, '', now(), 1)
ON CONFLICT (account_id, kind, symbol) DO UPDATE
SET due_at = least(orders_errand.due_at, excluded.due_at), version = orders_errand.version + 1
"""


def write_errand(
    *,
    user_id: int,
    account_id: uuid.UUID,
    kind: Errand.Kind,
    symbol: str = "",
    due_at: dt.datetime | None = None,
) -> None:
    """Ask the trader's worker for something; asking again before it is done changes nothing but may hasten it.

    Written in the caller's transaction, so that it stands or falls with the reason for it. Rings nobody: the worker
    looks for errands after each thing that it does, others ring for it after their commit.
    """
    values: dict[str, Any] = {
        "user": user_id,
        "account": account_id,
        "kind": kind,
        "symbol": symbol,
        "due_at": due_at or timezone.now(),
    }
    with connection.cursor() as cursor:
        cursor.execute(WRITE_ERRAND, values)


# One statement after an order's end, and only a look where nobody waits for that.
WRITE_WHERE_WAITED_FOR = """
INSERT INTO orders_errand (user_id, account_id, kind, symbol, due_at, tries, why, written_at, version)
SELECT %(user)s, %(account)s, 'TEND_POSITION', %(symbol)s::varchar, %(due_at)s, 0, '', now(), 1
WHERE EXISTS (
    SELECT FROM orders_order
    WHERE user_id = %(user)s AND next_check_at IS NOT NULL AND ord_status = 'INITIALIZED'
      AND account_id = %(account)s AND symbol = %(symbol)s::varchar AND reason IN ('CLEARING_WAY', 'REVERSING'))
ON CONFLICT (account_id, kind, symbol) DO UPDATE
SET due_at = least(orders_errand.due_at, excluded.due_at), version = orders_errand.version + 1
"""


def tend_if_waited_for(order: Order) -> bool:
    """Have the worker look at the orders that wait at this order's place; return whether any does.

    Written in the caller's transaction, which has changed the order.
    """
    values: dict[str, Any] = {
        "user": order.user_id,
        "account": order.account_id,
        "symbol": order.symbol,
        "due_at": timezone.now(),
    }
    with connection.cursor() as cursor:
        cursor.execute(WRITE_WHERE_WAITED_FOR, values)
        return bool(cursor.rowcount)


def finish_errand(errand: Errand) -> bool:
    """Strike off an errand that is done; False where it was asked for again meanwhile, and stays."""
    failpoint("errand.before_finish")
    done, _ = Errand.objects.filter(pk=errand.pk, version=errand.version).delete()
    return done > 0


def put_off_errand(errand: Errand, why: str, *, seconds: float | None = None) -> None:
    """Have the errand tried again, ever later: after 1, 2, 4 ... 60 s, or after ``seconds``."""
    wait = min(2.0**errand.tries, MAX_WAIT_SECONDS) if seconds is None else seconds
    due_at = timezone.now() + dt.timedelta(seconds=wait)
    Errand.objects.filter(pk=errand.pk).update(due_at=due_at, tries=F("tries") + 1, why=why[:200])
    failpoint("errand.put_off")


def defer_errand(errand: Errand, seconds: float) -> bool:
    """Have an errand done again after so many seconds, since it has to wait for something; False where it was asked
    for again meanwhile, and is done again at once.

    It counts as asked for anew, so that whoever is at it does not strike it off.
    """
    rows = Errand.objects.filter(pk=errand.pk, version=errand.version)
    due_at = timezone.now() + dt.timedelta(seconds=seconds)
    return rows.update(due_at=due_at, version=F("version") + 1) > 0
