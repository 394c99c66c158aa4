"""A real venue process on a database of its own for each test module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.venue.process import Trader, VenueProcess


@contextmanager
def _database() -> Iterator[str]:
    superuser = os.environ["TEST_POSTGRES"]
    name = f"test_venue_{uuid4().hex[:12]}"
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield psycopg.conninfo.make_conninfo(superuser, dbname=name)
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def venue_database_url() -> Iterator[str]:
    """An empty database of the module's own, in the PostgreSQL that TEST_POSTGRES names."""
    with _database() as url:
        yield url


@pytest.fixture
def other_database_url() -> Iterator[str]:
    """One more empty database, for a second venue beside the module's own."""
    with _database() as url:
        yield url


@pytest.fixture(scope="module")
def venue(venue_database_url: str) -> Iterator[VenueProcess]:
    """A running venue with its control endpoints, and prices that stand still unless pinned elsewhere."""
    process = VenueProcess(venue_database_url, VENUE_TICK_MS="0")
    process.start()
    yield process
    process.stop()


@pytest.fixture
def trader(venue: VenueProcess) -> Iterator[Trader]:
    """A fresh account with 100,000 dollars; AAPL stands at 100.00 to 100.02, and no fault is in force."""
    venue.price("AAPL", "100.00", "100.02")
    yield venue.trader()
    venue.control("DELETE", "/control/faults")
    venue.control("POST", "/control/market", {"session": "hours", "paused": False})
