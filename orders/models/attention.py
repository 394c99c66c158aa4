"""The operators' attention list: what a person should look at."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from orders.models.order import Order


class AttentionItem(models.Model):
    """Something that the desk could not settle by itself; at most one open row per order and kind."""

    class Kind(models.TextChoices):
        OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN", "Outcome unknown"
        MARKET_ORDER_UNFILLED = "MARKET_ORDER_UNFILLED", "Market order not filled"
        OVERFILL = "OVERFILL", "Filled beyond its quantity"
        DUPLICATE_AT_BROKER = "DUPLICATE_AT_BROKER", "The broker has it more than once"
        DENIED_BUT_SENT = "DENIED_BUT_SENT", "Denied, and the broker has it"
        NO_WORKER_FREE = "NO_WORKER_FREE", "No worker free for a trader"
        WORKER_WEDGED = "WORKER_WEDGED", "A worker stopped making progress"
        CREDENTIALS_REFUSED = "CREDENTIALS_REFUSED", "The broker refused the credentials"
        REQUEST_UNANSWERED = "REQUEST_UNANSWERED", "A cancel or replace is not answered"
        DEAD_LETTER = "DEAD_LETTER", "A task failed again and again"
        ORPHAN = "ORPHAN", "Something without its counterpart"
        MARKET_HOURS_MISSING = "MARKET_HOURS_MISSING", "A market's hours are not known for long"
        UNMATCHED_REPORT = "UNMATCHED_REPORT", "A broker's report of no order of ours"
        BROKER_COUNTS_LESS = "BROKER_COUNTS_LESS", "The broker counts fewer fills than the desk"
        UNPROTECTED = "UNPROTECTED", "A position without its stop loss"
        OVERCLOSED = "OVERCLOSED", "More was closed than was held"
        REVERSAL_ABORTED = "REVERSAL_ABORTED", "A reversal was given up half-way"
        POSITION_DIFFERS = "POSITION_DIFFERS", "The broker holds another position than the desk"
        DRIFT_HALT = "DRIFT_HALT", "An account's books differ: its entries are halted"
        CASH_DIFFERS = "CASH_DIFFERS", "An account's cash is not what its fills explain"
        INSTRUMENTS_STALE = "INSTRUMENTS_STALE", "A broker's instruments have not been read for days"
        STALE_QUOTE = "STALE_QUOTE", "An exit rule waits for a fresh quote"
        EXIT_RULE_FAILED = "EXIT_RULE_FAILED", "An exit by a rule was refused or canceled"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="attention_items"
    )
    order = models.ForeignKey(Order, models.PROTECT, null=True, blank=True, related_name="attention_items")
    kind = models.CharField(max_length=32, choices=Kind)
    detail = models.CharField(max_length=500, blank=True)
    opened_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    resolution = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "order", "kind"],
                condition=Q(resolved_at__isnull=True),
                nulls_distinct=False,
                name="attentionitem_one_open",
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()
