"""Why a position is closed: of the order that closes it, and of the trade that it ends."""

from django.db import models


class ExitReason(models.TextChoices):
    SIGNAL = "SIGNAL", "Its strategy's exit"
    MANUAL_EXIT = "MANUAL_EXIT", "Closed by hand"
    REVERSED = "REVERSED", "Reversed by an entry on the other side"
    STOPPED_OUT = "STOPPED_OUT", "Its stop loss"
    PROFIT_TAKEN = "PROFIT_TAKEN", "Its profit target"
    FLATTENED = "FLATTENED", "Everything was closed"
    STOP_LOSS_RULE = "STOP_LOSS_RULE", "The rule for a loss"
    TRAILING_RULE = "TRAILING_RULE", "The rule for a fall from its best price"
    PROFIT_TARGET = "PROFIT_TARGET", "The rule for a gain"
    EXPIRY_NEAR = "EXPIRY_NEAR", "The rule for an expiry that is near"
    SESSION_END = "SESSION_END", "The rule for the end of the session"
    MAX_HOLD = "MAX_HOLD", "The rule for the longest hold"
    OVERFILLED = "OVERFILLED", "Taken back: closed beyond what was held"
