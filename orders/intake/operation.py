"""What an alert asks for, apart from how TradingView spells it."""

from __future__ import annotations

from enum import StrEnum

from brokers.types import PositionEffect, Side


class Operation(StrEnum):
    ENTER_LONG = "ENTER_LONG"
    ENTER_SHORT = "ENTER_SHORT"
    EXIT_LONG = "EXIT_LONG"
    EXIT_SHORT = "EXIT_SHORT"
    CLOSE_LONG = "CLOSE_LONG"
    CLOSE_SHORT = "CLOSE_SHORT"

    @classmethod
    def of(cls, side: Side, effect: PositionEffect) -> Operation:
        """Name the operation of an order by its side: selling to close exits a long."""
        if effect is PositionEffect.OPEN:
            return cls.ENTER_LONG if side is Side.BUY else cls.ENTER_SHORT
        return cls.EXIT_SHORT if side is Side.BUY else cls.EXIT_LONG

    @property
    def side(self) -> Side:
        return Side.BUY if self in _BUYS else Side.SELL

    @property
    def position_effect(self) -> PositionEffect:
        return PositionEffect.OPEN if self in _ENTRIES else PositionEffect.CLOSE

    @property
    def is_exit(self) -> bool:
        return self not in _ENTRIES

    @property
    def closes_whole(self) -> bool:
        """Say whether the whole position goes, whatever quantity the alert names."""
        return self in _CLOSES


_ENTRIES = frozenset({Operation.ENTER_LONG, Operation.ENTER_SHORT})
_CLOSES = frozenset({Operation.CLOSE_LONG, Operation.CLOSE_SHORT})
_BUYS = frozenset({Operation.ENTER_LONG, Operation.EXIT_SHORT, Operation.CLOSE_SHORT})
