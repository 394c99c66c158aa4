"""Leases: which process acts for which trader."""

from django.conf import settings
from django.db import models


class WorkerLease(models.Model):
    """The right of one process to act for one trader until ``expires_at``, by the database's clock.

    The row is never deleted and ``epoch`` only grows: it is the fencing token of every sending.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, primary_key=True, related_name="worker_lease"
    )
    worker = models.CharField(max_length=255)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    epoch = models.BigIntegerField()
    claimed_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(epoch__gt=0), name="workerlease_epoch_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.worker} (epoch {self.epoch})"
