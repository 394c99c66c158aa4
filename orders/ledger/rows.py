"""What a comparison of the books takes and gives."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

MUST_BE_NONE = ("lost", "duplicated", "unexplained", "indeterminate", "positions", "cash")


class DeskFill(NamedTuple):
    """One fill that counts at the desk: corrections and busts are worked in."""

    exec_id: str
    last_qty: Decimal
    last_px: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskOrder:
    """One order as the desk has it. ``account_id`` is the exchange's id of the account."""

    order_id: str
    cl_ord_id: str
    account_id: str
    symbol: str
    side: str
    order_qty: Decimal
    ord_status: str
    cum_qty: Decimal
    avg_px: Decimal | None
    broker_order_id: str
    reason: str
    recorded_at: datetime  # aware UTC
    eligible_at: datetime | None
    fills: frozenset[DeskFill]
    links: tuple[str, ...] = ()  # client order ids of the replaces that were sent, oldest first


@dataclass(frozen=True, slots=True)
class DeskHolding:
    """One position as the desk has it. ``account_id`` is the exchange's id of the account."""

    account_id: str
    symbol: str
    qty: Decimal  # signed: short is negative
    cash: Decimal  # what its fills have brought in, less what they cost, fees aside


@dataclass(frozen=True, slots=True)
class Finding:
    """One order, or position, about which the books do not agree.

    An id is '' where that side has no such order, and for a position, which ``why`` names.
    """

    order_id: str
    cl_ord_id: str
    broker_order_id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of one comparison.

    | field | orders |
    |---|---|
    | ``accepted`` | that the desk has recorded on paper accounts |
    | ``at_venue`` | of those, found in the exchange's ledger |
    | ``explained`` | of those, not there, and the desk says why: denied, refused, canceled or held back |
    | ``lost`` | that should be there and are not |
    | ``duplicated`` | that are there more than once |
    | ``unexplained`` | there that the desk does not know, or knows otherwise |
    | ``indeterminate`` | of which the desk does not know yet what will have become of them |

    ``positions`` and ``cash`` hold the accounts' symbols whose quantity, or whose cash, is another here than there.
    """

    accepted: int
    at_venue: int
    explained: int
    lost: tuple[Finding, ...]
    duplicated: tuple[Finding, ...]
    unexplained: tuple[Finding, ...]
    indeterminate: tuple[Finding, ...]
    positions: tuple[Finding, ...] = ()
    cash: tuple[Finding, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Say whether the books agree."""
        return not any(getattr(self, name) for name in MUST_BE_NONE)

    def numbers(self) -> dict[str, int]:
        """Return the numbers by name."""
        found = {name: len(getattr(self, name)) for name in MUST_BE_NONE}
        return {"accepted": self.accepted, "at_venue": self.at_venue, "explained": self.explained, **found}

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers, and under ``findings`` what is behind those that must be 0."""
        findings = {name: [asdict(finding) for finding in getattr(self, name)] for name in MUST_BE_NONE}
        return {**self.numbers(), "findings": findings}
