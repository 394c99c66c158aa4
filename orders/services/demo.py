"""The demo trader and the operator of a fresh desk. Calling it twice changes nothing."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from brokers.models import BrokerAccount
from orders.intake.layers import digest_of
from orders.models import Strategy, Trader
from orders.services.provisioning import (
    CASH,
    TraderOptions,
    generous_plan,
    new_account,
    new_strategy,
    new_trader,
    open_paper_accounts,
)

DEMO = "demo"
OPERATOR = "operator"
STRATEGY = "Demo"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DemoSecrets:
    """The secrets that the desk's folder holds for its demo."""

    demo_password: str
    operator_password: str
    webhook_secret: str


def ensure_demo(secrets: DemoSecrets) -> Strategy:
    """Make sure that demo trader and operator are there with these secrets; return the demo's strategy.

    Raises ``BrokerError`` where the demo needs a paper account and the exchange opens none, ``VaultError``.
    """
    account = BrokerAccount.objects.filter(user__username=DEMO).order_by("id").first()
    opened = [] if account else open_paper_accounts(1, CASH, label=DEMO)
    with transaction.atomic():
        _ensure_login(OPERATOR, secrets.operator_password, operates=True)
        user = _ensure_login(DEMO, secrets.demo_password, operates=False)
        if not Trader.objects.filter(pk=user.pk).exists():
            new_trader(user, generous_plan(), TraderOptions()).save(force_insert=True)
        for paper in opened:
            account = new_account(user, paper, verified=True)
            account.save(force_insert=True)
        return _ensure_strategy(user, secrets.webhook_secret, account)


def _ensure_login(username: str, password: str, *, operates: bool) -> User:
    user, _ = User.objects.get_or_create(
        username=username, defaults={"is_staff": operates, "is_superuser": operates}
    )
    # The same password is left as it is: a new hash would end every session.
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    return user


def _ensure_strategy(user: User, secret: str, account: BrokerAccount | None) -> Strategy:
    strategy = Strategy.objects.filter(user=user, name=STRATEGY).first()
    if strategy is None:
        strategy = new_strategy(user, STRATEGY, secret)
        strategy.save(force_insert=True)
    elif not hmac.compare_digest(bytes(strategy.secret_digest), digest_of(secret)):
        strategy.secret_digest = digest_of(secret)
        strategy.save(update_fields=["secret_digest"])
    if account is not None and not strategy.accounts.exists():
        strategy.accounts.add(account)
    return strategy
