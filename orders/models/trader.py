"""Traders: what a user may do at the desk."""

from django.conf import settings
from django.db import models


class Plan(models.Model):
    """What a trader has subscribed to: limits that apply where the trader has none of their own."""

    name = models.CharField(max_length=64, unique=True)
    daily_order_limit = models.PositiveIntegerField(help_text="Entries a day, in the trader's time zone.")
    orders_per_minute = models.PositiveIntegerField(default=100, help_text="Entries in one clock minute.")

    def __str__(self) -> str:
        return self.name


class Trader(models.Model):
    """A user who trades."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="trader"
    )
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="traders")
    terms_accepted_at = models.DateTimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC", help_text="IANA name; when their day begins.")
    daily_order_limit = models.PositiveIntegerField(null=True, blank=True, help_text="Instead of the plan's.")
    orders_per_minute = models.PositiveIntegerField(null=True, blank=True, help_text="Instead of the plan's.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.user)

    @property
    def effective_daily_order_limit(self) -> int:
        return self.plan.daily_order_limit if self.daily_order_limit is None else self.daily_order_limit

    @property
    def effective_orders_per_minute(self) -> int:
        return self.plan.orders_per_minute if self.orders_per_minute is None else self.orders_per_minute


class OrderQuota(models.Model):
    """How many entries a trader has placed in the running day and minute: one row a trader."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="order_quota"
    )
    day = models.DateField(help_text="In the trader's time zone.")
    day_count = models.PositiveIntegerField()
    minute = models.DateTimeField()
    minute_count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.day_count} on {self.day}"
