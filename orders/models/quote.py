"""Quotes: the latest that a trader's worker has fetched, one row a symbol and account."""

from django.db import models
from django.db.models import F, Q

from brokers.models import BrokerAccount


class Quote(models.Model):
    """What an account's broker last said of a symbol. A side that it did not name is null, never zero.

    Both sides are null, and ``quote_time`` with them, where the broker had no quote that can be used.
    """

    account = models.ForeignKey(BrokerAccount, models.CASCADE, related_name="quotes")
    symbol = models.CharField(max_length=32)
    bid_px = models.DecimalField(max_digits=21, decimal_places=9, null=True, blank=True)
    ask_px = models.DecimalField(max_digits=21, decimal_places=9, null=True, blank=True)
    quote_time = models.DateTimeField(null=True, blank=True, help_text="By the broker's clock.")
    fetched_at = models.DateTimeField(null=True, blank=True, help_text="When the broker last answered.")
    wanted_at = models.DateTimeField(
        null=True, blank=True, help_text="When somebody asked for a newer one; empty once it has come."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "symbol"], name="quote_one_a_symbol"),
            models.CheckConstraint(
                condition=Q(bid_px__isnull=True) | Q(bid_px__gt=0), name="quote_bid_positive"
            ),
            models.CheckConstraint(
                condition=Q(ask_px__isnull=True) | Q(ask_px__gt=0), name="quote_ask_positive"
            ),
            models.CheckConstraint(
                condition=Q(bid_px__isnull=True) | Q(ask_px__isnull=True) | Q(bid_px__lte=F("ask_px")),
                name="quote_not_crossed",
            ),
            models.CheckConstraint(
                condition=Q(quote_time__isnull=False, fetched_at__isnull=False)
                | Q(bid_px__isnull=True, ask_px__isnull=True),
                name="quote_has_its_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.bid_px or '-'} / {self.ask_px or '-'}"
