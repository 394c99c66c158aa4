from __future__ import annotations

from collections.abc import Iterator

import pytest

from brokers.alpaca.adapter import AlpacaAdapter
from brokers.alpaca.config import AlpacaCredentials, AlpacaEndpoints, AlpacaTimings
from tests.fixtures.scripted_http import ScriptedServer
from tests.fixtures.venues import venue

__all__ = ["venue"]

KEY_ID = "PKTESTKEYID0001"
SECRET = "s3cr3t-of-the-test-account"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def adapter(server: ScriptedServer) -> Iterator[AlpacaAdapter]:
    adapter = make_adapter(server.url)
    yield adapter
    adapter.close()


def make_adapter(url: str, **timings: float | int | None) -> AlpacaAdapter:
    return AlpacaAdapter(
        AlpacaCredentials(KEY_ID, SECRET),
        AlpacaEndpoints(url, url, url.replace("http", "ws") + "/stream"),
        AlpacaTimings(**{"connect_timeout_seconds": 0.5, "read_timeout_seconds": 0.3, **timings}),
    )
