"""What an order finds at its place, row by row."""

from decimal import Decimal
from uuid import UUID

import pytest

from brokers.types import OrdType, PositionEffect, Side
from orders.turns import Blocked, Clear, Exit, Neighbor, NothingToClose, Turn, is_opposite, turn_of_exit

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT = OrdType.MARKET, OrdType.LIMIT
N = UUID(int=1)


def neighbor(left: str, side: Side = SELL, number: int = 1, **fields: object) -> Neighbor:
    """Return a market exit that was sent, or what ``fields`` say instead."""
    values: dict[str, object] = {
        "id": UUID(int=number),
        "side": side,
        "effect": PositionEffect.CLOSE,
        "ord_type": MARKET,
        "is_leg": False,
        "is_sent": True,
        "is_working": True,
        "has_ended": False,
        "is_leaving": False,
        "is_before": True,
        "left": Decimal(left),
    }
    return Neighbor(**(values | fields))  # type: ignore[arg-type]


def entry(left: str, side: Side = BUY, **fields: object) -> Neighbor:
    return neighbor(left, side, effect=PositionEffect.OPEN, **fields)


def exit_(qty: str, side: Side = SELL, **fields: object) -> Exit:
    return Exit(side=side, order_qty=Decimal(qty), closes_whole=False, **fields)  # type: ignore[arg-type]


def whole(side: Side = SELL, **fields: object) -> Exit:
    return Exit(side=side, order_qty=Decimal(1), closes_whole=True, **fields)  # type: ignore[arg-type]


def clear(qty: str) -> Clear:
    return Clear(Decimal(qty))


CANCELS = Blocked((N,), (N,))
AWAITS = Blocked((), (N,))
NOTHING = NothingToClose()


@pytest.mark.parametrize(
    ("order", "position", "neighbors", "turn"),
    [
        # what is held
        (exit_("4"), "10", [], clear("4")),
        (exit_("14"), "10", [], clear("10")),
        (exit_("4"), "0", [], NOTHING),
        (exit_("4"), "-10", [], NOTHING),
        (exit_("4", BUY), "-3", [], clear("3")),
        (exit_("4", BUY), "3", [], NOTHING),
        (whole(), "0.5", [], clear("0.5")),
        (whole(BUY), "-7", [], clear("7")),
        # other exits
        (exit_("7"), "10", [neighbor("7")], clear("3")),
        (exit_("7"), "10", [neighbor("10")], NOTHING),
        (exit_("7"), "10", [neighbor("12")], NOTHING),
        (exit_("7"), "10", [neighbor("7", is_sent=False)], clear("7")),  # it is sized at its own turn
        (exit_("7"), "10", [neighbor("7", is_leaving=True)], AWAITS),
        (exit_("7"), "10", [neighbor("7", ord_type=LIMIT)], clear("3")),
        (whole(), "10", [neighbor("7", ord_type=LIMIT)], clear("3")),
        (whole(supersedes=True), "10", [neighbor("7", ord_type=LIMIT)], CANCELS),
        (whole(supersedes=True), "10", [neighbor("7", ord_type=LIMIT, is_sent=False)], CANCELS),
        (whole(supersedes=True), "10", [neighbor("7", ord_type=LIMIT, is_leaving=True)], AWAITS),
        (whole(supersedes=True), "10", [neighbor("7", ord_type=LIMIT, has_ended=True)], AWAITS),
        (whole(supersedes=True), "10", [neighbor("7")], clear("3")),
        # protective exits
        (exit_("1"), "10", [neighbor("10", is_leg=True)], CANCELS),
        (exit_("1"), "10", [neighbor("10", is_leg=True, is_leaving=True)], AWAITS),
        (exit_("1"), "10", [neighbor("10", is_leg=True, has_ended=True)], AWAITS),
        (exit_("1"), "0", [neighbor("10", is_leg=True)], CANCELS),
        (exit_("4"), "-10", [neighbor("10", BUY, is_leg=True)], NOTHING),  # it protects the other side
        (whole(), "-10", [neighbor("10", BUY, is_leaving=True)], NOTHING),
        # entries of the side that it closes
        (whole(), "10", [entry("5")], CANCELS),
        (whole(), "0", [entry("5")], CANCELS),
        (whole(), "0", [entry("5", is_leaving=True)], AWAITS),
        (whole(), "10", [entry("5", is_before=False)], clear("10")),
        (whole(), "10", [entry("5", SELL)], clear("10")),
        (whole(is_patient=False), "10", [entry("5")], clear("10")),
        (whole(is_patient=False), "0", [entry("5")], CANCELS),
        (exit_("15"), "10", [entry("5")], CANCELS),  # all that there could be
        (exit_("14"), "10", [entry("5")], clear("10")),
        (exit_("4"), "0", [entry("5")], AWAITS),
        (exit_("4", is_patient=False), "0", [entry("5")], AWAITS),  # a market order: filled any moment
        (exit_("4"), "0", [entry("5", ord_type=LIMIT)], AWAITS),
        (exit_("4", is_patient=False), "0", [entry("5", ord_type=LIMIT)], NOTHING),  # it may rest for days
        (exit_("4", is_patient=False), "0", [entry("5", ord_type=LIMIT, is_working=False)], AWAITS),
        (exit_("5"), "0", [entry("5")], CANCELS),
        (exit_("4"), "0", [entry("5", is_before=False)], NOTHING),
        # entries that are not sized yet: they may bring anything
        (whole(), "0", [entry("0", is_sent=False)], CANCELS),
        (whole(), "10", [entry("0", is_sent=False)], CANCELS),
        (exit_("4"), "0", [entry("0", is_sent=False)], AWAITS),
        (exit_("14"), "10", [entry("0", is_sent=False)], clear("10")),
        (exit_("4"), "10", [entry("5"), neighbor("10", number=2)], NOTHING),
    ],
)
def test_an_exit_at_its_turn(order: Exit, position: str, neighbors: list[Neighbor], turn: Turn) -> None:
    assert turn_of_exit(order, Decimal(position), neighbors) == turn


@pytest.mark.parametrize(
    ("side", "position", "opposite"),
    [
        (BUY, "0", False),
        (BUY, "1", False),
        (BUY, "-2", True),
        (SELL, "0", False),
        (SELL, "3", True),
        (SELL, "-1", False),
    ],
)
def test_the_reversal_matrix_says_when_a_position_is_closed_first(
    side: Side, position: str, opposite: bool
) -> None:
    assert is_opposite(side, Decimal(position)) is opposite
