"""Further idempotency keys of cancels."""

from django.conf import settings
from django.db import models

from orders.models.request import OrderRequest


class OrderRequestKey(models.Model):
    """A key under which an open cancel was asked for once more: whoever repeats that is answered with the same."""

    request = models.ForeignKey(OrderRequest, models.PROTECT, related_name="further_keys")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    idempotency_key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "idempotency_key"], name="orderrequestkey_unique"),
        ]

    def __str__(self) -> str:
        return self.idempotency_key
