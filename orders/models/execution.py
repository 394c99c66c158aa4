"""Executions: fills, and the corrections and busts that speak of them."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from brokers.models import BrokerAccount
from orders.models.append_only import append_only
from orders.models.order import Order


class Execution(models.Model):
    """One report of a trade, once per account and exec id. Rows are never changed."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="executions")
    account = models.ForeignKey(BrokerAccount, models.PROTECT, related_name="executions")
    order = models.ForeignKey(Order, models.PROTECT, related_name="executions")
    exec_id = models.CharField(max_length=64)
    exec_ref_id = models.CharField(max_length=64, blank=True, help_text="The fill that this one corrects.")
    exec_type = models.CharField(max_length=16)
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=8)
    last_qty = models.DecimalField(max_digits=21, decimal_places=9)
    last_px = models.DecimalField(max_digits=21, decimal_places=9)
    cum_qty = models.DecimalField(
        max_digits=21,
        decimal_places=9,
        null=True,
        blank=True,
        help_text="The order's, by the broker, after it.",
    )
    fee = models.DecimalField(
        max_digits=21,
        decimal_places=9,
        default=0,
        help_text="The broker's commission for it; a rebate is negative.",
    )
    transact_time = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "exec_id"], name="execution_exec_id_unique"),
            models.CheckConstraint(condition=Q(last_qty__gte=0), name="execution_last_qty_not_negative"),
        ]
        indexes = [models.Index(fields=["account", "symbol"], name="execution_position")]
        triggers: list[pgtrigger.Trigger] = append_only()

    def __str__(self) -> str:
        return f"{self.last_qty.normalize():f} at {self.last_px.normalize():f}"
