"""Read the exchange calendars without keeping what they need: in a process of its own."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

from brokers.hours.sessions import Session

CHECKOUT = Path(__file__).resolve().parents[2]
READ_SECONDS = 60.0


class CalendarUnavailable(Exception):
    """The exchange calendars could not be read."""


def read_calendars(first: dt.date, last: dt.date) -> dict[str, list[Session]]:
    """Return the sessions of the days from ``first`` to ``last`` of every market that has a calendar.

    Raises ``CalendarUnavailable``, also where a market has no session at all in them.
    """
    command = [sys.executable, "-m", "brokers.hours.calendar", first.isoformat(), last.isoformat()]
    try:
        done = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, timeout=READ_SECONDS, check=True
        )
        read = {code: [_session(*row) for row in rows] for code, rows in json.loads(done.stdout).items()}
    except subprocess.CalledProcessError as error:
        last_line = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        raise CalendarUnavailable(last_line) from None
    except (OSError, subprocess.TimeoutExpired, ValueError, TypeError, AttributeError) as error:
        raise CalendarUnavailable(str(error)) from error
    empty = sorted(code for code, sessions in read.items() if not sessions)
    if empty or not read:
        raise CalendarUnavailable(f"no sessions of {', '.join(empty) or 'any market'} from {first} to {last}")
    return read


def _session(day: str, opens_at: str, closes_at: str, half_day: bool) -> Session:
    opens, closes = dt.datetime.fromisoformat(opens_at), dt.datetime.fromisoformat(closes_at)
    return Session(dt.date.fromisoformat(day), opens, closes, half_day)
