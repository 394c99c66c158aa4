"""The ``trade_updates`` stream, in a thread of its own.

Not the SDK's ``TradingStream``: that one cannot say when it is listening, speaks through
websockets' deprecated interface, and tells nobody that it has reconnected.

Protocol: https://docs.alpaca.markets/docs/websocket-streaming. Live Alpaca sends binary frames,
the paper exchange text; both hold JSON.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosedOK, WebSocketException
from websockets.sync.client import ClientConnection, connect

from brokers.alpaca.answers import load_json
from brokers.alpaca.config import AlpacaCredentials, AlpacaTimings
from brokers.alpaca.values import mapping_of, rows_of
from brokers.errors import BrokerError
from brokers.types import ExecutionReport, OnReport

log = logging.getLogger(__name__)
# At DEBUG websockets logs whole frames, the one with the secret too: never below WARNING.
_wire_log = logging.getLogger(f"{__name__}.wire")
_wire_log.setLevel(logging.WARNING)

_LOST = (OSError, WebSocketException, BrokerError, ValueError, TimeoutError)
# A connection that lived for so long has earned a quick first reconnect.
_SOUND_AFTER_SECONDS = 10.0
GAP_RETRY_SECONDS = 1.0


class AlpacaStream:
    """A running stream; it reconnects by itself until it is closed."""

    def __init__(
        self,
        url: str,
        credentials: AlpacaCredentials,
        timings: AlpacaTimings,
        *,
        read: Callable[[Any], ExecutionReport],
        on_report: OnReport,
        on_gap: Callable[[], None],
    ) -> None:
        self._url = url
        self._credentials = credentials
        self._timings = timings
        self._read = read
        self._on_report = on_report
        self._on_gap = on_gap
        self._live = threading.Event()
        self._closing = threading.Event()
        self._missed = False  # something may have happened that ``on_gap`` was not yet told of
        self._connection: ClientConnection | None = None
        self._thread = threading.Thread(target=self._run, name="trade-updates", daemon=True)
        self._thread.start()

    @property
    def is_live(self) -> bool:
        """Say whether the stream is connected, authorized and listening right now."""
        return self._live.is_set()

    def wait_live(self, timeout_seconds: float) -> bool:
        """Wait until the stream is live; return whether it is."""
        return self._live.wait(timeout_seconds)

    def renew(self) -> None:
        """Connect anew: the connection seems sound, and does not tell what happens."""
        connection = self._connection
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Stop the stream; a callback that is running is waited for, for at most 5 s."""
        self._closing.set()
        self._live.clear()
        connection = self._connection
        if connection is not None:
            connection.close()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                self._listen()
            except _LOST as error:
                # The type only: the text of some holds parts of a frame.
                log.warning("trade updates: lost (%s)", type(error).__name__)
            except Exception as error:  # noqa: BLE001 - whatever it was, listening must go on
                log.error("trade updates: failed (%s)", type(error).__name__)
            finally:
                self._live.clear()
            self._missed = True
            failures = 1 if time.monotonic() - began > _SOUND_AFTER_SECONDS else failures + 1
            self._closing.wait(self._backoff_seconds(failures))

    def _backoff_seconds(self, failures: int) -> float:
        longest = self._timings.backoff_max_seconds
        shortest = self._timings.backoff_min_seconds
        delay = min(longest, shortest * 2.0 ** min(failures - 1, 16))
        return delay * random.uniform(0.5, 1.0)  # noqa: S311 - spreads reconnects, hides nothing

    def _listen(self) -> None:
        with connect(
            self._url,
            logger=_wire_log,
            proxy=None,
            compression=None,
            open_timeout=self._timings.connect_timeout_seconds,
            ping_interval=self._timings.ping_interval_seconds,
            ping_timeout=self._timings.ping_timeout_seconds,
            close_timeout=0.5,
        ) as connection:
            self._connection = connection
            if self._closing.is_set():
                return
            early = self._log_in(connection)
            # Before any report, and before anybody is told that the stream is live.
            self._tell_gap()
            self._live.set()
            for message in early:
                self._take(message)
            self._follow(connection)

    def _follow(self, connection: ClientConnection) -> None:
        """Take every message; while a gap is not told, tell it each second, whether or not one comes."""
        while True:
            try:
                frame = connection.recv(GAP_RETRY_SECONDS if self._missed else None)
            except TimeoutError:
                self._tell_gap()
            except ConnectionClosedOK:
                return
            else:
                self._take(_message(frame))

    def _log_in(self, connection: ClientConnection) -> list[dict[str, Any]]:
        """Authenticate and listen; return what has come in before the acknowledgement."""
        connection.send(
            json.dumps(
                {
                    "action": "authenticate",
                    "data": {
                        "key_id": self._credentials.key_id,
                        "secret_key": self._credentials.secret,
                    },
                }
            )
        )
        timeout = self._timings.read_timeout_seconds
        answer = _message(connection.recv(timeout))
        if mapping_of(answer.get("data")).get("status") != "authorized":
            log.error("trade updates: the broker does not accept these credentials")
            raise BrokerError("not authorized")
        connection.send('{"action": "listen", "data": {"streams": ["trade_updates"]}}')
        early: list[dict[str, Any]] = []
        while True:
            message = _message(connection.recv(timeout))
            if message.get("stream") != "listening":
                early.append(message)
            elif "trade_updates" in rows_of(mapping_of(message.get("data")).get("streams")):
                return early
            else:
                raise BrokerError("the broker does not offer trade_updates")

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("stream") != "trade_updates":
            return
        if self._missed:
            self._tell_gap()
        try:
            self._on_report(self._read(message.get("data")))
        except Exception:
            # The desk's own code, or a fact that we cannot read: the stream must go on, and
            # since a fact may be missing now, the desk must ask for what it has missed.
            log.exception("trade updates: a report was not taken in")
            self._missed = True
            self._tell_gap()

    def _tell_gap(self) -> None:
        if not self._missed:
            return
        try:
            self._on_gap()
        except Exception:  # told again before the next report, or in a second
            log.exception("trade updates: the gap was not taken in")
            return
        self._missed = False


def _message(frame: str | bytes) -> dict[str, Any]:
    """Read one frame; raises ``ValueError`` where it holds no JSON object."""
    message = load_json(frame)
    if not isinstance(message, dict):
        raise ValueError("a message that is no object")
    return message
