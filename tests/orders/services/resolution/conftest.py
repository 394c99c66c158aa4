# pytest reads this file before Django is set up: what needs models is imported by the fixtures.
"""An operator, and an order that waits for their word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from orders.models import Order


@pytest.fixture
def operator(db: None) -> User:
    from django.contrib.auth.models import User

    return User.objects.create(username="operator", is_staff=True)


@pytest.fixture
def unknown(unknown: Order) -> Order:
    """An entry of 10 whose outcome is unknown, and which is on the attention list."""
    from orders.models import AttentionItem
    from orders.services.attention import open_item

    open_item(AttentionItem.Kind.OUTCOME_UNKNOWN, order=unknown, detail="not found")
    return unknown
