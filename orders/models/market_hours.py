"""When markets trade: what the exchange calendars say, and what an operator says over them."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from brokers.hours.markets import CALENDAR_MARKETS, MARKETS

CALENDAR_CHOICES = [(code, MARKETS[code].title) for code in CALENDAR_MARKETS]


class MarketSession(models.Model):
    """One trading day of a market, as its calendar has it. Read anew daily; never edited by hand."""

    market = models.CharField(max_length=8, choices=CALENDAR_CHOICES)
    day = models.DateField(help_text="By the exchange's own clock.")
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    half_day = models.BooleanField(default=False, help_text="It opens later or closes earlier than usual.")
    refreshed_at = models.DateTimeField(help_text="When the calendar said so last.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["market", "day"], name="marketsession_one_a_day"),
            models.CheckConstraint(
                condition=Q(opens_at__lt=F("closes_at")), name="marketsession_opens_before_it_closes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.market} {self.day}"


class MarketOverride(models.Model):
    """An operator's word on one day of a market, which counts instead of the calendar's."""

    market = models.CharField(max_length=8, choices=CALENDAR_CHOICES)
    day = models.DateField(help_text="By the exchange's own clock.")
    closed = models.BooleanField(default=False, help_text="It does not open on that day at all.")
    opens = models.TimeField(null=True, blank=True, help_text="By the exchange's own clock.")
    closes = models.TimeField(null=True, blank=True, help_text="By the exchange's own clock.")
    reason = models.CharField(max_length=200)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    set_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["market", "day"], name="marketoverride_one_a_day"),
            models.CheckConstraint(
                condition=Q(closed=True, opens=None, closes=None)
                | Q(closed=False, opens__isnull=False, closes__isnull=False, opens__lt=F("closes")),
                name="marketoverride_closed_or_hours",
                violation_error_message="Say that it is closed, or when it opens and, after that, closes.",
            ),
        ]

    def __str__(self) -> str:
        hours = "closed" if self.closed else f"{self.opens:%H:%M} to {self.closes:%H:%M}"
        return f"{self.market} {self.day}: {hours}"
