"""An entry in an account whose books differ from its broker's is denied; an exit never is."""

import datetime as dt

from orders.services.changes import Change
from orders.state import Denied

DRIFT_HALT = "DRIFT_HALT"
DRIFT_TEXT = (
    "The account's books differ from its broker's: no new entries until that is explained. Exits go on."
)


def deny_halted(change: Change, *, at: dt.datetime) -> None:
    """Deny a recorded entry because its account is halted; the caller saves the change."""
    change.apply(Denied(DRIFT_HALT), at=at)
    change.set(reason=DRIFT_HALT, text=DRIFT_TEXT)
