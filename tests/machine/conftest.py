"""The machine's settings: nothing waits for the wall clock."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import override_settings


@pytest.fixture
def quick(transactional_db: None) -> Iterator[None]:
    """Take every wait of the session away, and the database's wait for the disk."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    with override_settings(FILL_WAIT_MS=0, FILL_LOOKUP_DELAYS_MS=[0], LEASE_TTL_SECONDS=3600.0):
        yield
    connection.close()
