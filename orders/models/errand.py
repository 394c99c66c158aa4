"""Errands: what a trader's worker has to do besides sending orders and asking after them."""

from django.conf import settings
from django.db import models

from brokers.models import BrokerAccount


class Errand(models.Model):
    """One thing that is to be done for an account, or for one symbol in it; the row goes once it is done.

    Whoever finds that something must be looked at writes an errand, in the transaction that gives the reason, so that
    neither is there without the other. Doing one twice does no harm: a worker that dies at it leaves it to the next.
    """

    class Kind(models.TextChoices):
        TEND_POSITION = "TEND_POSITION", "Tend a position: closing orders, reversals, protective exits"
        QUOTES = "QUOTES", "Fetch quotes"
        RECONCILE = "RECONCILE", "Compare with the broker"
        INSTRUMENTS = "INSTRUMENTS", "Read the broker's instruments"

    URGENT = frozenset({Kind.TEND_POSITION})
    """Done before the next order is chosen. The others wait until all is sent, and for a worker until there is room:
    everybody who holds something asks for them again and again, and no order may wait behind that."""

    # The indexes below begin with both.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="errands", db_index=False)
    account = models.ForeignKey(BrokerAccount, models.CASCADE, related_name="errands", db_index=False)
    kind = models.CharField(max_length=16, choices=Kind)
    symbol = models.CharField(max_length=32, blank=True, help_text="Blank: it is about the whole account.")
    due_at = models.DateTimeField()
    tries = models.PositiveIntegerField(default=0, help_text="How often it was put off.")
    why = models.CharField(max_length=200, blank=True, help_text="Why it was put off last.")
    written_at = models.DateTimeField(auto_now_add=True)
    version = models.PositiveBigIntegerField(default=1, help_text="Grows each time it is asked for again.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "kind", "symbol"], name="errand_once"),
        ]
        indexes = [
            models.Index(fields=["user", "due_at"], name="errand_of_user"),
            models.Index(fields=["due_at"], name="errand_due"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.symbol}".strip()
