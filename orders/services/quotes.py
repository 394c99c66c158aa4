"""Quotes that a worker has fetched."""  # from slice quotes

import datetime as dt

from brokers.models import BrokerAccount
from brokers.types import Quote


def fresh_quote(
    account: BrokerAccount, symbol: str, max_age: dt.timedelta
) -> Quote | None:  # from slice quotes
    """Return the latest quote that is kept and not older than ``max_age``; None where there is none."""
    return None
