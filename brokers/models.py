"""The trader's accounts at brokers."""

from django.conf import settings
from django.db import models

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
                condition=~models.Q(broker__in=["paper", "paper_c"]) | models.Q(simulation=True),
                name="brokeraccount_paper_is_simulation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.broker})"
