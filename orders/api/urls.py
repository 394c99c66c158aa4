"""The addresses of API v1: without a slash at the end, and tolerated with one."""

from __future__ import annotations

from django.urls import path, re_path

from orders.api import schema  # noqa: F401 - registers itself with drf-spectacular
from orders.api.flatten import FlattenView
from orders.api.instruments import InstrumentsView
from orders.api.orders import OrdersView, OrderView
from orders.api.reconciliation import ReconcileView, ReconciliationsView
from orders.api.requests import CancelView, ReplaceView
from orders.api.trades import PositionsView, TradesView, TradeView
from orders.api.views import AccountsView, NothingHereView, SchemaView, StrategiesView

app_name = "api"

ROUTES = {
    "orders": (OrdersView, "order-list"),
    "orders/<uuid:order_id>": (OrderView, "order-detail"),
    "orders/<uuid:order_id>/cancel": (CancelView, "order-cancel"),
    "orders/<uuid:order_id>/replace": (ReplaceView, "order-replace"),
    "flatten": (FlattenView, "flatten"),
    "positions": (PositionsView, "position-list"),
    "trades": (TradesView, "trade-list"),
    "trades/<uuid:trade_id>": (TradeView, "trade-detail"),
    "instruments": (InstrumentsView, "instrument-list"),
    "accounts": (AccountsView, "account-list"),
    "accounts/<uuid:account_id>/reconcile": (ReconcileView, "account-reconcile"),
    "reconciliations": (ReconciliationsView, "reconciliation-list"),
    "strategies": (StrategiesView, "strategy-list"),
    "schema": (SchemaView, "schema"),
}

urlpatterns = [
    *(path(f"{route}/", view.as_view()) for route, (view, _) in ROUTES.items()),
    *(path(route, view.as_view(), name=name) for route, (view, name) in ROUTES.items()),
    re_path("", NothingHereView.as_view()),
]
