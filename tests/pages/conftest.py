# pytest reads this file before Django is set up: what needs models is imported by the fixtures.
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

    from brokers.models import BrokerAccount


@pytest.fixture(scope="session", autouse=True)
def static_files() -> None:
    """Collect the static files: pages name each by its hash."""
    from django.core.management import call_command

    call_command("collectstatic", interactive=False, verbosity=0)


@pytest.fixture
def ann(db: None) -> User:
    from tests.pages.rows import make_trader

    return make_trader("ann", time_zone="America/New_York")


@pytest.fixture
def account(ann: User) -> BrokerAccount:
    from tests.pages.rows import make_account

    return make_account(ann)


@pytest.fixture
def page(client: Client, ann: User) -> Client:
    """A client in which ann is signed in."""
    client.force_login(ann)
    return client


@pytest.fixture
def bobs_account(db: None) -> BrokerAccount:
    from tests.pages.rows import make_account, make_trader

    return make_account(make_trader("bob"))
