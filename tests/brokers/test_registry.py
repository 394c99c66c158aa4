from __future__ import annotations

import subprocess
import sys

import pytest

from brokers import catalog, registry
from brokers.types import IdempotencyClass, OrdType

KEYS = {"key_id": "PK1", "secret": "hidden-value"}


def test_names_and_capabilities_do_not_load_an_sdk() -> None:
    code = (
        "import sys; from brokers import catalog;"
        "[catalog.capabilities_of(name) for name in catalog.broker_names()];"
        "sys.exit('alpaca' in sys.modules or 'requests' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_capabilities() -> None:
    for name in catalog.broker_names():
        capabilities = catalog.capabilities_of(name)
        expected = IdempotencyClass.C if name == "paper_c" else IdempotencyClass.A
        assert capabilities.idempotency_class is expected
        assert OrdType.MARKET in capabilities.ord_types
        assert capabilities.oco or not capabilities.exits_hold_shares, "stop and target could not both rest"


def test_paper_is_a_simulation() -> None:
    assert catalog.get_broker("paper").is_simulation
    assert not catalog.get_broker("alpaca").is_simulation


def test_an_unknown_broker() -> None:
    with pytest.raises(LookupError):
        catalog.get_broker("nobody")


def test_a_missing_credential_is_named_and_no_value_shown() -> None:
    with pytest.raises(ValueError, match="key_id") as caught:
        registry.open_adapter("paper", {"key_id": "", "secret": "hidden-value"})
    assert "hidden-value" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8001", "ftp://x"])
def test_paper_wants_the_venues_url(url: str) -> None:
    with pytest.raises(ValueError, match="venue"):
        registry.open_adapter("paper", KEYS, registry.AdapterOptions(venue_url=url))


def test_opens_adapters() -> None:
    options = registry.AdapterOptions(venue_url="http://127.0.0.1:8001/")
    for name in catalog.broker_names():
        adapter = registry.open_adapter(name, KEYS, options)
        assert adapter.capabilities == catalog.capabilities_of(name)
        adapter.close()
