"""What a broker cannot place is refused by field, before anything is recorded."""

from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.paper.factory import CAPABILITIES
from brokers.types import Capabilities, OrdType
from orders.intake.protective import ProtectiveExit
from orders.protection import Protection, unplaceable

TWO = ProtectiveExit(percent=Decimal(2))
BOTH = Protection(stop_loss=TWO, take_profit=TWO)
TRAILING = Protection(trailing=TWO)
APART = replace(CAPABILITIES, oco=False, exits_hold_shares=False)


def without(*ord_types: OrdType) -> Capabilities:
    return replace(CAPABILITIES, ord_types=CAPABILITIES.ord_types - set(ord_types))


@pytest.mark.parametrize(
    ("protection", "capabilities", "quantity", "fields"),
    [
        (BOTH, CAPABILITIES, "10", set()),
        (BOTH, CAPABILITIES, None, set()),
        (BOTH, CAPABILITIES, "1.5", {"take_profit"}),
        (BOTH, APART, "1.5", set()),
        (BOTH, replace(CAPABILITIES, oco=False), "10", {"take_profit"}),
        (BOTH, without(OrdType.STOP), "10", {"stop_loss"}),
        (BOTH, without(OrdType.LIMIT), "10", {"take_profit"}),
        (TRAILING, CAPABILITIES, "1.5", set()),
        (TRAILING, without(OrdType.TRAILING_STOP), "10", {"trailing"}),
        (replace(TRAILING, take_profit=TWO), CAPABILITIES, "10", {"take_profit"}),
        (replace(TRAILING, take_profit=TWO), APART, "10", set()),
        (replace(TRAILING, stop_loss=TWO), APART, "10", {"trailing"}),
        (Protection(trailing=replace(TWO, price=Decimal(9))), CAPABILITIES, "10", {"trailing"}),
    ],
)
def test_what_cannot_be_placed(
    protection: Protection, capabilities: Capabilities, quantity: str | None, fields: set[str]
) -> None:
    refused = unplaceable(protection, capabilities, None if quantity is None else Decimal(quantity))
    assert set(refused) == fields
    assert all(refused.values())
