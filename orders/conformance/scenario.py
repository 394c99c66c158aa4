"""Read a scenario file into rows, and a row's fields into our types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from brokers.types import OrdStatus

Row = dict[str, Any]


class ScenarioFileError(Exception):
    """The file is not a list of scenarios."""


class RowError(Exception):
    """A row lacks what its kind needs, or says it in a way that we cannot read."""


@dataclass(frozen=True, slots=True)
class Scenario:
    ref: str
    rows: tuple[Row, ...]


def load_scenarios(path: Path) -> list[Scenario]:
    """Read every scenario of a file; numbers become Decimal.

    Raises ScenarioFileError, with a message of one line, when the file cannot be read or is not of the
    form.
    """
    try:
        data = json.loads(path.read_bytes(), parse_float=Decimal, parse_int=Decimal)
    except OSError as error:
        raise ScenarioFileError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ScenarioFileError(f"{path} is not JSON: {str(error).splitlines()[0]}") from error
    if not isinstance(data, list):
        raise ScenarioFileError(f"{path} is not a list of scenarios")
    return [_scenario(item, f"{path}: scenario {number}") for number, item in enumerate(data, 1)]


def _scenario(item: Any, where: str) -> Scenario:
    if not isinstance(item, dict) or not isinstance(item.get("rows"), list):
        raise ScenarioFileError(f"{where} is not an object with a list of rows")
    rows = item["rows"]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not isinstance(row.get("k"), str):
            raise ScenarioFileError(f"{where}, row {number} is not an object with a kind k")
    return Scenario(str(item.get("ref", "?")), tuple(rows))


def text(row: Row, name: str) -> str | None:
    """Return a row's field as text, None where it is absent or null."""
    value = row.get(name)
    return None if value is None else str(value)


def quantity(row: Row, name: str) -> Decimal | None:
    """Return a row's number, None where it is absent or null. Raises RowError when it is no number."""
    value = row.get(name)
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise RowError(f"{name} is no number: {value!r}") from error
    if not number.is_finite():
        raise RowError(f"{name} is not finite: {value!r}")
    return number


def required_quantity(row: Row, name: str) -> Decimal:
    number = quantity(row, name)
    if number is None:
        raise RowError(f"{name} is missing")
    return number


def required_text(row: Row, name: str) -> str:
    value = text(row, name)
    if value is None:
        raise RowError(f"{name} is missing")
    return value


def status(row: Row) -> OrdStatus | None:
    """Return the row's OrdStatus, None where it gives none. Raises RowError for an unknown name."""
    name = text(row, "ord")
    if name is None:
        return None
    found = _STATUSES.get(plain(name))
    if found is None:
        raise RowError(f"ord is no OrdStatus: {name}")
    return found


def plain(name: str) -> str:
    """Fold the spellings of FIX's names: PendCancel, Pending Cancel and PENDING_CANCEL are one."""
    letters = "".join(char for char in name.lower() if char.isalpha())
    letters = letters.replace("cancelled", "canceled")
    if letters.startswith("pending"):
        letters = "pend" + letters.removeprefix("pending")
    return _ALIASES.get(letters, letters)


_ALIASES = {
    "partiallyfilled": "partfilled",
    "partialfill": "partfilled",
    "replace": "replaced",
    "status": "orderstatus",
    "correct": "tradecorrect",
    "bust": "tradecancel",
}
_STATUSES = {plain(member.value): member for member in OrdStatus}
