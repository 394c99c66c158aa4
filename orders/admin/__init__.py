"""The operators' side: one file per noun. Importing it registers everything."""

from django.contrib import admin

from orders.admin import (
    api_key,
    attention,
    broker_account,
    dead_letter,
    execution,
    lease,
    market_hours,
    order,
    order_event,
    pool,
    position,
    reconciliation,
    request,
    request_key,
    signal,
    strategy,
    trade,
    trader,
)

admin.site.site_header = "Tradingsite"
admin.site.site_title = "Tradingsite"
admin.site.index_title = "Operations"

__all__ = [
    "api_key",
    "attention",
    "broker_account",
    "dead_letter",
    "execution",
    "lease",
    "market_hours",
    "order",
    "order_event",
    "pool",
    "position",
    "reconciliation",
    "request",
    "request_key",
    "signal",
    "strategy",
    "trade",
    "trader",
]
