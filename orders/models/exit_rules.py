"""Exit rules as a trader or an operator has set them."""

from dataclasses import fields
from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from orders.exit_rules import Rules
from orders.models.strategy import Strategy

YEAR_IN_MINUTES = 366 * 24 * 60


def _pct(label: str, help_text: str) -> models.DecimalField:
    return models.DecimalField(
        label,
        max_digits=7,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.0001"))],
        help_text=help_text,
    )


class ExitRules(models.Model):
    """When the desk closes a position by itself: a trader's defaults, or what one strategy has instead of them.

    An empty field is no rule; for a strategy it is the trader's default, unless the strategy stands alone.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="exit_rules")
    strategy = models.OneToOneField(
        Strategy,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="exit_rules",
        help_text="Empty: the trader's defaults, for every strategy and for orders by hand.",
    )
    stands_alone = models.BooleanField(
        default=False, help_text="The trader's defaults do not count for this strategy."
    )
    profit_target_pct = _pct("profit target, %", "Closes at this gain from the average entry price.")
    stop_loss_pct = _pct("stop loss, %", "Closes at this loss from the average entry price.")
    trailing_pct = _pct("trailing stop, %", "Closes so far from the best price since the entry.")
    max_hold_minutes = models.PositiveIntegerField(
        "longest hold, minutes",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(YEAR_IN_MINUTES)],
        help_text="Closes so long after the first fill. A day has 1440.",
    )
    days_to_expiry = models.PositiveIntegerField(
        "days to expiry",
        null=True,
        blank=True,
        validators=[MaxValueValidator(366)],
        help_text="Closes options so many days before they expire; 0: on the day itself.",
    )
    minutes_before_close = models.PositiveIntegerField(
        "minutes before the close",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 60)],
        help_text="Closes so long before the market does.",
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = verbose_name_plural = "exit rules"
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(strategy__isnull=True), name="exitrules_one_default"
            ),
            models.CheckConstraint(
                condition=(Q(profit_target_pct__isnull=True) | Q(profit_target_pct__gt=0))
                & (Q(stop_loss_pct__isnull=True) | Q(stop_loss_pct__gt=0))
                & (Q(trailing_pct__isnull=True) | Q(trailing_pct__gt=0)),
                name="exitrules_pct_positive",
            ),
            models.CheckConstraint(
                condition=(Q(max_hold_minutes__isnull=True) | Q(max_hold_minutes__gt=0))
                & (Q(minutes_before_close__isnull=True) | Q(minutes_before_close__gt=0)),
                name="exitrules_minutes_positive",
            ),
            models.CheckConstraint(
                condition=Q(strategy__isnull=False) | Q(stands_alone=False),
                name="exitrules_default_stands_for_all",
            ),
        ]

    def __str__(self) -> str:
        return f"Exit rules of {self.strategy or self.user}"

    @property
    def rules(self) -> Rules:
        """What is set here, alone."""
        return Rules(**{field.name: getattr(self, field.name) for field in fields(Rules)})
