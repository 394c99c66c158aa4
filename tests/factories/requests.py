"""Cancels and replaces: asked for by their trader, or as rows, and sent by the worker's service."""

from decimal import Decimal
from typing import Any

from django.utils import timezone

from brokers.types import ExecType, ExecutionReport
from orders.models import Order, OrderRequest, Source
from orders.services.leases import Fence
from orders.services.request_sending import send_request
from orders.services.requests import Asked, Recorded, ReplaceTerms, record_cancel, record_replace
from tests.factories.adapters import ScriptedAdapter
from tests.factories.reports import make_report
from tests.pages.rows import make_request


def asked(order: Order, **fields: Any) -> Asked:
    values: dict[str, Any] = {
        "user_id": order.user_id,
        "order_id": order.id,
        "source": Source.API,
        "received_at": timezone.now(),
    }
    return Asked(**(values | fields))


def ask_cancel(order: Order, **fields: Any) -> Recorded:
    return record_cancel(asked(order, **fields), statement_timeout_ms=2000)


def cancel(order: Order, **fields: Any) -> OrderRequest:
    """Have the trader ask for a cancel; ``fields`` are those of ``Asked``."""
    return ask_cancel(order, **fields).request


def replace(order: Order, *, key: str | None = None, digest: str = "", **terms: str) -> OrderRequest:
    """Have the trader ask for a replace."""
    values = ReplaceTerms(**{name: Decimal(value) for name, value in terms.items()})
    by = asked(order, idempotency_key=key, request_digest=digest)
    return record_replace(by, values, statement_timeout_ms=2000)


def request(order: Order, kind: str = "CANCEL", **terms: Any) -> OrderRequest:
    """Make the row of a request that is to be sent now."""
    return make_request(order, kind, recorded_at=timezone.now(), **terms)


def send(request: OrderRequest, adapter: ScriptedAdapter, fence: Fence) -> OrderRequest:
    """Have the worker send the request; return it, with its order, as it is then."""
    send_request(request.id, adapter=adapter, fence=fence, before_send=lambda: None)  # type: ignore[arg-type]
    request.refresh_from_db()
    request.order.refresh_from_db()
    return request


def replacing(
    order: Order, request: OrderRequest, exec_type: ExecType = ExecType.NEW, **fields: Any
) -> ExecutionReport:
    """Report of the order at the broker that takes the old one's place."""
    values = {
        "cl_ord_id": request.cl_ord_id,
        "broker_order_id": f"venue-{request.cl_ord_id}",
        "replaces": f"venue-{order.cl_ord_id}",
        "order_qty": request.order_qty or order.order_qty,
    }
    return make_report(order, exec_type, **(values | fields))


def status_of(request: OrderRequest) -> str:
    """Return the status of its row as it is now."""
    return OrderRequest.objects.get(pk=request.pk).status
