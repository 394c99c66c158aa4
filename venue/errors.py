"""Refusals in Alpaca's shape: an HTTP status, a numeric code, a message, and facts beside it."""

from __future__ import annotations

from typing import Any


class VenueError(Exception):
    """A request that the venue answers with an error body."""

    def __init__(self, status: int, code: int, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.facts = facts

    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        return {"code": self.code, "message": self.message, **self.facts}


def malformed(message: str) -> VenueError:
    """A field is missing or cannot be read (400 in spirit, 422 at Alpaca)."""
    return VenueError(422, 40010001, message)


def unprocessable(message: str, **facts: Any) -> VenueError:
    """A well-formed request that the venue cannot act on."""
    return VenueError(422, 42210000, message, **facts)


def forbidden(message: str, **facts: Any) -> VenueError:
    """The account may not do this now: buying power, shares, a block."""
    return VenueError(403, 40310000, message, **facts)


def not_found(message: str) -> VenueError:
    """There is no such order, position or asset for this account."""
    return VenueError(404, 40410000, message)


def unauthorized() -> VenueError:
    """The key is unknown or the secret is wrong; the two look the same."""
    return VenueError(401, 40110000, "request is not authorized")


def duplicate_client_order_id() -> VenueError:
    """The client order id was used before by this account, however long ago."""
    return VenueError(422, 40010001, "client_order_id must be unique")


def unavailable() -> VenueError:
    """The venue's database cannot be reached; nothing was accepted."""
    return VenueError(503, 50310000, "service unavailable")
