"""Signals: every alert that the desk accepted, once."""

from django.conf import settings
from django.db import models

from brokers.ids import new_id
from orders.models.strategy import Strategy


class Signal(models.Model):
    """One accepted alert. Its replay key is unique in its strategy for ever."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="signals")
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="signals")
    replay_key = models.CharField(max_length=210)
    operation = models.CharField(max_length=16)
    symbol = models.CharField(max_length=32)
    body = models.JSONField(help_text="The alert as it came, without its secret.")
    alert_time = models.DateTimeField(help_text="When the alert says it was made.")
    received_at = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["strategy", "replay_key"], name="signal_replay_key_unique"),
        ]
        indexes = [models.Index(fields=["user", "-id"], name="signal_user_recent")]

    def __str__(self) -> str:
        return f"{self.operation} {self.symbol}"
