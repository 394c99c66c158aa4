"""Keys with which a trader's programs sign in to the API."""

from django.conf import settings
from django.db import models

from brokers.ids import new_id


class ApiKey(models.Model):
    """An API key: 256 random bits, kept as their SHA-256; the prefix is what a person sees."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys")
    label = models.CharField(max_length=64, blank=True)
    prefix = models.CharField(max_length=12)
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.prefix}…"
