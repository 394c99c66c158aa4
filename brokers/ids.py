"""Identifiers: UUIDv7 keys, and the client order ids made from them."""

import uuid

import uuid_utils.compat

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def new_id() -> uuid.UUID:
    """Return a new UUIDv7: unique, and ordered by time to the millisecond (RFC 9562)."""
    return uuid_utils.compat.uuid7()


def cl_ord_id_of(key: uuid.UUID) -> str:
    """Return the client order id that belongs to ``key``: its 128 bits in base 62, 22 characters.

    The same key gives the same id for ever, so that a repeated attempt carries the id of the first.
    """
    number, digits = key.int, ""
    for _ in range(22):
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return digits
