"""What may go wrong with one order alone, so that the trader's others go on without it."""

from django.core.exceptions import ObjectDoesNotExist
from django.db import DataError, IntegrityError

from brokers.errors import BrokerError
from orders.state import IllegalTransition

TROUBLE = (
    BrokerError,
    IllegalTransition,
    ObjectDoesNotExist,
    DataError,
    IntegrityError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
)
"""Not a lost lease, and not a PostgreSQL that is away: those are about everything that this process does."""
