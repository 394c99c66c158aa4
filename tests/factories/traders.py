"""Traders with everything they need, as rows; no venue is involved."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.vault.binding import credentials_binding
from brokers.vault.master_keys import create_master_key
from brokers.vault.record import Purpose
from brokers.vault.seal import seal
from orders.intake.layers import digest_of
from orders.models import Plan, Strategy, Trader


@dataclass(frozen=True)
class Desk:
    """One trader with one account and one strategy."""

    user: User
    trader: Trader
    account: BrokerAccount
    strategy: Strategy
    secret: str


def make_account(user: User, **fields: Any) -> BrokerAccount:
    for purpose in Purpose:
        create_master_key(purpose, settings.VAULT_KEYS_DIR)
    values: dict[str, Any] = {
        "user": user,
        "broker": "paper",
        "label": f"Paper {secrets.token_hex(3)}",
        "simulation": True,
        "verified_at": timezone.now(),
    }
    account = BrokerAccount(**(values | fields))
    credentials = json.dumps({"key_id": "K", "secret": "S"}).encode()
    account.sealed_credentials = seal(credentials, credentials_binding(account))
    account.save()
    return account


def make_desk(*, daily_order_limit: int = 1000, orders_per_minute: int = 1000, **strategy: Any) -> Desk:
    user = User.objects.create(username=f"trader-{secrets.token_hex(4)}")
    plan = Plan.objects.create(
        name=secrets.token_hex(4), daily_order_limit=daily_order_limit, orders_per_minute=orders_per_minute
    )
    trader = Trader.objects.create(user=user, plan=plan, terms_accepted_at=timezone.now())
    account = make_account(user)
    secret = secrets.token_urlsafe(24)
    row = Strategy.objects.create(
        user=user,
        name="Trend",
        token=secrets.token_urlsafe(24),
        secret_digest=digest_of(secret),
        **strategy,
    )
    row.accounts.add(account)
    return Desk(user, trader, account, row, secret)
