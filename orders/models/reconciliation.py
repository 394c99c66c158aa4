"""Comparing the desk's books with a broker's: each comparison, what it found, and what was done about it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from brokers.models import BrokerAccount
from orders.models.order import Order


class ReconciliationRun(models.Model):
    """One comparison of an account with its broker. Rows are kept; one without ``finished_at`` was cut short."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="reconciliations")
    account = models.ForeignKey(BrokerAccount, models.PROTECT, related_name="reconciliations")
    worker = models.CharField(max_length=255)
    epoch = models.BigIntegerField(help_text="Of the lease under which it was done.")
    since = models.DateTimeField(help_text="From when on the broker was asked for orders and fills.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    is_settled = models.BooleanField(
        default=False, help_text="The broker's books stood still, so that positions and cash were compared."
    )
    orders_seen = models.PositiveIntegerField(default=0)
    executions_seen = models.PositiveIntegerField(default=0)
    positions_seen = models.PositiveIntegerField(default=0)
    broker_cash = models.DecimalField(max_digits=60, decimal_places=18, null=True, blank=True)
    booked_cash = models.DecimalField(
        max_digits=60, decimal_places=18, null=True, blank=True, help_text="What the fills have brought in."
    )
    is_cash_base = models.BooleanField(
        default=False, help_text="From here on cash is compared: what came before explains nothing of it."
    )

    class Meta:
        indexes = [models.Index(fields=["account", "-id"], name="reconciliationrun_recent")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M:%S} UTC"


class ReconciliationFinding(models.Model):
    """One thing that the books did not agree on, and what was done. Rows are kept.

    What is found again while it is open is the same finding: it was then seen in several runs.
    """

    class Kind(models.TextChoices):
        MISSED_FILL = "MISSED_FILL", "Fills that the desk had missed"
        ORDER_CHANGED = "ORDER_CHANGED", "An order that had changed unnoticed"
        ORDER_MISSING = "ORDER_MISSING", "A working order that the broker does not have"
        EXTERNAL_ORDER = "EXTERNAL_ORDER", "An order that the desk did not send"
        REPLACED_OUTSIDE = "REPLACED_OUTSIDE", "An order replaced at the broker's own site"
        POSITION_DIFFERS = "POSITION_DIFFERS", "A position that no execution explains"
        CORPORATE_ACTION = "CORPORATE_ACTION", "A split, or another corporate action"
        CASH_DIFFERS = "CASH_DIFFERS", "Cash that no execution explains"
        EXIT_CANCELED = "EXIT_CANCELED", "An exit of a position that is closed already"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="reconciliation_findings")
    account = models.ForeignKey(BrokerAccount, models.PROTECT, related_name="reconciliation_findings")
    run = models.ForeignKey(
        ReconciliationRun, models.PROTECT, related_name="findings", help_text="That found it first."
    )
    last_run = models.ForeignKey(
        ReconciliationRun, models.PROTECT, related_name="+", help_text="That saw it last."
    )
    runs_seen = models.PositiveIntegerField(default=1)
    kind = models.CharField(max_length=32, choices=Kind)
    symbol = models.CharField(max_length=32, blank=True)
    order = models.ForeignKey(
        Order, models.PROTECT, null=True, blank=True, related_name="reconciliation_findings"
    )
    broker_order_id = models.CharField(max_length=64, blank=True)
    ours = models.CharField(max_length=200, blank=True)
    theirs = models.CharField(max_length=200, blank=True)
    our_qty = models.DecimalField(max_digits=21, decimal_places=9, null=True, blank=True)
    their_qty = models.DecimalField(
        max_digits=21, decimal_places=9, null=True, blank=True, help_text="Of a position: signed."
    )
    done = models.CharField(max_length=300, help_text="What the desk did about it.")
    found_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    resolution = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "symbol", "broker_order_id"],
                condition=Q(resolved_at__isnull=True),
                name="finding_one_open",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="finding_recent"),
            models.Index(fields=["order"], name="finding_order"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.symbol}".strip()


class AccountHalt(models.Model):
    """While one stands, new entries of the account are denied; exits go on. At most one stands at a time."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="account_halts")
    account = models.ForeignKey(BrokerAccount, models.PROTECT, related_name="halts")
    reason = models.CharField(max_length=500)
    since = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: lifted by itself, once everything was explained.",
    )
    lift_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(lifted_at__isnull=True), name="accounthalt_one_stands"
            ),
        ]

    def __str__(self) -> str:
        return self.reason


class OutsideId(models.Model):
    """An id under which a broker has an order of ours, where somebody else chose it.

    Of an order that the desk did not send, and of what took an order's place at the broker's own site.
    """

    account = models.ForeignKey(BrokerAccount, models.PROTECT, related_name="outside_ids")
    order = models.ForeignKey(Order, models.PROTECT, related_name="outside_ids")
    cl_ord_id = models.CharField(max_length=128)
    broker_order_id = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "broker_order_id"], name="outsideid_once"),
        ]
        indexes = [models.Index(fields=["account", "cl_ord_id"], name="outsideid_by_cl_ord_id")]

    def __str__(self) -> str:
        return self.cl_ord_id
