"""What an account was worth when its broker was asked last."""

from django.db import models

from brokers.models import BrokerAccount


class AccountSnapshot(models.Model):
    """The figures of an account as its broker gave them, and when; one row an account, read by its trader's worker."""

    account = models.OneToOneField(BrokerAccount, models.CASCADE, primary_key=True, related_name="snapshot")
    currency = models.CharField(max_length=8)
    cash = models.DecimalField(max_digits=24, decimal_places=9)
    equity = models.DecimalField(max_digits=24, decimal_places=9)
    buying_power = models.DecimalField(max_digits=24, decimal_places=9)
    taken_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.equity.normalize():f} {self.currency}"
