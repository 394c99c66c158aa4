"""Orders that are filled, booked the way the desk books a broker's reports."""

from datetime import datetime

from orders.models import Order
from orders.services.changes import Origin
from orders.services.executions import apply_execution_report
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill
from tests.factories.traders import Desk


def fill_order(order: Order, qty: str, price: str, exec_id: str, at: datetime) -> None:
    """Have the broker report a fill of this order."""
    report = make_fill(order, qty, price, exec_id, transact_time=at)
    apply_execution_report(report, account_id=order.account_id, origin=Origin("stream"))


def filled_order(desk: Desk, qty: str, price: str, exec_id: str, at: datetime, **alert: str) -> Order:
    """Record an alert's order, ``qty`` of AAPL bought on entry unless ``alert`` says otherwise, and fill it whole."""
    order = record_one(desk, **({"quantity": qty} | alert))
    fill_order(order, qty, price, exec_id, at)
    order.refresh_from_db()
    return order
