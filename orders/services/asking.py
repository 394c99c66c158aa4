"""What a trader asks of an order, and which earlier request an idempotency key stands for."""

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import connection

from orders.models import OrderRequest, OrderRequestKey, Source


class KeyUsedElsewhere(Exception):
    """The idempotency key belongs to another request; ``order_id`` is that one's order's."""

    def __init__(self, order_id: uuid.UUID) -> None:
        super().__init__(str(order_id))
        self.order_id = order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks, of which order, and since when; the digest tells a repeat under the key from another request."""

    user_id: int
    order_id: uuid.UUID
    source: Source
    received_at: dt.datetime
    idempotency_key: str | None = None
    request_digest: str = ""


def hold_key(asked: Asked) -> None:
    """Have whoever comes with the same key wait for the end of this transaction, whichever order they ask of.

    Taken before the order's row: a key may come to stand in either of two tables.
    """
    if asked.idempotency_key is None:
        return
    with connection.cursor() as cursor:
        name = f"{asked.user_id} {asked.idempotency_key}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def request_of_key(asked: Asked, kind: OrderRequest.Kind) -> OrderRequest | None:
    """Return the request that answered this key before; raises ``KeyUsedElsewhere`` where another was asked for."""
    if asked.idempotency_key is None:
        return None
    of_key = {"user": asked.user_id, "idempotency_key": asked.idempotency_key}
    request = OrderRequest.objects.filter(**of_key).first()
    digest = request.request_digest if request else ""
    if request is None:
        further = OrderRequestKey.objects.select_related("request").filter(**of_key).first()
        if further is None:
            return None
        request, digest = further.request, further.request_digest
    if (request.order_id, request.kind, digest) != (asked.order_id, kind, asked.request_digest):
        raise KeyUsedElsewhere(request.order_id)
    return request
