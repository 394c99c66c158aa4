"""The trader's accounts at brokers."""

from django.conf import settings
from django.db import models

from brokers.catalog import get_broker
from brokers.hours.markets import CHOICES, MARKETS, market_of
from brokers.ids import new_id


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
