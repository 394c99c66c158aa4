"""What every flow needs: alerts as TradingView sends them, and waiting for what is to come."""

import datetime as dt
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Trader:
    """One provisioned trader: what ``create_traders`` prints, and the account's name at the venue."""

    user_id: int
    username: str
    password: str
    webhook_path: str
    secret: str
    api_key: str
    account_id: str
    venue_account: str


def alert(trader: Trader, *, age_seconds: float = 0.0, **fields: Any) -> dict[str, Any]:
    """Return an alert that buys 1 AAPL now, with ``fields`` on top; a field of None is left out."""
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_seconds)
    body = {
        "secret": trader.secret,
        "action": "buy",
        "symbol": "AAPL",
        "quantity": 1,
        "timestamp": moment.isoformat(),
        "id": uuid.uuid4().hex,
    }
    return {name: value for name, value in (body | fields).items() if value is not None}


def wait_until(what: str, condition: Callable[[], T], seconds: float = 20.0) -> T:
    """Return the condition's first true value; fail, naming it, where none comes in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(POLL_SECONDS)
    return value


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that has ended and was not yet waited for does not."""
    try:
        return _stat(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> list[int]:
    """Return the pids of a process's children, grandchildren and so on."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, left = [], [pid]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on; the name before it may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
