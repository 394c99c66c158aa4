"""Strategies: each has a webhook of its own."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from brokers.ids import new_id
from brokers.models import BrokerAccount
from orders.intake.sizing_rules import SizingMethod, SizingRule

SIZING_METHODS = [
    (SizingMethod.FIXED, "The default quantity"),
    (SizingMethod.CASH, "An amount of money"),
    (SizingMethod.PERCENT_OF_EQUITY, "Percent of the account's equity"),
    (SizingMethod.RISK_AMOUNT, "Risk an amount of money, by the stop loss"),
    (SizingMethod.RISK_PERCENT, "Risk percent of the equity, by the stop loss"),
]
LIMITS = ("min_quantity", "max_quantity", "min_notional", "max_notional")
SIZING_FIELDS = ("sizing_method", "default_quantity", "sizing_value", "exit_percent", *LIMITS)
"""What a trader may set of how much the strategy trades."""


def _limit(help_text: str) -> models.DecimalField:
    return models.DecimalField(max_digits=21, decimal_places=9, null=True, blank=True, help_text=help_text)


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
    sizing_method = models.CharField(
        max_length=20,
        choices=SIZING_METHODS,
        default=SizingMethod.FIXED,
        help_text="How much an entry is to trade whose alert names no quantity.",
    )
    sizing_value = models.DecimalField(
        max_digits=21,
        decimal_places=9,
        null=True,
        blank=True,
        help_text="The amount of money, or the percentage; nothing for a fixed quantity.",
    )
    exit_percent = models.DecimalField(
        max_digits=9,
        decimal_places=6,
        null=True,
        blank=True,
        help_text="How much of the position an exit closes whose alert names no quantity. Empty: all of it.",
    )
    min_quantity = _limit("Of an entry. Empty: what the broker asks for.")
    max_quantity = _limit("Of an entry. Empty: no bound.")
    min_notional = _limit("Quantity times price, in money.")
    max_notional = _limit("Quantity times price, in money.")
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
            models.CheckConstraint(
                condition=Q(sizing_method=SizingMethod.FIXED, sizing_value=None)
                | Q(sizing_value__isnull=False, sizing_value__gt=0)
                & (
                    Q(sizing_method__in=[SizingMethod.CASH, SizingMethod.RISK_AMOUNT])
                    | Q(sizing_method=SizingMethod.PERCENT_OF_EQUITY, sizing_value__lte=1000)
                    | Q(sizing_method=SizingMethod.RISK_PERCENT, sizing_value__lte=100)
                ),
                name="strategy_sizing_value_fits",
                violation_error_message="Give the rule an amount above zero or a percentage (a risk of at most 100, "
                "of equity at most 1000), and a fixed quantity neither.",
            ),
            models.CheckConstraint(
                condition=Q(exit_percent=None) | Q(exit_percent__gt=0, exit_percent__lte=100),
                name="strategy_exit_percent_fits",
                violation_error_message="An exit closes more than 0 and at most 100 percent of the position.",
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{name: None}) | Q(**{f"{name}__gt": 0}),
                    name=f"strategy_{name}_positive",
                    violation_error_message="A limit is above zero.",
                )
                for name in LIMITS
            ),
            models.CheckConstraint(
                condition=(
                    Q(min_quantity=None) | Q(max_quantity=None) | Q(min_quantity__lte=F("max_quantity"))
                )
                & (Q(min_notional=None) | Q(max_notional=None) | Q(min_notional__lte=F("max_notional"))),
                name="strategy_limits_in_order",
                violation_error_message="A minimum is not above its maximum.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def places_targets(self) -> bool:
        """Say whether the profit targets of its alerts are placed at the broker."""
        return self.trade_style == TradeStyle.SWING if self.takes_profit is None else self.takes_profit

    @property
    def sizing_rule(self) -> SizingRule | None:
        """Return how entries are sized whose alert names no quantity; None where it has to."""
        if self.sizing_method != SizingMethod.FIXED and self.sizing_value is not None:
            return SizingRule(SizingMethod(self.sizing_method), self.sizing_value)
        if self.default_quantity is None:
            return None
        return SizingRule(SizingMethod.FIXED, self.default_quantity)

    @property
    def webhook_path(self) -> str:
        return f"/webhook/tradingview/{self.token}"
