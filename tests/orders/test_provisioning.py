"""Traders that are ready to trade, and the demo of a fresh desk."""

from __future__ import annotations

import json
import stat
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from brokers.errors import BrokerUnavailable

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from brokers.paper.provision import PaperAccount

pytestmark = pytest.mark.django_db

KEYS = ["user_id", "username", "password", "webhook_path", "secret", "api_key", "account_id"]


@pytest.fixture(autouse=True)
def vault_keys() -> None:
    from django.conf import settings

    from brokers.vault.master_keys import create_master_key
    from brokers.vault.record import Purpose

    create_master_key(Purpose.BROKER, settings.VAULT_KEYS_DIR)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Decimal]]:
    """Stand in for the paper exchange; the list is of what it was asked to open."""
    from brokers.paper.provision import PaperAccount
    from orders.services import provisioning

    asked: list[tuple[int, Decimal]] = []

    def create(count: int, cash: Decimal, **_: str) -> list[PaperAccount]:
        asked.append((count, cash))
        return [
            PaperAccount(account_id=str(uuid4()), account_number="PA1", key_id="PKID", secret="PSECRET")
            for _ in range(count)
        ]

    monkeypatch.setattr(provisioning, "create_accounts", create)
    return asked


def run(command: str, *arguments: str) -> list[dict[str, Any]]:
    from django.core.management import call_command

    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_creates_traders_that_can_trade(opened: list[tuple[int, Decimal]], client: Client) -> None:
    from brokers.models import BrokerAccount
    from brokers.vault.open_broker import open_credentials
    from orders.intake.layers import digest_of
    from orders.models import Strategy, Trader

    rows = run("create_traders", "--count", "3")
    assert [list(row) for row in rows] == [KEYS] * 3
    assert opened == [(3, Decimal(100_000_000))]
    for row in rows:
        account = BrokerAccount.objects.get(pk=row["account_id"])
        strategy = Strategy.objects.get(user=row["user_id"])
        trader = Trader.objects.select_related("plan").get(pk=row["user_id"])
        assert account.user_id == strategy.user_id == row["user_id"]
        assert account.verified_at is not None
        assert account.simulation is True
        assert open_credentials(account) == {"key_id": "PKID", "secret": "PSECRET"}
        assert list(strategy.accounts.all()) == [account]
        assert strategy.webhook_path == row["webhook_path"]
        assert strategy.allowed_symbols == []
        assert bytes(strategy.secret_digest) == digest_of(row["secret"])
        assert trader.terms_accepted_at is not None
        assert trader.effective_daily_order_limit == 1_000_000
        assert trader.effective_orders_per_minute == 100_000
        signed_in = client.get("/api/v1/accounts", headers={"Authorization": f"Bearer {row['api_key']}"})
        assert [one["id"] for one in signed_in.json()["results"]] == [row["account_id"]]
        assert client.login(username=row["username"], password=row["password"])
    for name in ("user_id", "username", "password", "webhook_path", "secret", "api_key", "account_id"):
        assert len({row[name] for row in rows}) == 3


@pytest.mark.parametrize(("option", "broker", "unique"), [("A", "paper", True), ("C", "paper_c", False)])
def test_the_account_is_of_the_wanted_idempotency_class(
    monkeypatch: pytest.MonkeyPatch, option: str, broker: str, unique: bool
) -> None:
    from brokers.catalog import capabilities_of
    from brokers.models import BrokerAccount
    from brokers.paper.provision import PaperAccount
    from orders.ledger import paper_account_ids
    from orders.services import provisioning

    asked: list[bool] = []

    def create(count: int, cash: Decimal, *, unique_client_order_ids: bool, **_: str) -> list[PaperAccount]:
        asked.append(unique_client_order_ids)
        return [PaperAccount(account_id=str(uuid4()), account_number="PA1", key_id="K", secret="S")]

    monkeypatch.setattr(provisioning, "create_accounts", create)
    [row] = run("create_traders", "--count", "1", "--idempotency-class", option)
    account = BrokerAccount.objects.get(pk=row["account_id"])
    assert (account.broker, account.simulation, asked) == (broker, True, [unique])
    assert capabilities_of(account.broker).idempotency_class == option
    assert paper_account_ids() == [account.external_id], "ledger_check would leave it out"


def test_the_first_login_hashes_the_password_in_full(
    opened: list[tuple[int, Decimal]], client: Client
) -> None:
    from django.contrib.auth.hashers import get_hasher
    from django.contrib.auth.models import User

    [row] = run("create_traders", "--count", "1")
    assert client.login(username=row["username"], password=row["password"])
    assert not get_hasher().must_update(User.objects.get(pk=row["user_id"]).password)


def test_options(opened: list[tuple[int, Decimal]]) -> None:
    from brokers.models import BrokerAccount
    from orders.models import Strategy, Trader

    [row] = run(
        "create_traders", "--count=1", "--symbols=aapl, NASDAQ:MSFT", "--daily-order-limit=0",
        "--orders-per-minute=7", "--no-tos", "--unverified", "--cash=250.50",
    )  # fmt: skip
    trader = Trader.objects.get(pk=row["user_id"])
    assert trader.terms_accepted_at is None
    assert trader.effective_daily_order_limit == 0
    assert trader.effective_orders_per_minute == 7
    assert BrokerAccount.objects.get(pk=row["account_id"]).verified_at is None
    assert Strategy.objects.get(user=row["user_id"]).allowed_symbols == ["AAPL", "MSFT"]
    assert opened == [(1, Decimal("250.50"))]


@pytest.mark.parametrize(
    "arguments",
    [[], ["--count=0"], ["--count=x"], ["--count=1", "--cash=NaN"], ["--count=1", "--daily-order-limit=-1"],
     ["--count=1", "--symbols=A B"]],
)  # fmt: skip
def test_wrong_arguments(arguments: list[str], opened: list[tuple[int, Decimal]]) -> None:
    from django.core.management import CommandError, call_command

    with pytest.raises(CommandError):
        call_command("create_traders", *arguments)
    assert opened == []


def test_without_the_venue_nothing_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.auth.models import User
    from django.core.management import CommandError, call_command

    from orders.services import provisioning

    def unreachable(*_: object, **__: object) -> None:
        raise BrokerUnavailable("the venue cannot be reached")

    monkeypatch.setattr(provisioning, "create_accounts", unreachable)
    with pytest.raises(CommandError, match="the venue cannot be reached") as refused:
        call_command("create_traders", "--count=2")
    assert "\n" not in str(refused.value)
    assert not User.objects.exists()


def test_a_failure_half_way_leaves_nothing(
    opened: list[tuple[int, Decimal]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.models import User

    from orders.services import provisioning
    from orders.services.provisioning import TraderOptions, create_traders

    def no_key(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(provisioning, "new_api_key", no_key)
    with pytest.raises(ZeroDivisionError):
        create_traders(count=2, options=TraderOptions())
    assert opened
    assert not User.objects.exists()


# --- the demo ---


@pytest.fixture
def home(settings: SettingsWrapper, tmp_path: Any) -> Any:
    settings.HOME = tmp_path
    return tmp_path


def test_the_demo_is_made_once(home: Any, opened: list[tuple[int, Decimal]], client: Client) -> None:
    from django.contrib.auth.models import User

    from orders.models import Strategy

    [first] = run("create_demo")
    hashes = dict(User.objects.values_list("username", "password"))
    [again] = run("create_demo")
    assert first == again
    assert len(opened) == 1
    assert dict(User.objects.values_list("username", "password")) == hashes
    strategy = Strategy.objects.get(user__username="demo")
    assert first["webhook_path"] == strategy.webhook_path
    assert strategy.accounts.count() == 1
    assert client.login(username="demo", password=first["password"])
    assert client.login(username=first["operator_username"], password=first["operator_password"])
    flags = User.objects.values_list("username", "is_staff", "is_superuser")
    assert set(flags) == {("demo", False, False), ("operator", True, True)}
    for name in ("demo_password", "operator_password", "demo_webhook_secret"):
        assert stat.S_IMODE((home / "secrets" / name).stat().st_mode) == 0o600


def test_the_demo_follows_its_secrets(home: Any, opened: list[tuple[int, Decimal]], client: Client) -> None:
    from orders.intake.layers import digest_of
    from orders.models import Strategy

    run("create_demo")
    (home / "secrets" / "demo_password").write_text("a new password\n")
    (home / "secrets" / "demo_webhook_secret").write_text("a new secret")
    [demo] = run("create_demo")
    assert demo["password"] == "a new password"
    assert client.login(username="demo", password="a new password")
    assert bytes(Strategy.objects.get().secret_digest) == digest_of("a new secret")
    assert len(opened) == 1
