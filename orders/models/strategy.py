"""Strategies: each has a webhook of its own."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from brokers.ids import new_id
from brokers.models import BrokerAccount


class TradeStyle(models.TextChoices):
    """How a strategy trades, which says how its positions are protected."""

    SWING = "SWING", "Swing: over days, with stop loss and profit target"
    DAY = "DAY", "Day: closed within the session, stop loss only"
    SCALP = "SCALP", "Scalp: closed within minutes, stop loss only"


class Strategy(models.Model):
    """What one webhook trades: its token names it, its secret proves the sender."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="strategies")
    name = models.CharField(max_length=64)
    token = models.CharField(max_length=64, unique=True, help_text="The last part of the webhook's path.")
    secret_digest = models.BinaryField(max_length=32, help_text="SHA-256 of the alert's secret.")
    sealed_signing_key = models.TextField(blank=True, help_text="For clients that sign instead.")
    accounts = models.ManyToManyField(BrokerAccount, related_name="strategies")
    allowed_symbols = ArrayField(
        models.CharField(max_length=32), default=list, blank=True, help_text="Empty: every symbol."
    )
    default_quantity = models.DecimalField(
        max_digits=21, decimal_places=9, null=True, blank=True, help_text="For alerts without a quantity."
    )
    queues_for_open = models.BooleanField(
        default=False, help_text="Entries wait for the market to open instead of growing too old."
    )
    trade_style = models.CharField(max_length=8, choices=TradeStyle, default=TradeStyle.SWING)
    takes_profit = models.BooleanField(
        null=True,
        blank=True,
        help_text="Whether profit targets are placed; unknown: as its style has it.",
    )
    demands_protection = models.BooleanField(
        default=False,
        help_text="A position without a working stop is an alarm, whether a stop was asked for or not.",
    )
    paused = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "strategies"
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="strategy_name_unique"),
            models.CheckConstraint(
                condition=models.Q(default_quantity__isnull=True) | models.Q(default_quantity__gt=0),
                name="strategy_default_quantity_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def places_targets(self) -> bool:
        """Say whether the profit targets of its alerts are placed at the broker."""
        return self.trade_style == TradeStyle.SWING if self.takes_profit is None else self.takes_profit

    @property
    def webhook_path(self) -> str:
        return f"/webhook/tradingview/{self.token}"
