# pytest reads this file before Django is set up: what needs models is imported by the fixtures.
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pages.conftest import static_files

if TYPE_CHECKING:
    from django.test import Client

__all__ = ["static_files"]


@pytest.fixture
def operator(client: Client, db: None) -> Client:
    """A client in which an operator is signed in who may do everything."""
    from django.contrib.auth.models import User

    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    return client
