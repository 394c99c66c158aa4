"""Heartbeats of the desk's own parts, for ``/readyz`` and the way in."""

from django.db import models


class Heartbeat(models.Model):
    """When a part of the desk last showed that it works: a fleet on a host, or the schedule."""

    class Part(models.TextChoices):
        FLEET = "fleet", "Fleet"
        SCHEDULE = "schedule", "Schedule (beat and sweeps)"

    name = models.CharField(
        primary_key=True, max_length=255, help_text="The part, and its host where it has one."
    )
    part = models.CharField(max_length=16, choices=Part)
    at = models.DateTimeField()
    data = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name
