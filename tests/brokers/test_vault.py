"""The vault: a record opens only where it belongs, with the right key, unchanged, in a process that may."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from brokers.models import BrokerAccount
from brokers.vault import open_broker
from brokers.vault.binding import credentials_binding, signing_binding
from brokers.vault.master_keys import create_master_key, unwrapper, wrapper
from brokers.vault.open_broker import open_credentials
from brokers.vault.open_signing import open_signing_key
from brokers.vault.record import Binding, Purpose, SealedRecord, VaultError
from brokers.vault.seal import seal

SECRET = b'{"key_id": "PK1", "secret": "hidden-value"}'


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    for purpose in Purpose:
        create_master_key(purpose, directory)
    return directory


@pytest.fixture(autouse=True)
def vault(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "VAULT_KEYS_DIR", keys)
    monkeypatch.setattr(settings, "VAULT_OPEN_PURPOSES", ["broker", "webhook"])
    unwrapper.cache_clear()


def make_account(**fields: object) -> BrokerAccount:
    account = BrokerAccount(user_id=7, broker="paper", label="Paper", **fields)
    account.sealed_credentials = seal(SECRET, credentials_binding(account))
    return account


def test_credentials_open_again() -> None:
    assert open_credentials(make_account()) == {"key_id": "PK1", "secret": "hidden-value"}


def test_each_record_has_a_data_key_and_nonce_of_its_own() -> None:
    binding = Binding(Purpose.BROKER, 7, "a", "paper")
    records = [SealedRecord.from_text(seal(SECRET, binding)) for _ in range(2)]
    assert records[0].nonce != records[1].nonce
    assert records[0].wrapped_key != records[1].wrapped_key
    assert len(records[0].wrapped_key) == 512  # RSA-4096
    assert b"hidden-value" not in records[0].ciphertext


@pytest.mark.parametrize(
    "change", [{"user_id": 8}, {"broker": "alpaca"}, {"id": "0197a000-0000-7000-8000-000000000000"}]
)
def test_a_record_moved_elsewhere_does_not_open(change: dict[str, object]) -> None:
    account = make_account()
    for name, value in change.items():
        setattr(account, name, value)
    with pytest.raises(VaultError, match="does not open"):
        open_credentials(account)


@pytest.mark.parametrize("part", ["wrapped_key", "nonce", "ciphertext"])
def test_a_changed_record_does_not_open(part: str) -> None:
    account = make_account()
    record = SealedRecord.from_text(account.sealed_credentials)
    changed = bytearray(getattr(record, part))
    changed[-1] ^= 1
    account.sealed_credentials = dataclasses.replace(record, **{part: bytes(changed)}).to_text()
    with pytest.raises(VaultError):
        open_credentials(account)


def test_the_key_version_is_bound_too(keys: Path, tmp_path: Path) -> None:
    account = make_account()
    record = SealedRecord.from_text(account.sealed_credentials)
    account.sealed_credentials = dataclasses.replace(record, key_version="local-other").to_text()
    with pytest.raises(VaultError, match="not here"):
        open_credentials(account)


def test_a_key_of_one_purpose_opens_nothing_of_the_other() -> None:
    signing = signing_binding(7, make_account().id)
    assert open_signing_key(seal(b"sixteen bytes ok", signing), signing) == b"sixteen bytes ok"
    with pytest.raises(VaultError):
        open_signing_key(make_account().sealed_credentials, signing)


def test_a_process_opens_only_what_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    account = make_account()
    monkeypatch.setattr(settings, "VAULT_OPEN_PURPOSES", ["webhook"])
    unwrapper.cache_clear()
    with pytest.raises(VaultError, match="may not open"):
        open_broker.open_credentials(account)


def test_sealing_needs_no_private_key(keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broker.pub").write_bytes((keys / "broker.pub").read_bytes())
    monkeypatch.setattr(settings, "VAULT_KEYS_DIR", tmp_path)
    account = make_account()
    with pytest.raises(VaultError, match=r"broker\.key cannot be read"):
        open_credentials(account)


def test_keys_are_private_and_never_overwritten(keys: Path) -> None:
    assert (keys / "broker.key").stat().st_mode & 0o777 == 0o600
    before = (keys / "broker.key").read_bytes()
    assert not create_master_key(Purpose.BROKER, keys)
    assert (keys / "broker.key").read_bytes() == before


@pytest.mark.parametrize(
    "text", ["", "v1", "v1.a.b", "v1.local-x.!.!.!", "v2.local-x.AA==.AA==.AA==", "ü" * 50]
)
def test_what_is_no_record_is_said_to_be_none(text: str) -> None:
    with pytest.raises(VaultError):
        SealedRecord.from_text(text)


def test_a_wrapper_only_wraps(keys: Path) -> None:
    assert not hasattr(wrapper(Purpose.BROKER, keys), "unwrap")


def test_the_web_process_never_loads_what_opens_credentials() -> None:
    """The import rule holds it in the source; this holds it in the running process, lazy imports included."""
    code = (
        "import django; django.setup(); import tradingsite.asgi, tradingsite.urls, sys;"
        "from django.urls import get_resolver; get_resolver().url_patterns;"
        "bad = [m for m in ('brokers.vault.open_broker', 'brokers.registry', 'alpaca') if m in sys.modules];"
        "sys.exit(', '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
