"""What PostgreSQL counts: transactions and flushes of its log, for an alert."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.db import DatabaseError, connection, transaction

REPORT_SECONDS = 2.5  # a backend tells the shared counters at most once a second, and when it falls idle

_TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
_FLUSHES = "SELECT COALESCE(SUM(fsyncs), 0) FROM pg_stat_io WHERE object = 'wal'"  # PostgreSQL 18 and later


@dataclass(frozen=True, slots=True)
class Counters:
    """``transactions`` of the desk's database, single reads too; ``flushes`` of the whole server, None: unknown."""

    at: float
    transactions: int
    flushes: int | None


def read_counters() -> Counters:
    """Wait until the counters are up to date, then read them."""
    time.sleep(REPORT_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(_TRANSACTIONS)
        transactions = int(cursor.fetchone()[0])
    return Counters(time.monotonic(), transactions, _flushes())


def per_alert(
    before: Counters, after: Counters, idle: tuple[Counters, Counters], alerts: int
) -> dict[str, float]:
    """Return transactions and flushes for an alert, less what the desk does by itself in the same time."""
    share = (after.at - before.at) / (idle[1].at - idle[0].at)
    counted = {
        "transactions": (
            after.transactions - before.transactions,
            idle[1].transactions - idle[0].transactions,
        )
    }
    if None not in (before.flushes, after.flushes, idle[0].flushes, idle[1].flushes):
        counted["flushes"] = (
            (after.flushes or 0) - (before.flushes or 0),
            (idle[1].flushes or 0) - (idle[0].flushes or 0),
        )
    return {name: round((busy - rest * share) / alerts, 1) for name, (busy, rest) in counted.items()}


def _flushes() -> int | None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_FLUSHES)
            return int(cursor.fetchone()[0])
    except DatabaseError:
        return None
