"""Order events: what happened to an order, in order, for ever."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from orders.models.append_only import append_only
from orders.models.order import Order


class OrderEvent(models.Model):
    """One thing that happened to an order, written in the transaction that made it so."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="events")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="order_events")
    kind = models.CharField(max_length=24)
    at = models.DateTimeField(help_text="When it happened, by whoever saw it happen.")
    recorded_at = models.DateTimeField(db_default=Now())
    ord_status = models.CharField(max_length=16, help_text="The order's status afterwards.")
    source = models.CharField(max_length=16, help_text="Which way it came: web, worker, stream, poll, sweep.")
    worker = models.CharField(max_length=255, blank=True)
    pid = models.IntegerField(null=True, blank=True)
    epoch = models.BigIntegerField(null=True, blank=True)
    stages = models.JSONField(default=dict, help_text="Stage of the way to its time, UTC.")
    data = models.JSONField(default=dict, help_text="The state machine's event, or what there is to know.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order"], condition=models.Q(kind="Replied"), name="orderevent_one_reply"
            ),
        ]
        indexes = [models.Index(fields=["order", "id"], name="orderevent_of_order")]
        triggers: list[pgtrigger.Trigger] = append_only()

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%H:%M:%S}"
