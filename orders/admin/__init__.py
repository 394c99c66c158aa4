"""The operators' side: one file per noun. Importing it registers everything."""

from django.contrib import admin

from orders.admin import (
    account_snapshot,
    api_key,
    attention,
    broker_account,
    dead_letter,
    errand,
    execution,
    exit_rules,
    instrument,
    lease,
    market_hours,
    order,
    order_event,
    pool,
    position,
    quote,
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
    "account_snapshot",
    "api_key",
    "attention",
    "broker_account",
    "dead_letter",
    "errand",
    "execution",
    "exit_rules",
    "instrument",
    "lease",
    "market_hours",
    "order",
    "order_event",
    "pool",
    "position",
    "quote",
    "reconciliation",
    "request",
    "request_key",
    "signal",
    "strategy",
    "trade",
    "trader",
]
