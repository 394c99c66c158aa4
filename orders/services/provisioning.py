"""Set up traders that can trade at once: user, plan, paper account, strategy, API key.

The paper exchange opens the accounts first; then all rows are written in one transaction. What fails
in between leaves accounts at the exchange that nobody uses, and nothing at the desk.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.paper.provision import PaperAccount, create_accounts
from brokers.types import IdempotencyClass
from brokers.vault.binding import credentials_binding
from brokers.vault.seal import seal
from orders.intake.layers import digest_of
from orders.models import ApiKey, Plan, Strategy, Trader
from orders.services.api_keys import new_api_key

PLAN_NAME = "Generous"
DAILY_ORDER_LIMIT = 1_000_000
ORDERS_PER_MINUTE = 100_000
CASH = Decimal(100_000_000)
PAPER_BROKERS = {
    IdempotencyClass.A: BrokerAccount.Broker.PAPER,
    IdempotencyClass.C: BrokerAccount.Broker.PAPER_C,
}
ROWS_A_STATEMENT = 500

# Stretching protects passwords that people think of. These are 192 random bits, which NIST SP 800-63B
# (5.1.2.2: secrets of at least 112 bits) lets be hashed once; at Django's full count 300 traders take a
# minute. Django hashes such a password anew, at its full count, when it is first used.
_ITERATIONS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderOptions:
    """What the new traders may do. ``symbols`` empty: every symbol; a limit of None: the plan's.

    ``idempotency_class`` is that of their paper accounts: A takes a client order id once, C as often as it comes.
    ``market`` is the code of the market whose hours count; '' is the paper exchange's, which never closes.
    """

    symbols: Sequence[str] = ()
    daily_order_limit: int | None = None
    orders_per_minute: int | None = None
    terms_accepted: bool = True
    verified: bool = True
    cash: Decimal = CASH
    idempotency_class: IdempotencyClass = IdempotencyClass.A
    market: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NewTrader:
    """A new trader's keys in the clear: they are shown now or never."""

    user_id: int
    username: str
    password: str
    webhook_path: str
    secret: str
    api_key: str
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Login:
    user: User
    password: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Hook:
    strategy: Strategy
    secret: str


def create_traders(*, count: int, options: TraderOptions) -> list[NewTrader]:
    """Create ``count`` traders, each with one paper account, one strategy and one API key.

    Calling it again creates more. Raises ``BrokerError`` where the paper exchange opens no accounts,
    ``VaultError`` where the vault has no key; then there is nothing new at the desk.
    """
    broker = PAPER_BROKERS[options.idempotency_class]
    opened = open_paper_accounts(count, options.cash, broker=broker)
    logins = [_new_login() for _ in range(count)]
    with transaction.atomic():
        User.objects.bulk_create([login.user for login in logins], batch_size=ROWS_A_STATEMENT)
        plan = generous_plan()
        Trader.objects.bulk_create(
            [new_trader(login.user, plan, options) for login in logins], batch_size=ROWS_A_STATEMENT
        )
        accounts = [
            new_account(login.user, paper, verified=options.verified, broker=broker, market=options.market)
            for login, paper in zip(logins, opened, strict=True)
        ]
        BrokerAccount.objects.bulk_create(accounts, batch_size=ROWS_A_STATEMENT)
        hooks = [_new_hook(login.user, options.symbols) for login in logins]
        Strategy.objects.bulk_create([hook.strategy for hook in hooks], batch_size=ROWS_A_STATEMENT)
        _link(hooks, accounts)
        keys = [new_api_key(user=login.user, label="provisioned") for login in logins]
        ApiKey.objects.bulk_create([key for key, _ in keys], batch_size=ROWS_A_STATEMENT)
    return [
        NewTrader(
            user_id=login.user.pk,
            username=login.user.username,
            password=login.password,
            webhook_path=hook.strategy.webhook_path,
            secret=hook.secret,
            api_key=key_text,
            account_id=str(account.id),
        )
        for login, account, hook, (_, key_text) in zip(logins, accounts, hooks, keys, strict=True)
    ]


def open_paper_accounts(
    count: int,
    cash: Decimal,
    label: str = "tradingsite",
    broker: BrokerAccount.Broker = BrokerAccount.Broker.PAPER,
) -> list[PaperAccount]:
    """Open accounts at the desk's paper exchange. Raises ``BrokerError``."""
    return create_accounts(
        count,
        cash,
        venue_url=settings.VENUE_URL,
        admin_token=settings.VENUE_ADMIN_TOKEN,
        label=label,
        unique_client_order_ids=broker == BrokerAccount.Broker.PAPER,
    )


def generous_plan() -> Plan:
    """Return the plan of provisioned traders, made when it is first asked for."""
    limits = {"daily_order_limit": DAILY_ORDER_LIMIT, "orders_per_minute": ORDERS_PER_MINUTE}
    plan, _ = Plan.objects.get_or_create(name=PLAN_NAME, defaults=limits)
    return plan


def new_trader(user: User, plan: Plan, options: TraderOptions) -> Trader:
    """Return the unsaved trader of a saved user."""
    return Trader(
        user=user,
        plan=plan,
        terms_accepted_at=timezone.now() if options.terms_accepted else None,
        daily_order_limit=options.daily_order_limit,
        orders_per_minute=options.orders_per_minute,
    )


def new_account(
    user: User,
    paper: PaperAccount,
    *,
    verified: bool,
    broker: BrokerAccount.Broker = BrokerAccount.Broker.PAPER,
    market: str = "",
) -> BrokerAccount:
    """Return the unsaved account of a saved user, its credentials sealed for the trader's worker."""
    account = BrokerAccount(
        user=user,
        broker=broker,
        label="Paper",
        external_id=paper.account_id,
        simulation=True,
        market=market,
        verified_at=timezone.now() if verified else None,
    )
    credentials = json.dumps({"key_id": paper.key_id, "secret": paper.secret}).encode()
    account.sealed_credentials = seal(credentials, credentials_binding(account))
    return account


def new_strategy(user: User, name: str, secret: str, symbols: Sequence[str] = ()) -> Strategy:
    """Return the unsaved strategy of a saved user, with a webhook of its own."""
    return Strategy(
        user=user,
        name=name,
        token=secrets.token_urlsafe(24),
        secret_digest=digest_of(secret),
        allowed_symbols=list(symbols),
    )


def _new_login() -> _Login:
    password = secrets.token_urlsafe(24)
    hasher = PBKDF2PasswordHasher()
    user = User(
        username=f"trader-{secrets.token_hex(5)}",
        password=hasher.encode(password, hasher.salt(), iterations=_ITERATIONS),
    )
    return _Login(user=user, password=password)


def _new_hook(user: User, symbols: Sequence[str]) -> _Hook:
    secret = secrets.token_urlsafe(24)
    return _Hook(strategy=new_strategy(user, "Default", secret, symbols), secret=secret)


def _link(hooks: Sequence[_Hook], accounts: Sequence[BrokerAccount]) -> None:
    through = Strategy.accounts.through
    rows = [
        through(strategy_id=hook.strategy.id, brokeraccount_id=account.id)
        for hook, account in zip(hooks, accounts, strict=True)
    ]
    through.objects.bulk_create(rows, batch_size=ROWS_A_STATEMENT)
