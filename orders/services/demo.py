"""The demo trader and the operator of a fresh desk. Calling it twice changes nothing."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from orders.intake.layers import digest_of
from orders.models import Strategy, Trader
from orders.services.provisioning import (
    TraderOptions,
    generous_plan,
    new_account,
    new_strategy,
    new_trader,
    open_paper_accounts,
)

DEMO = "demo"
OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSecrets:
    """The secrets that the desk's folder holds for its demo."""

    demo_password: str
    operator_password: str
    webhook_secret: str


def ensure_demo(secrets: DemoSecrets) -> Strategy:
    """Make sure that the demo trader and the operator are there with these secrets; return the demo's strategy.

    Raises ``BrokerError`` where the demo needs a paper account and the exchange opens none, ``VaultError``.
    """
    strategy = Strategy.objects.filter(user__username=DEMO, name="Demo", accounts__isnull=False).first()
    if strategy is None:
        strategy = _create_demo(secrets)
    with transaction.atomic():
        _ensure_login(DEMO, secrets.demo_password, operates=False)
        _ensure_login(OPERATOR, secrets.operator_password, operates=True)
        _ensure_secret(strategy, secrets.webhook_secret)
    return strategy


def _create_demo(secrets: DemoSecrets) -> Strategy:
    options = TraderOptions()
    paper = open_paper_accounts(1, options.cash, label=DEMO)[0]
    with transaction.atomic():
        user = _ensure_login(DEMO, secrets.demo_password, operates=False)
        if not Trader.objects.filter(pk=user.pk).exists():
            new_trader(user, generous_plan(), options).save()
        account = new_account(user, paper, verified=True)
        account.save()
        strategy = new_strategy(user, "Demo", secrets.webhook_secret)
        strategy.save()
        strategy.accounts.add(account)
    return strategy


def _ensure_login(username: str, password: str, *, operates: bool) -> User:
    user, _ = User.objects.get_or_create(
        username=username, defaults={"is_staff": operates, "is_superuser": operates}
    )
    # check_password would rehash, so the same password is left as it is and its sessions live on.
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    return user


def _ensure_secret(strategy: Strategy, secret: str) -> None:
    if not hmac.compare_digest(bytes(strategy.secret_digest), digest_of(secret)):
        strategy.secret_digest = digest_of(secret)
        strategy.save(update_fields=["secret_digest"])
