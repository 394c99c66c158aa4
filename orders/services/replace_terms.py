"""What a replace may ask of an order, given the order as it stands."""

from dataclasses import replace
from decimal import Decimal

from brokers.types import OrdType, PositionEffect, Side
from orders.intake.fields import BadValue, FieldCode, FieldError
from orders.intake.pricing import TAKES_PRICE, TAKES_STOP, to_price, to_quantity
from orders.intake.replace_request import InvalidRequest, ReplaceTerms
from orders.models import Order
from orders.services.instruments import fit_prices
from orders.services.quantities import closable_quantity, lot_step


def check_replace_terms(order: Order, terms: ReplaceTerms) -> None:
    """Check every term against the order, whose row is locked. Raises ``InvalidRequest`` with all that is wrong."""
    errors = []
    for name, check in (("order_qty", _check_quantity), ("price", _check_price), ("stop_px", _check_stop)):
        value = getattr(terms, name)
        try:
            if value is not None:
                check(order, value)
        except BadValue as bad:
            errors.append(FieldError(name, bad.code, bad.message))
    if terms == ReplaceTerms():
        errors.append(
            FieldError("order_qty", FieldCode.REQUIRED, "is required, or a price that is to change")
        )
    if errors:
        raise InvalidRequest(errors)


def fit_terms(order: Order, terms: ReplaceTerms) -> ReplaceTerms:
    """Round the prices to the tick, in the direction that is safe for the trader, as those of a new order are."""
    fitted = fit_prices(
        order.account,
        order.symbol,
        side=Side(order.side),
        effect=PositionEffect(order.position_effect),
        price=terms.price,
        stop_px=terms.stop_px,
    )
    return replace(terms, price=fitted.price, stop_px=fitted.stop_px)


def _check_quantity(order: Order, quantity: Decimal) -> None:
    to_quantity(f"{quantity:f}")  # the range and the decimals of any order
    if quantity <= order.cum_qty:
        filled = f"{order.cum_qty.normalize():f}"
        raise BadValue(FieldCode.OUT_OF_RANGE, f"must be above the {filled} that are filled")
    if order.position_effect == PositionEffect.CLOSE:
        _check_closable(order, quantity)
    elif quantity % (step := lot_step(order.account, order.symbol, Side(order.side))):
        raise BadValue(FieldCode.TOO_PRECISE, f"must be a multiple of {step:f}")


def _check_closable(order: Order, quantity: Decimal) -> None:
    """Refuse an exit that would close more than there is; unlike a new one it is not cut, it stands as it was."""
    if quantity <= order.order_qty:
        return
    room = max(closable_quantity(order.account, order.symbol, Side(order.side)), Decimal(0))
    if quantity > order.order_qty + room:
        most = f"{(order.order_qty + room).normalize():f}"
        raise BadValue(
            FieldCode.OUT_OF_RANGE, f"must be at most {most}, which is what there is left to close"
        )


def _check_price(order: Order, price: Decimal) -> None:
    to_price(f"{price:f}")
    _check_fits(order, OrdType(order.ord_type) in TAKES_PRICE)


def _check_stop(order: Order, stop_px: Decimal) -> None:
    to_price(f"{stop_px:f}")
    _check_fits(order, OrdType(order.ord_type) in TAKES_STOP)


def _check_fits(order: Order, fits: bool) -> None:
    if not fits:
        raise BadValue(FieldCode.NOT_ALLOWED, f"does not go with a {order.ord_type.lower()} order")
