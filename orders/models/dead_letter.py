"""Dead letters: tasks that failed again and again."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class DeadLetter(models.Model):
    """One task that failed as often as it may: what it was, and why. Never a secret in it.

    At most one open row for a task and its arguments; what fails again is counted there.
    """

    task = models.CharField(max_length=100)
    queue = models.CharField(max_length=100, blank=True)
    args = models.JSONField(default=list)
    failures = models.PositiveIntegerField()
    exception = models.CharField(max_length=200, help_text="Its class.")
    message = models.CharField(max_length=1000, blank=True)
    traceback = models.TextField(blank=True)
    context = models.JSONField(default=dict, help_text="Worker, pid, host, task id, when each failure was.")
    first_failed_at = models.DateTimeField()
    failed_at = models.DateTimeField()
    retried_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    resolution = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task", "args"], condition=Q(resolved_at__isnull=True), name="deadletter_one_open"
            ),
        ]
        indexes = [models.Index(fields=["-failed_at"], name="deadletter_newest")]

    def __str__(self) -> str:
        return f"{self.task}: {self.exception}"


class TaskFailure(models.Model):
    """Failures in a row of one task with its arguments, while they are fewer than make a dead letter."""

    task = models.CharField(max_length=100)
    args = models.JSONField(default=list)
    failures = models.PositiveIntegerField(default=1)
    first_failed_at = models.DateTimeField()
    failed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "args"], name="taskfailure_one"),
        ]

    def __str__(self) -> str:
        return f"{self.task}: {self.failures}"
