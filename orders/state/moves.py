"""From which OrdStatus to which an order's row may go in one write: what the database allows.

Read from the transition table by trying everything (``reachable``, compared by a test). Facts may re-open what
had ended, and nothing here stands in their way; what the machine cannot do is a mistake of ours or of somebody
at the database's prompt.
"""

from __future__ import annotations

from brokers.types import OrdStatus

_ALL = frozenset(OrdStatus) - {OrdStatus.REPLACED}
"""REPLACED is no status of ours: a replaced order goes on under its own row."""

_REAL_END = frozenset({OrdStatus.CANCELED, OrdStatus.EXPIRED})
"""Once the broker has ended the rest, only a fill, a guarantee or a suspension can still change what shows."""

ALLOWED_FROM: dict[OrdStatus, frozenset[OrdStatus]] = {
    # Ours. REJECTED also stands for "unknown order", which a look-up may turn back into an order not sent.
    OrdStatus.INITIALIZED: frozenset({OrdStatus.SUBMITTED, OrdStatus.REJECTED}),
    OrdStatus.SUBMITTED: frozenset({OrdStatus.INITIALIZED, OrdStatus.REJECTED}),
    OrdStatus.DENIED: frozenset({OrdStatus.INITIALIZED}),
    # Accepted is not taken back: only an order that the broker has merely received goes there.
    OrdStatus.PENDING_NEW: frozenset(
        {
            OrdStatus.INITIALIZED,
            OrdStatus.DENIED,
            OrdStatus.SUBMITTED,
            OrdStatus.PENDING_CANCEL,
            OrdStatus.PENDING_REPLACE,
            OrdStatus.REJECTED,
        }
    ),
    # From every status of an order that works or never worked; FILLED too, by a bust or a replace upward.
    OrdStatus.NEW: _ALL - _REAL_END,
    OrdStatus.PARTIALLY_FILLED: _ALL - _REAL_END,
    OrdStatus.PENDING_CANCEL: _ALL - _REAL_END,
    OrdStatus.PENDING_REPLACE: _ALL - _REAL_END,
    OrdStatus.REJECTED: _ALL - _REAL_END,
    # These outrank an end (FILLED by a late fill), and give way to it again (by a bust, say).
    OrdStatus.FILLED: _ALL,
    OrdStatus.DONE_FOR_DAY: _ALL,
    OrdStatus.STOPPED: _ALL,
    OrdStatus.SUSPENDED: _ALL,
    # The first end stays.
    OrdStatus.CANCELED: _ALL - {OrdStatus.EXPIRED},
    OrdStatus.EXPIRED: _ALL - {OrdStatus.CANCELED},
}


def is_move(before: OrdStatus, after: OrdStatus) -> bool:
    """Say whether one write may take an order from ``before`` to ``after``; staying is no move."""
    return before is not after and before in ALLOWED_FROM.get(after, frozenset())
