"""How much an account may trade: its broker's steps, and what is left of a position to close."""

from decimal import Decimal

from django.db.models import F, Sum
from django.db.models.functions import Coalesce, Greatest

from brokers.catalog import capabilities_of
from brokers.models import BrokerAccount
from brokers.types import PositionEffect, Side
from orders.intake.sizing import cap_exit, size_order
from orders.intake.sizing_rules import part_of_position
from orders.models import ExitReason, OrderRequest, Source
from orders.selectors import (
    closing_quantity,
    entering_quantity,
    has_unsized_entry,
    leaving_quantity,
    net_position,
)
from orders.services.instruments import instrument_of

FRACTIONAL_STEP = Decimal("0.000000001")


def lot_step(account: BrokerAccount, symbol: str, side: Side) -> Decimal:
    """Return the step that the quantity of an entry on this side is a multiple of: the symbol's, else the broker's."""
    instrument = instrument_of(account, symbol)
    if instrument is None:
        return FRACTIONAL_STEP if capabilities_of(account.broker).fractional else Decimal(1)
    return instrument.lot_step if side == Side.BUY else max(instrument.lot_step, instrument.short_step)


def least_quantity(account: BrokerAccount, symbol: str, side: Side) -> Decimal:
    """Return the smallest quantity of an entry on this side."""
    instrument, step = instrument_of(account, symbol), lot_step(account, symbol, side)
    return step if instrument is None else max(instrument.min_qty, step)


def entry_quantity(
    account: BrokerAccount,
    symbol: str,
    side: Side,
    requested: Decimal | None,
    *,
    min_qty: Decimal | None = None,
    max_qty: Decimal | None = None,
) -> Decimal:
    """Return an entry's quantity: what was asked for, on the step and within the limits. Raises ``SizingError``."""
    least = least_quantity(account, symbol, side)
    return size_order(
        requested,
        None,
        lot_step=lot_step(account, symbol, side),
        min_qty=least if min_qty is None else max(least, min_qty),
        max_qty=max_qty,
    )


def part_to_close(account: BrokerAccount, symbol: str, side: Side, percent: Decimal) -> Decimal | None:
    """Return so many percent of the position that an exit on this side closes; None where there is none."""
    position = net_position(account, symbol)
    held = position if side is Side.SELL else -position
    return part_of_position(held, percent, lot_step(account, symbol, Side.BUY)) if held > 0 else None


def exit_quantity(
    account: BrokerAccount,
    symbol: str,
    side: Side,
    requested: Decimal | None,
    *,
    at_market: bool = False,
) -> Decimal:
    """Return the quantity with which an exit is recorded: never more than may be closed. Raises ``SizingError``.

    It is sized anew at its turn, for which it waits until exits that are being canceled have ended. So it is recorded,
    too, for what those would have closed, and where nothing is held yet and entries are on their way.
    ``at_market``: as if no exit rested, since those are canceled for this one.
    """
    closable = closable_quantity(account, symbol, side, at_market=at_market)
    closable += leaving_quantity(account, symbol, side, at_market=at_market)
    if closable <= 0:
        opposite = Side.SELL if side is Side.BUY else Side.BUY
        if has_unsized_entry(account, symbol, opposite):  # how much it brings nobody knows yet
            return requested or least_quantity(account, symbol, opposite)
        closable = entering_quantity(account, symbol, opposite)
    return cap_exit(requested, closable)


def supersedes(source: str, exit_reason: str) -> bool:
    """Say whether resting exits are canceled for an exit of the whole: one that closes come what may."""
    return source == Source.DESK or exit_reason == ExitReason.FLATTENED


def lock_account(account: BrokerAccount) -> None:
    """Keep other exits of the account from being recorded, to the end of the transaction."""
    BrokerAccount.objects.select_for_update(of=("self",)).get(pk=account.pk)


def closable_quantity(account: BrokerAccount, symbol: str, side: Side, *, at_market: bool = False) -> Decimal:
    """Return the position less what other exits already close, or have asked to close; below zero if overdrawn.

    ``at_market``: as if no exit rested.

    The account's row stays locked to the end of the transaction, so that two exits at once cannot both close the
    same shares. Whoever locks an order's row too locks that one first: every broker's fact does (its order, then
    by a fill's foreign key the account), and a recording locks no order's row but the new one that nobody sees.
    """
    lock_account(account)
    position = net_position(account, symbol)
    held = position if side is Side.SELL else -position
    closing = closing_quantity(account, symbol, side, at_market=at_market)
    return held - closing - (0 if at_market else _growth(account, symbol, side))


def _growth(account: BrokerAccount, symbol: str, side: Side) -> Decimal:
    """Return by how much open replaces of exits would raise what they close."""
    growing = OrderRequest.objects.filter(
        user=account.user_id,
        answered_at__isnull=True,  # as the index of what is open has it
        kind=OrderRequest.Kind.REPLACE,
        status__in=OrderRequest.OPEN,
        order__account=account,
        order__symbol=symbol,
        order__side=side,
        order__position_effect=PositionEffect.CLOSE,
        order_qty__isnull=False,
    )
    more = Greatest(F("order_qty") - F("order__order_qty"), Decimal(0))
    total: Decimal = growing.aggregate(total=Coalesce(Sum(more), Decimal(0)))["total"]
    return total
