"""A fill: one execution that counts, as last corrected."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from brokers.types import Side
from orders.positions.amounts import ZERO


@dataclass(frozen=True, slots=True)
class Fill:
    """What was bought or sold. Raises ValueError for a quantity that is not above zero or a naive time."""

    exec_id: str
    order_id: UUID
    side: Side
    qty: Decimal
    px: Decimal
    at: datetime  # aware UTC; of the execution as first reported
    fee: Decimal = ZERO  # a rebate is negative

    def __post_init__(self) -> None:
        if self.qty <= ZERO:
            raise ValueError(f"fill {self.exec_id} of {self.qty}")
        if self.at.tzinfo is None:
            raise ValueError(f"fill {self.exec_id} at a time without a zone")

    @property
    def sign(self) -> int:
        """Say which way the position moves: 1 bought, -1 sold."""
        return 1 if self.side == Side.BUY else -1

    @property
    def place(self) -> tuple[datetime, str]:
        """Return where the fill stands among those of its account and symbol."""
        return self.at, self.exec_id
