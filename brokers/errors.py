"""The one error tree of the adapters. Each class carries the one decision that a caller needs."""

from __future__ import annotations

from datetime import datetime

from brokers.refusals import RefusalCode


class BrokerError(Exception):
    """The root: something went wrong with a broker."""


class OrderRejected(BrokerError):
    """The broker proved that it refused this request; it will not happen. Definitive.

    ``reason`` are the broker's own words, ``code`` is what they mean, ``broker_code`` the broker's own code.
    """

    def __init__(self, reason: str, *, code: RefusalCode = RefusalCode.OTHER, broker_code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.broker_code = broker_code


class PositionModeMismatch(OrderRejected):
    """The account's position mode does not allow this order; the trader must switch to one-way mode."""

    def __init__(self, reason: str, *, broker_code: str = "") -> None:
        super().__init__(reason, code=RefusalCode.POSITION_MODE, broker_code=broker_code)


class OutcomeUnknown(BrokerError):
    """The request may or may not have been carried out: look it up, never send it again."""


class NotSent(BrokerError):
    """Proven: nothing reached the broker's books. Trying again later is safe."""

    retry_after_seconds: float = 1.0


class BrokerUnavailable(NotSent):
    """No connection to the broker could be made, or it said so before it took the request."""


class RateLimited(NotSent):
    """The broker refused for pace; try again after ``retry_after_seconds``."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class MarketClosed(NotSent):
    """The broker takes this order only while its market is open; ``next_open`` is aware UTC."""

    def __init__(self, message: str, *, next_open: datetime | None) -> None:
        super().__init__(message)
        self.next_open = next_open


class CredentialsRefused(NotSent):
    """The broker does not accept these credentials (401 or 403 on a read); a person must mend it."""
