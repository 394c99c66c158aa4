"""A trade's state and its profit or loss in words and figures that a trader understands."""

from __future__ import annotations

from decimal import Decimal, localcontext

from orders.figures import TradeFigures, trade_figures
from orders.models import ExitReason, Trade
from orders.views.wording import Wording, humanise, plain_number, plain_price

MINUS = "−"
SIGNIFICANT_DIGITS = 4
"""Of an amount below one: of it, two decimals would tell little."""

_BOUGHT, _SOLD = {"LONG": "bought", "SHORT": "sold"}, {"LONG": "sold", "SHORT": "bought back"}


def amount(number: Decimal) -> str:
    """Write an amount of money, rounded for reading: two decimals, below one four significant digits."""
    if abs(number) >= 1 or not number:
        text = f"{number:.2f}"
    else:
        with localcontext(prec=SIGNIFICANT_DIGITS):
            text = plain_price(+number)
    return text.replace("-", MINUS)


def signed_amount(number: Decimal) -> str:
    """Write an amount like ``amount``, a gain with a plus."""
    return f"+{amount(number)}" if number > 0 else amount(number)


def exit_words(trade: Trade) -> str:
    """Say why the trade was closed; empty until it is."""
    if trade.exit_reason in ExitReason.values:
        return str(ExitReason(trade.exit_reason).label)
    return humanise(trade.exit_reason)


def trade_words(trade: Trade) -> Wording:
    """Say what has become of a trade."""
    figures = trade_figures(trade)
    match Trade.Status(trade.status):
        case Trade.Status.ORDERED:
            return Wording("waiting", "Ordered", "Its entry is on its way; nothing of it is filled so far.")
        case Trade.Status.POSITION:
            return Wording("working", "Open", f"{_entered(trade, figures)}{_left(trade, figures)}")
        case Trade.Status.CLOSED:
            gone = f"{_SOLD[trade.side]} at {_price(figures.exit_px)}"
            outcome = f"{_entered(trade, figures)} and {gone}: {_result(figures.net_pnl)}."
            return Wording("ended", "Closed", f"{exit_words(trade)}. {outcome}")
    return Wording("ended", "Canceled", "None of its entries was filled, or the broker took the fills back.")


def _entered(trade: Trade, figures: TradeFigures) -> str:
    return f"{plain_number(trade.entry_qty)} {_BOUGHT[trade.side]} at {_price(figures.entry_px)} on average"


def _left(trade: Trade, figures: TradeFigures) -> str:
    if not trade.exit_qty:
        return ", all still open."
    gone = f"{plain_number(trade.exit_qty)} of them {_SOLD[trade.side]} at {_price(figures.exit_px)}"
    return f", {gone}; {plain_number(figures.open_qty)} still open."


def _result(net_pnl: Decimal) -> str:
    if not net_pnl:
        return "nothing earned, nothing lost"
    return f"{amount(abs(net_pnl))} {'earned' if net_pnl > 0 else 'lost'} after fees"


def _price(number: Decimal | None) -> str:
    return plain_price(number) if number is not None else "no price"
