"""Wait until the desk has come to rest after the last fault."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.books import Books, read_books
from tests.chaos.chains import Chains
from tests.chaos.presence import unsettled
from tests.flows.floor import Floor

LONGEST_SECONDS = 60.0
POLL_SECONDS = 1.0
AFTERMATH_SECONDS = 2.0


@dataclass(frozen=True)
class Rest:
    """How it came to rest: after how many seconds (None: not in time), what had not, and the books then."""

    seconds: float | None
    unsettled: list[str]
    books: Books


def wait_quiet(
    floor: Floor,
    longest_seconds: float = LONGEST_SECONDS,
    is_broken: Callable[[Books], bool] | None = None,
) -> Rest:
    """Wait until nothing is under way: no order or request unfinished, every status as at the venue.

    The books are read once more a little later: what was only resting between two retries shows itself. Where
    ``is_broken`` says that they break a promise for good, nothing more is waited for.
    """
    began = time.monotonic()
    while True:
        passed = time.monotonic() - began
        books = read_books(floor)
        left = unsettled(books, Chains(books))
        if not left:
            time.sleep(AFTERMATH_SECONDS)
            return Rest(round(passed, 1), [], read_books(floor))
        if passed > longest_seconds or (is_broken is not None and is_broken(books)):
            return Rest(None, left, books)
        time.sleep(POLL_SECONDS)
