"""The pool's target: how many idle workers each fleet keeps ready."""

from django.db import models


class PoolTarget(models.Model):
    """One decision of the pool manager; the newest row is in force. Old rows say what was decided, and why."""

    size = models.PositiveIntegerField(help_text="Idle workers for each fleet to keep.")
    demand = models.JSONField(default=dict, help_text="What it was decided from.")
    decided_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["-decided_at"], name="pooltarget_newest")]

    def __str__(self) -> str:
        return f"{self.size} idle workers"
