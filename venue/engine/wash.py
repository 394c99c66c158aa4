"""Orders of one account that could trade with each other. Pure.

Source: Alpaca's "User Protection", wash trade protection: an order without a limit never stands beside one on
the other side, two limits must not cross; orders of groups and trailing stops are exempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from venue.engine.transaction import Holdings
from venue.errors import forbidden
from venue.models import Order

if TYPE_CHECKING:
    from venue.engine.screening import Wish


def opposite(wish: Wish, holdings: Holdings) -> Iterator[Order]:
    """Find the working orders on the other side of a symbol."""
    for order in holdings.open_orders:
        if order.symbol == wish.symbol and order.side != wish.side:
            yield order


def check_wash(wish: Wish, holdings: Holdings) -> None:
    """Refuse an order that could meet another one of the account; raises VenueError."""
    if _is_exempt(wish.order_class, wish.type):
        return
    for order in opposite(wish, holdings):
        if not _is_exempt(order.order_class, order.type) and _may_meet(wish, order.limit_price):
            kind = "market/stop" if order.limit_price is None else "limit"
            raise forbidden(
                "potential wash trade detected. use complex orders",
                existing_order_id=str(order.id),
                reject_reason=f"opposite side {kind} order exists",
            )


def _is_exempt(order_class: str, order_type: str) -> bool:
    return bool(order_class) or order_type == "trailing_stop"


def _may_meet(wish: Wish, limit: Decimal | None) -> bool:
    if wish.limit_price is None or limit is None:
        return True
    bid, ask = (wish.limit_price, limit) if wish.side == "buy" else (limit, wish.limit_price)
    return ask <= bid
