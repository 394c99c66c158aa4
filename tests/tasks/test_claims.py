"""How many workers are wanted, as the claims in Redis say; what is no claim is nobody's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tasks import routing
from tasks.fleet.claims import WaitingClaims
from tasks.queues import client

STRANGE = [
    "rubbish",
    "[]",
    '{"body": "W10="}',
    '{"body": "W1tdLCB7fSwge31d"}',
    '{"body": 1}',
    "\xff",
    "[" * 100_000,
]
"""No JSON, no message, and messages whose body has no arguments, or not three parts."""


@pytest.fixture(autouse=True)
def empty_redis() -> Iterator[None]:
    client().flushdb()
    yield
    client().flushdb()


def test_of_several_claims_of_one_trader_one_counts() -> None:
    for user_id in (7, 7, 8):
        routing.claim(user_id)
    assert WaitingClaims().count() == 2


@pytest.mark.parametrize("message", STRANGE)
def test_what_is_no_claim_does_not_count_and_stops_nobody(message: str) -> None:
    routing.claim(7)
    client().rpush(routing.POOL_QUEUE, message)
    assert WaitingClaims().count() == 1


def test_it_is_told_of_once() -> None:
    client().rpush(routing.POOL_QUEUE, "rubbish")
    claims = WaitingClaims()
    with capture_logs() as logs:
        claims.count()
        claims.count()
    assert [entry["log_level"] for entry in logs] == ["error"]
