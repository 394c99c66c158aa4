"""Positions: what an account holds of a symbol, by its executions."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from brokers.models import BrokerAccount


class Position(models.Model):
    """One account's position in one symbol, long above zero and short below; a row stays when it is flat.

    A projection of the executions, written in the transaction that records them. Money is kept to 18 decimals, what
    a quantity times a price can have, so that nothing is lost by rounding: ``cash + fees == realized_pnl - cost``.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="positions")
    account = models.ForeignKey(BrokerAccount, models.PROTECT, related_name="positions")
    symbol = models.CharField(max_length=32)
    qty = models.DecimalField(max_digits=21, decimal_places=9, default=0)
    cost = models.DecimalField(
        max_digits=60, decimal_places=18, default=0, help_text="What the open quantity was bought for."
    )
    realized_pnl = models.DecimalField(max_digits=60, decimal_places=18, default=0)
    fees = models.DecimalField(max_digits=60, decimal_places=18, default=0)
    cash = models.DecimalField(
        max_digits=60,
        decimal_places=18,
        default=0,
        help_text="What its fills have brought in, less what they cost.",
    )
    booked_at = models.DateTimeField(null=True, blank=True, help_text="The time of the newest fill in it.")
    booked_exec_id = models.CharField(max_length=64, blank=True)
    # What it was worth when it was last looked at; empty when flat. Never part of the books above.
    mark_px = models.DecimalField(
        max_digits=24, decimal_places=10, null=True, blank=True, help_text="The middle of bid and ask."
    )
    market_value = models.DecimalField(max_digits=60, decimal_places=18, null=True, blank=True)
    unrealized_pnl = models.DecimalField(max_digits=60, decimal_places=18, null=True, blank=True)
    unrealized_pct = models.DecimalField(max_digits=40, decimal_places=4, null=True, blank=True)
    quote_time = models.DateTimeField(null=True, blank=True, help_text="Of the quote that it is valued at.")
    valued_at = models.DateTimeField(null=True, blank=True)
    protected = models.BooleanField(
        default=False,
        help_text="An entry came with protective exits; stays until it is flat and nothing rests.",
    )
    stale_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when an exit rule has waited for a fresh quote."
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "symbol"], name="position_one_a_symbol"),
            models.CheckConstraint(condition=~Q(qty=0) | Q(cost=0), name="position_flat_costs_nothing"),
        ]
        indexes = [
            models.Index(fields=["user", "symbol"], condition=~Q(qty=0), name="position_open"),
        ]

    def __str__(self) -> str:
        return f"{self.qty.normalize():f} {self.symbol}"
