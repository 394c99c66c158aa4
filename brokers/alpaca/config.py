"""What is needed to reach one Alpaca account, live or at the paper exchange."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AlpacaCredentials:
    """An API key; neither half is ever shown by ``repr``."""

    key_id: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AlpacaEndpoints:
    """Base URLs without a trailing slash and without the ``/v2``."""

    trading_url: str
    data_url: str
    stream_url: str


LIVE = AlpacaEndpoints(
    trading_url="https://api.alpaca.markets",
    data_url="https://data.alpaca.markets",
    stream_url="wss://api.alpaca.markets/stream",
)


@dataclass(frozen=True, slots=True)
class AlpacaTimings:
    """How long to wait and how often to ask; seconds, but for the pace."""

    connect_timeout_seconds: float = 2.0
    read_timeout_seconds: float = 10.0
    # A connection idle for longer may have been forgotten by a middle box without a FIN; a new
    # one costs a handshake, a command into the void costs an unknown outcome.
    max_idle_seconds: float = 45.0
    # Alpaca allows 200 a minute for each account; None means no pacing.
    requests_per_minute: int | None = 190
    ping_interval_seconds: float = 5.0
    ping_timeout_seconds: float = 10.0
    backoff_min_seconds: float = 0.1
    backoff_max_seconds: float = 5.0
