"""How often the same order or request is sent again, and how soon."""

MAX_BACKOFF_SECONDS = 30.0
ALARMING_ATTEMPTS = 4
"""After so many the operators are told."""


def backoff_seconds(attempt: int) -> float:
    """Return how long to wait after so many attempts: 1, 2, 4, 8, 16, then 30 s."""
    return min(2.0 ** min(attempt - 1, 5), MAX_BACKOFF_SECONDS)
