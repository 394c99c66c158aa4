"""The trader's accounts at brokers, and what can be traded there."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from brokers.catalog import get_broker
from brokers.hours.markets import CHOICES, MARKETS, market_of
from brokers.ids import new_id
from brokers.ticks import tick_at
from brokers.types import TickRule


class BrokerAccount(models.Model):
    """One account of one trader at one broker; its credentials are sealed by the vault."""

    class Broker(models.TextChoices):
        PAPER = "paper", "Paper venue"
        PAPER_C = "paper_c", "Paper venue that takes an id twice"
        ALPACA = "alpaca", "Alpaca"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="broker_accounts")
    broker = models.CharField(max_length=16, choices=Broker)
    label = models.CharField(max_length=64)
    external_id = models.CharField(max_length=64, blank=True, help_text="The broker's own id of the account.")
    sealed_credentials = models.TextField(help_text="Opened by the trader's worker only.")
    simulation = models.BooleanField(help_text="No real money moves here.")
    market = models.CharField(
        max_length=8,
        choices=CHOICES,
        blank=True,
        help_text="Whose hours count. Empty: the broker's usual one.",
    )
    verified_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "label"], name="brokeraccount_label_unique"),
            models.CheckConstraint(
                condition=models.Q(broker__in=["paper", "paper_c", "alpaca"]),
                name="brokeraccount_broker_known",
            ),
            models.CheckConstraint(
                condition=models.Q(market__in=["", *MARKETS]), name="brokeraccount_market_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(broker__in=["paper", "paper_c"]) | models.Q(simulation=True),
                name="brokeraccount_paper_is_simulation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.broker})"

    @property
    def trades_on(self) -> str:
        """The code of the market whose hours count for this account."""
        return self.market or get_broker(self.broker).market

    def market_of(self, symbol: str) -> str:
        """Return the code of the market that this symbol trades on here."""
        return market_of(self.trades_on, symbol)


class Instrument(models.Model):
    """One symbol of one broker, as the broker told of it last. A symbol that it has dropped is kept, not tradable."""

    broker = models.CharField(max_length=16, choices=BrokerAccount.Broker)
    symbol = models.CharField(max_length=32)
    name = models.CharField(max_length=200, blank=True)
    exchange = models.CharField(max_length=32, blank=True)
    currency = models.CharField(max_length=8)
    ticks = models.JSONField(help_text="Pairs of a price and the tick that counts from it on, lowest first.")
    lot_step = models.DecimalField(max_digits=21, decimal_places=9)
    short_step = models.DecimalField(max_digits=21, decimal_places=9, help_text="Of what is sold short.")
    min_qty = models.DecimalField(max_digits=21, decimal_places=9)
    min_notional = models.DecimalField(max_digits=21, decimal_places=9, null=True, blank=True)
    multiplier = models.DecimalField(max_digits=21, decimal_places=9, default=1)
    tradable = models.BooleanField()
    shortable = models.BooleanField()
    fractionable = models.BooleanField()
    marginable = models.BooleanField()
    refreshed_at = models.DateTimeField(help_text="When the broker said so last.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["broker", "symbol"], name="instrument_symbol_unique"),
            models.CheckConstraint(
                condition=Q(lot_step__gt=0, short_step__gt=0, min_qty__gt=0, multiplier__gt=0),
                name="instrument_steps_positive",
            ),
        ]
        indexes = [
            models.Index(fields=["broker", "refreshed_at"], name="instrument_refreshed"),
            # For the beginning of a symbol, whatever the database's collation.
            models.Index(fields=["symbol"], name="instrument_symbol", opclasses=["varchar_pattern_ops"]),
        ]

    def __str__(self) -> str:
        return self.symbol

    @property
    def tick_rule(self) -> TickRule:
        pairs: list[list[Any]] = self.ticks
        return tuple((Decimal(start), Decimal(tick)) for start, tick in pairs)

    def tick_at(self, price: Decimal) -> Decimal:
        """Return the tick that counts at this price."""
        return tick_at(self.tick_rule, price)
