"""What the row of a position or a trade comes to: its side, its average prices, what it has brought in."""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum

from orders.models import Position, Trade
from orders.positions.amounts import EXACT, average_px


class PositionSide(StrEnum):
    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"


@dataclass(frozen=True, slots=True)
class PositionFigures:
    side: PositionSide
    size: Decimal  # the quantity without its sign
    avg_px: Decimal | None  # of what is open: 10 places; None when flat


@dataclass(frozen=True, slots=True)
class TradeFigures:
    entry_px: Decimal | None  # average of the entries' fills: 10 places; None before the first
    exit_px: Decimal | None
    open_qty: Decimal
    net_pnl: Decimal  # realized, fees taken off


def position_figures(position: Position) -> PositionFigures:
    """Return what the position's row comes to."""
    if not position.qty:
        return PositionFigures(PositionSide.FLAT, Decimal(0), None)
    side = PositionSide.LONG if position.qty > 0 else PositionSide.SHORT
    return PositionFigures(side, abs(position.qty), average_px(position.cost, position.qty))


def trade_figures(trade: Trade) -> TradeFigures:
    """Return what the trade's row comes to."""
    with localcontext(EXACT):
        return TradeFigures(
            entry_px=average_px(trade.entry_amount, trade.entry_qty),
            exit_px=average_px(trade.exit_amount, trade.exit_qty),
            open_qty=trade.entry_qty - trade.exit_qty,
            net_pnl=trade.realized_pnl - trade.fees,
        )
