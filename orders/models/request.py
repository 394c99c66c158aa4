"""Requests about an order: cancel it, or replace it by one with other terms. Each has its own row and id."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from brokers.ids import new_id
from orders.models.order import Order, Source


class OrderRequest(models.Model):
    """One OrderCancelRequest or OrderCancelReplaceRequest, in FIX's words.

    From the moment it is about to be sent the order's state has it too, and ``status`` is a projection of that.
    """

    class Kind(models.TextChoices):
        CANCEL = "CANCEL", "Cancel"
        REPLACE = "REPLACE", "Replace"

    class Status(models.TextChoices):
        RECORDED = "RECORDED", "Recorded"  # not sent
        SENT = "SENT", "Sent"  # in flight: the broker has not spoken of it
        PENDING = "PENDING", "Pending at the broker"
        ACCEPTED = "ACCEPTED", "Accepted"
        REFUSED = "REFUSED", "Refused"  # by the broker
        MOOT = "MOOT", "Too late"  # the order ended otherwise before
        DENIED = "DENIED", "Denied"  # by us, never sent

    OPEN = (Status.RECORDED, Status.SENT, Status.PENDING)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cl_ord_id = models.CharField(max_length=28, unique=True)
    order = models.ForeignKey(Order, models.PROTECT, related_name="requests")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="order_requests")
    kind = models.CharField(max_length=8, choices=Kind)
    source = models.CharField(max_length=16, choices=Source)
    idempotency_key = models.CharField(  # noqa: DJ001 - without a key any number of requests may be made
        max_length=200, null=True, blank=True
    )
    request_digest = models.CharField(max_length=64, blank=True)

    # What a replace asks for; what is null stays as it is.
    order_qty = models.DecimalField(max_digits=21, decimal_places=9, null=True, blank=True)
    price = models.DecimalField(max_digits=21, decimal_places=9, null=True, blank=True)
    stop_px = models.DecimalField(max_digits=21, decimal_places=9, null=True, blank=True)

    status = models.CharField(max_length=16, choices=Status, default=Status.RECORDED)
    reason = models.CharField(max_length=32, blank=True, help_text="Why it was denied or refused: a code.")
    text = models.CharField(max_length=500, blank=True)

    attempt = models.PositiveIntegerField(default=0)
    epoch = models.BigIntegerField(null=True, blank=True, help_text="Of the lease that sent it last.")
    eligible_at = models.DateTimeField(null=True, blank=True, help_text="Not to be sent before.")
    checks = models.PositiveIntegerField(default=0, help_text="Look-ups since it was sent.")

    received_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(cl_ord_id__regex=r"^[0-9A-Za-z_.-]{1,28}$"), name="orderrequest_cl_ord_id_form"
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=["RECORDED", "SENT", "PENDING", "ACCEPTED", "REFUSED", "MOOT", "DENIED"]
                ),
                name="orderrequest_status_known",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["RECORDED", "SENT", "PENDING"], answered_at__isnull=True)
                | (~Q(status__in=["RECORDED", "SENT", "PENDING"]) & Q(answered_at__isnull=False)),
                name="orderrequest_answered_at",
            ),
            models.CheckConstraint(
                condition=Q(kind="REPLACE")
                | Q(kind="CANCEL", order_qty__isnull=True, price__isnull=True, stop_px__isnull=True),
                name="orderrequest_cancel_changes_nothing",
            ),
            models.CheckConstraint(
                condition=Q(order_qty__isnull=True) | Q(order_qty__gt=0),
                name="orderrequest_order_qty_positive",
            ),
            models.UniqueConstraint(
                fields=["order", "kind"],
                condition=Q(status__in=["RECORDED", "SENT", "PENDING"]),
                name="orderrequest_one_open",
            ),
            models.UniqueConstraint(
                fields=["user", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="orderrequest_idempotency_key_unique",
            ),
        ]
        indexes = [
            models.Index(fields=["order", "id"], name="orderrequest_of_order"),
            models.Index(
                fields=["user"], condition=Q(answered_at__isnull=True), name="orderrequest_unanswered"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.order_id}"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN
