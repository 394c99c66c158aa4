"""Arithmetic in which nothing is lost: sums and products are exact, and quotients are cut where sums stay exact.

Quantities, prices and fees have at most 12 digits before the point and 9 after it, so a product has at most 18
places. Each quotient that goes into a sum is rounded to the same 18 places; whatever it leaves over stays in the
amount that it was taken from.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from orders.state.model import AVG_PX_PLACES

ZERO = Decimal(0)
PLACES = Decimal("1E-18")
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
"""Wide enough for any sum of products, and for a share to be rounded as if it had been divided exactly."""


def share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return what falls to ``part`` of ``whole``: 18 places, half to even."""
    with localcontext(EXACT):
        return (amount * part / whole).quantize(PLACES)


def split(amount: Decimal, part: Decimal, whole: Decimal) -> tuple[Decimal, Decimal]:
    """Return the share of ``part`` and all the rest; the two sum up to ``amount`` exactly."""
    taken = share(amount, part, whole)
    return taken, EXACT.subtract(amount, taken)


def average_px(amount: Decimal, qty: Decimal) -> Decimal | None:
    """Return ``amount`` by ``qty`` as a price: 10 places, half to even; None without a quantity."""
    if not qty:
        return None
    with localcontext(EXACT):
        return (amount / qty).quantize(AVG_PX_PLACES)
