"""Alerts and orders, recorded the way the webhook and the API record them."""

import datetime as dt
import json
import uuid
from typing import Any

from django.utils import timezone

from orders.intake.alert import Alert, parse_alert
from orders.intake.order_request import parse_order_request
from orders.intake.replay import replay_key
from orders.models import Order, Source
from orders.services.intake import record_alert, record_order
from tests.factories.traders import Desk


def alert_body(desk: Desk, **fields: Any) -> dict[str, Any]:
    body = {
        "secret": desk.secret,
        "action": "buy",
        "symbol": "AAPL",
        "quantity": "10",
        "timestamp": timezone.now().isoformat(),
        "id": uuid.uuid4().hex,
    }
    return body | fields


def make_alert(desk: Desk, **fields: Any) -> Alert:
    return parse_alert(json.dumps(alert_body(desk, **fields)).encode(), "application/json")


def record(desk: Desk, *, received_at: dt.datetime | None = None, **fields: Any) -> list[Order]:
    """Record an alert of this trader; returns its orders."""
    alert = make_alert(desk, **fields)
    return record_alert(
        strategy=desk.strategy,
        trader=desk.trader,
        accounts=[desk.account],
        alert=alert,
        replay_key=replay_key(alert.alert_id, alert.body),
        received_at=received_at or timezone.now(),
        statement_timeout_ms=2500,
    )


def record_one(desk: Desk, **fields: Any) -> Order:
    (order,) = record(desk, **fields)
    return order


def record_manual(desk: Desk, *, key: str | None = None, **fields: str) -> Order:
    """Record a manual order in AAPL, as the API does; ``fields`` are those of its body."""
    body = json.dumps({"symbol": "AAPL"} | fields).encode()
    return record_order(
        trader=desk.trader,
        account=desk.account,
        request=parse_order_request(body, "application/json"),
        source=Source.API,
        received_at=timezone.now(),
        statement_timeout_ms=2500,
        idempotency_key=key,
    )
