"""The trade journal: one row per round trip, from the order that opens it to the fill that closes it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from brokers.ids import new_id
from brokers.models import BrokerAccount
from orders.models.exit_reason import ExitReason
from orders.models.order import Order, Source
from orders.models.strategy import Strategy


class Trade(models.Model):
    """A round trip in one symbol: ``ORDERED``, then ``POSITION`` with its first fill, ``CLOSED`` when flat again.

    ``CANCELED`` where none of its entries was ever filled. Rows are never deleted.
    """

    class Status(models.TextChoices):
        ORDERED = "ORDERED", "Ordered"
        POSITION = "POSITION", "Position"
        CLOSED = "CLOSED", "Closed"
        CANCELED = "CANCELED", "Canceled"

    class Side(models.TextChoices):
        LONG = "LONG", "Long"
        SHORT = "SHORT", "Short"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="trades")
    account = models.ForeignKey(BrokerAccount, models.PROTECT, related_name="trades")
    strategy = models.ForeignKey(Strategy, models.PROTECT, null=True, blank=True, related_name="trades")
    source = models.CharField(max_length=16, choices=Source)
    simulation = models.BooleanField()
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=8, choices=Side)
    status = models.CharField(max_length=16, choices=Status, default=Status.ORDERED)
    entry_qty = models.DecimalField(max_digits=21, decimal_places=9, default=0)
    entry_amount = models.DecimalField(max_digits=60, decimal_places=18, default=0)
    exit_qty = models.DecimalField(max_digits=21, decimal_places=9, default=0)
    exit_amount = models.DecimalField(max_digits=60, decimal_places=18, default=0)
    realized_pnl = models.DecimalField(max_digits=60, decimal_places=18, default=0)
    fees = models.DecimalField(max_digits=60, decimal_places=18, default=0)
    exit_reason = models.CharField(max_length=32, choices=ExitReason, blank=True)
    best_mark_px = models.DecimalField(
        max_digits=24,
        decimal_places=10,
        null=True,
        blank=True,
        help_text="The best price that it was valued at since its first fill.",
    )
    opened_by = models.CharField(max_length=64, blank=True, help_text="The exec id of its first fill.")
    ordered_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    orders = models.ManyToManyField(Order, through="TradeOrder", related_name="trades")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "symbol"], condition=Q(status="POSITION"), name="trade_one_open"
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="trade_user_recent"),
            models.Index(fields=["account", "symbol", "status"], name="trade_of_symbol"),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.symbol} {self.status}"


class TradeOrder(models.Model):
    """Which order opened or closed how much of a trade; one that reverses a position is in two."""

    class Role(models.TextChoices):
        ENTRY = "ENTRY", "Entry"
        EXIT = "EXIT", "Exit"

    trade = models.ForeignKey(Trade, models.PROTECT, related_name="legs")
    order = models.ForeignKey(Order, models.PROTECT, related_name="trade_legs")
    role = models.CharField(max_length=8, choices=Role)
    qty = models.DecimalField(max_digits=21, decimal_places=9, default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trade", "order", "role"], name="tradeorder_once"),
        ]
        indexes = [models.Index(fields=["order"], name="tradeorder_order")]
