"""Orders: what the desk was told to trade, and what has become of it."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from brokers.ids import new_id
from brokers.models import BrokerAccount
from brokers.types import OrdStatus, OrdType, PositionEffect, Side, TimeInForce
from orders.models.exit_reason import ExitReason
from orders.models.order_triggers import order_triggers
from orders.models.signal import Signal
from orders.models.strategy import Strategy


class Source(models.TextChoices):
    WEBHOOK = "webhook", "Webhook"
    DASHBOARD = "dashboard", "Dashboard"
    API = "api", "API"
    DESK = "desk", "The desk"
    EXTERNAL = "external", "Outside the desk"


class Leg(models.TextChoices):
    """Which protective exit of a position an order is."""

    STOP_LOSS = "STOP_LOSS", "Stop loss"
    TAKE_PROFIT = "TAKE_PROFIT", "Take profit"


def _choices(enum: type) -> list[tuple[str, str]]:
    return [(str(member), str(member).replace("_", " ").capitalize()) for member in enum]  # type: ignore[attr-defined]


class Order(models.Model):
    """One order. Its status and quantities are a projection of its events, never set by hand."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cl_ord_id = models.CharField(max_length=28, unique=True)
    working_cl_ord_id = models.CharField(
        # Longer than our own ids: an order that an operator had adopted keeps the id that the broker has for it.
        max_length=128,
        help_text="Under which the broker works it: of the last replace, or its own.",
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders")
    account = models.ForeignKey(BrokerAccount, models.PROTECT, related_name="orders")
    strategy = models.ForeignKey(Strategy, models.PROTECT, null=True, blank=True, related_name="orders")
    signal = models.ForeignKey(Signal, models.PROTECT, null=True, blank=True, related_name="orders")
    source = models.CharField(max_length=16, choices=Source)
    simulation = models.BooleanField()
    idempotency_key = models.CharField(  # noqa: DJ001 - without a key any number of orders may be placed
        max_length=200, null=True, blank=True
    )
    request_digest = models.CharField(max_length=64, blank=True)

    # What was asked.
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=8, choices=_choices(Side))
    ord_type = models.CharField(max_length=16, choices=_choices(OrdType))
    time_in_force = models.CharField(max_length=8, choices=_choices(TimeInForce))
    order_qty = models.DecimalField(max_digits=21, decimal_places=9)
    price = models.DecimalField(max_digits=21, decimal_places=9, null=True, blank=True)
    stop_px = models.DecimalField(max_digits=21, decimal_places=9, null=True, blank=True)
    position_effect = models.CharField(max_length=8, choices=_choices(PositionEffect))
    trail_offset = models.DecimalField(
        max_digits=21, decimal_places=9, null=True, blank=True, help_text="Of a trailing stop: its distance."
    )
    trail_percent = models.DecimalField(
        max_digits=21, decimal_places=9, null=True, blank=True, help_text="The same, as part of the price."
    )

    # What has become of it: the projection.
    ord_status = models.CharField(max_length=16, choices=_choices(OrdStatus))
    cum_qty = models.DecimalField(max_digits=21, decimal_places=9, default=0)
    leaves_qty = models.DecimalField(max_digits=21, decimal_places=9)
    avg_px = models.DecimalField(max_digits=24, decimal_places=10, null=True, blank=True)
    ended = models.BooleanField(default=False, help_text="Nothing more will happen by itself.")
    state = models.JSONField(help_text="The order's state, from which the columns above are projected.")
    reason = models.CharField(max_length=32, blank=True, help_text="Why it was denied or rejected: a code.")
    text = models.CharField(max_length=500, blank=True)
    broker_order_id = models.CharField(max_length=64, blank=True)

    # What it is for, beyond opening or closing.
    exit_reason = models.CharField(
        max_length=32, choices=ExitReason, blank=True, help_text="Of an exit: why it closes."
    )
    leg = models.CharField(max_length=16, choices=Leg, blank=True, help_text="Of a protective exit: which.")
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        help_text="For whose sake the desk made it: a reversal's entry, or what a protective exit protects.",
    )
    protection = models.JSONField(
        null=True, blank=True, help_text="Of an entry: the protective exits that were asked for with it."
    )
    sent_with = models.OneToOneField(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="sent_along",
        help_text="Of the stop of an OCO: the order in whose command the broker gets it.",
    )

    sizing = models.JSONField(
        null=True,
        blank=True,
        help_text="Of an entry: the rule by which it is sized before it is sent, then what it was sized by.",
    )

    closes_whole = models.BooleanField(
        default=False,
        help_text="Of an exit: it closes what there is at its turn, more or less than recorded.",
    )

    # A reversal: an entry that closes the opposite position first.
    auto_exit = models.BooleanField(
        default=False, help_text="Of an entry: it reverses. Of an exit: it makes room for one that does."
    )
    exit_quantity = models.DecimalField(
        max_digits=21,
        decimal_places=9,
        null=True,
        blank=True,
        help_text="Of the opposite position that is closed first.",
    )
    exit_order = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="Of an entry: the order by which the desk closes it first.",
    )
    position_before = models.DecimalField(
        max_digits=21, decimal_places=9, null=True, blank=True, help_text="Signed: short is negative."
    )

    # Sending and following it.
    attempt = models.PositiveIntegerField(default=0)
    epoch = models.BigIntegerField(null=True, blank=True, help_text="Of the lease that sent it last.")
    eligible_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Not to be sent before. Of one that was denied because its market is closed: when that opens.",
    )
    next_check_at = models.DateTimeField(null=True, blank=True, help_text="When somebody must look again.")
    checks = models.PositiveIntegerField(default=0)

    # When.
    received_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    transact_time = models.DateTimeField(null=True, blank=True, help_text="Of the last fact, by the broker.")

    class Meta:
        permissions = [("resolve_order", "Can resolve an order whose outcome is unknown")]
        constraints = [
            models.CheckConstraint(
                # Nothing is sent before it is sized.
                condition=Q(order_qty__gt=0)
                | Q(
                    order_qty=0,
                    sizing__isnull=False,
                    ord_status__in=[OrdStatus.INITIALIZED, OrdStatus.DENIED],
                ),
                name="order_qty_positive",
            ),
            models.CheckConstraint(condition=Q(cum_qty__gte=0), name="order_cum_qty_not_negative"),
            models.CheckConstraint(condition=Q(leaves_qty__gte=0), name="order_leaves_qty_not_negative"),
            models.CheckConstraint(
                condition=Q(cl_ord_id__regex=r"^[0-9A-Za-z_.-]{1,28}$"), name="order_cl_ord_id_form"
            ),
            models.CheckConstraint(
                condition=Q(ord_status__in=list(OrdStatus)), name="order_ord_status_known"
            ),
            models.CheckConstraint(condition=Q(side__in=list(Side)), name="order_side_known"),
            models.CheckConstraint(
                condition=Q(ended=True) | Q(next_check_at__isnull=False),
                name="order_unfinished_is_followed",
            ),
            models.CheckConstraint(
                condition=Q(ord_type__in=["LIMIT", "STOP_LIMIT"], price__isnull=False, price__gt=0)
                | (~Q(ord_type__in=["LIMIT", "STOP_LIMIT"]) & Q(price__isnull=True)),
                name="order_price_fits_ord_type",
            ),
            models.CheckConstraint(
                condition=Q(ord_type__in=["STOP", "STOP_LIMIT"], stop_px__isnull=False, stop_px__gt=0)
                | (~Q(ord_type__in=["STOP", "STOP_LIMIT"]) & Q(stop_px__isnull=True)),
                name="order_stop_px_fits_ord_type",
            ),
            models.CheckConstraint(
                condition=Q(ord_type="TRAILING_STOP", trail_offset__gt=0, trail_percent__isnull=True)
                | Q(ord_type="TRAILING_STOP", trail_offset__isnull=True, trail_percent__gt=0)
                | (~Q(ord_type="TRAILING_STOP") & Q(trail_offset__isnull=True, trail_percent__isnull=True)),
                name="order_trail_fits_ord_type",
            ),
            models.UniqueConstraint(
                fields=["user", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="order_idempotency_key_unique",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="order_user_recent"),
            # The drain and the sweep read only what is unfinished, however many orders have ended.
            # Their condition names no status: a statement that is planned once for any status could not use them.
            models.Index(
                fields=["user", "next_check_at"],
                condition=Q(next_check_at__isnull=False),
                name="order_unfinished",
            ),
            models.Index(
                fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="order_due"
            ),
            models.Index(fields=["account", "symbol"], name="order_of_symbol"),
            models.Index(
                fields=["account", "working_cl_ord_id"],
                condition=~Q(working_cl_ord_id=F("cl_ord_id")),
                name="order_by_working_id",
            ),
        ]
        triggers: list[pgtrigger.Trigger] = order_triggers()

    def __str__(self) -> str:
        quantity = f"{self.order_qty.normalize():f}" if self.order_qty else "unsized"
        return f"{self.side} {quantity} {self.symbol}"

    @property
    def needs_sizing(self) -> bool:
        """Say whether it must be sized by its rule before it is sent."""
        return self.sizing is not None and "used" not in self.sizing
