"""When a symbol expires, for those that carry it: options as the Options Clearing Corporation writes them."""

from __future__ import annotations

import datetime as dt
import re

# Root, date, right, strike in thousandths; the root is padded with blanks to six in some feeds.
_OPTION = re.compile(r"[A-Z]{1,5}[0-9]? *([0-9]{2})([0-9]{2})([0-9]{2})[CP][0-9]{8}")


def expiry_of(symbol: str) -> dt.date | None:
    """Return the day on which the instrument expires; None for a share, a pair, and what is no date."""
    found = _OPTION.fullmatch(symbol)
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups())
    try:
        return dt.date(2000 + year, month, day)
    except ValueError:
        return None
