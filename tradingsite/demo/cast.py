"""Who plays: a trader who has never traded, and what the desk and the exchange have in their books."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.paper.ledger import LedgerView, read_ledger
from orders.ledger import DeskOrder, Report, compare, desk_holdings, desk_orders
from orders.models import Strategy
from orders.models.strategy import TradeStyle
from orders.selectors import has_live_lease
from orders.services.provisioning import NewTrader, TraderOptions, create_traders
from tradingsite.demo.way import STAGES, Way, read_way
from tradingsite.desk_client import Answer, DeskClient, timenow

SETTLE_SECONDS = 3.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """One trader's account in both books, and how they compare."""

    desk: list[DeskOrder]
    venue: LedgerView
    report: Report


class Actor:
    """A brand-new trader at the desk, with the connection over which their alerts come in."""

    def __init__(self, client: DeskClient) -> None:
        self.client = client
        self.trader: NewTrader = create_traders(count=1, options=TraderOptions())[0]
        # Swing trades have a profit target beside their stop loss.
        Strategy.objects.filter(user=self.trader.user_id).update(trade_style=TradeStyle.SWING)

    def alert(self, action: str, alert_id: str, **fields: str) -> dict[str, Any]:
        """Return an alert's body as TradingView fills it in: every number is text."""
        return {
            "secret": self.trader.secret,
            "action": action,
            "ticker": "NASDAQ:AAPL",
            **fields,
            "timenow": timenow(),
            "id": alert_id,
        }

    def send(self, body: Mapping[str, Any]) -> Answer:
        """Post an alert to this trader's webhook."""
        return self.client.send_alert(self.trader.webhook_path, body)

    def follow(self, order_id: str) -> Way:
        """Ask the API for an order until its last stage is in its history: that is written after the answer."""
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            detail = self.client.get(f"/api/v1/orders/{order_id}", self.trader.api_key)
            way = read_way(detail.body)
            if len(way.stages) == len(STAGES) or time.monotonic() > end:
                return way
            time.sleep(POLL_SECONDS)

    def has_worker(self) -> bool:
        """Say whether a worker holds this trader's lease."""
        return has_live_lease(self.trader.user_id)

    def books(self) -> Books:
        """Read this trader's orders from the desk's tables and from the exchange's own ledger."""
        end = time.monotonic() + SETTLE_SECONDS
        account = BrokerAccount.objects.get(pk=self.trader.account_id).external_id
        while True:
            desk = [order for order in desk_orders() if order.account_id == account]
            holdings = [holding for holding in desk_holdings() if holding.account_id == account]
            venue = read_ledger(settings.VENUE_DATABASE_URL, [account])
            report = compare(desk, holdings, venue, now=timezone.now())
            if report.is_clean or time.monotonic() > end:
                return Books(desk=desk, venue=venue, report=report)
            time.sleep(POLL_SECONDS)
