"""Why a position is closed: of the order that closes it, and of the trade that it ends."""

from django.db import models


class ExitReason(models.TextChoices):
    SIGNAL = "SIGNAL", "Its strategy's exit"
    MANUAL_EXIT = "MANUAL_EXIT", "Closed by hand"
    REVERSED = "REVERSED", "Reversed by an entry on the other side"
    STOPPED_OUT = "STOPPED_OUT", "Its stop loss"
    PROFIT_TAKEN = "PROFIT_TAKEN", "Its profit target"
    FLATTENED = "FLATTENED", "Everything was closed"
    OVERFILLED = "OVERFILLED", "Taken back: closed beyond what was held"
