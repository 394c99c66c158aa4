"""The time of the machine: it stands still but for a millisecond at each look, so that a day repeats exactly."""

import datetime as dt
from unittest.mock import patch

from django.db.models import DateTimeField, Value

from orders import selectors


class Clock:
    """Stands in for ``timezone.now``, and for the database's clock where the desk asks what is due.

    Leases go by the database's own clock all the same; the machine ends them itself.
    """

    def __init__(self) -> None:
        self._now = dt.datetime.now(dt.UTC)

    def __call__(self) -> dt.datetime:
        self._now += dt.timedelta(milliseconds=1)
        return self._now

    def in_database(self) -> Value:
        return Value(self(), output_field=DateTimeField())

    def work_at_hand(self, user_id: int) -> selectors.WorkAtHand:
        """Look as the desk does, whose statement has the database's clock in it, by this clock."""
        moment = f"timestamptz '{self().isoformat()}'"
        statement = selectors.WORK_AT_HAND.replace("statement_timestamp()", moment)
        assert moment in statement, "it asks for the time in another way by now"
        with patch("orders.selectors.WORK_AT_HAND", statement):
            return selectors.work_at_hand(user_id)

    def advance(self, seconds: float) -> None:
        self._now += dt.timedelta(seconds=seconds)
