# pytest reads this file before Django is set up: what needs models is imported by the fixtures.
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

    from brokers.models import BrokerAccount


@pytest.fixture
def ann(db: None) -> User:
    from tests.pages.rows import make_trader

    return make_trader("ann")


@pytest.fixture
def account(ann: User) -> BrokerAccount:
    from tests.pages.rows import make_account

    return make_account(ann)


@pytest.fixture
def key(ann: User) -> str:
    from orders.services.api_keys import create_api_key

    return create_api_key(user=ann, label="test")[1]


@pytest.fixture
def api(key: str) -> Client:
    """A client that signs in with ann's key."""
    from django.test import Client

    return Client(headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def bobs_account(db: None) -> BrokerAccount:
    from tests.pages.rows import make_account, make_trader

    return make_account(make_trader("bob"))
