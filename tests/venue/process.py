"""Running a venue as its own process, and talking to it as a client would."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from websockets.sync.client import ClientConnection, connect

from venue.migrate import migrate

TOKEN = "test-admin-token"
CHECKOUT = Path(__file__).resolve().parents[2]


def eventually(check: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Return the first true value of a check; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


class VenueProcess:
    """One venue process on a port of its own; it can be killed and started again."""

    def __init__(self, database_url: str, **settings: str) -> None:
        migrate(database_url)
        self.database_url = database_url
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.stream_url = f"ws://127.0.0.1:{self.port}/stream"
        self._settings = {
            "VENUE_DATABASE_URL": database_url,
            "VENUE_ADMIN_TOKEN": TOKEN,
            "VENUE_CONTROL": "1",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it answers."""
        command = [sys.executable, "-m", "uvicorn", "venue.asgi:application", "--no-access-log"]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning"]
        # Its log goes to pytest's captured output: a failing test shows it.
        self._process = subprocess.Popen(command, cwd=CHECKOUT, env={**os.environ, **self._settings})
        eventually(self._answers, 30)

    def kill(self) -> None:
        """End the process as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> int:
        """Ask the process to end, and return its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(20)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call an admin or control endpoint that must succeed."""
        response = requests.request(
            method, self.url + path, json=body, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
        )
        assert response.ok, response.text
        return response.json()

    def price(self, symbol: str, bid: str, ask: str | None = None) -> None:
        """Pin a symbol's quote."""
        self.control("POST", "/control/prices", {"symbol": symbol, "bid": bid, "ask": ask or bid})

    def fault(self, kind: str, trader: Trader, *, count: int | None = None, **rest: Any) -> Any:
        """Order a fault for one trader; ``match`` adds to whom it strikes."""
        match = {"account_id": trader.account_id, **rest.pop("match", {})}
        rule = {"match": match, "fault": {"kind": kind, **rest}, "count": count}
        return self.control("POST", "/control/faults", rule)

    def trader(self, **settings: Any) -> Trader:
        """Make an account."""
        made = self.control("POST", "/admin/accounts", {"count": 1, "cash": 100_000, **settings})
        return Trader(self, **made[0])

    def ledger(self, trader: Trader) -> list[dict[str, Any]]:
        """Read a trader's ledger."""
        path = f"/admin/ledger?account_id={trader.account_id}&limit=10000"
        rows: list[dict[str, Any]] = self.control("GET", path)["rows"]
        return rows

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the venue ended while it started"
        try:
            return requests.get(self.url + "/healthz", timeout=2).ok
        except requests.ConnectionError:
            return False


class Trader:
    """One account's keys, and calls made with them."""

    def __init__(
        self, venue: VenueProcess, account_id: str, account_number: str, key_id: str, secret: str
    ) -> None:
        self.venue, self.account_id, self.account_number = venue, account_id, account_number
        self.key_id, self.secret = key_id, secret
        self._session = requests.Session()
        self._session.headers.update({"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret})

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> requests.Response:
        """Send a request and return whatever comes back."""
        return self._session.request(method, self.venue.url + path, json=body, params=params, timeout=10)

    def get(self, path: str, **params: Any) -> Any:
        """Read something that must be there."""
        response = self.call("GET", path, **params)
        assert response.status_code == 200, response.text
        return response.json()

    def submit(self, side: str = "buy", qty: Any = "10", **rest: Any) -> requests.Response:
        """Send an AAPL market order for the day, unless told otherwise."""
        body = {"symbol": "AAPL", "side": side, "qty": qty, "type": "market", "time_in_force": "day", **rest}
        return self.call(
            "POST", "/v2/orders", {name: value for name, value in body.items() if value is not None}
        )

    def order(self, side: str = "buy", qty: Any = "10", **rest: Any) -> dict[str, Any]:
        """Send an order that must be accepted."""
        response = self.submit(side, qty, **rest)
        assert response.status_code == 200, response.text
        order: dict[str, Any] = response.json()
        return order

    def settled(self, order_id: str, status: str = "filled") -> dict[str, Any]:
        """Wait until an order has a status."""

        def look() -> dict[str, Any] | None:
            order: dict[str, Any] = self.get(f"/v2/orders/{order_id}")
            return order if order["status"] == status else None

        found: dict[str, Any] = eventually(look)
        return found

    def filled(self, side: str = "buy", qty: Any = "10", **rest: Any) -> dict[str, Any]:
        """Send an order and wait until it is filled."""
        return self.settled(self.order(side, qty, **rest)["id"])

    @contextmanager
    def stream(self) -> Iterator[Events]:
        """Listen to the account's trade updates."""
        with connect(self.venue.stream_url) as connection:
            events = Events(connection)
            events.send({"action": "auth", "key": self.key_id, "secret": self.secret})
            assert events.receive()["data"]["status"] == "authorized"
            events.send({"action": "listen", "data": {"streams": ["trade_updates"]}})
            assert events.receive() == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
            yield events


class Events:
    """The client's end of a stream."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def send(self, message: Any) -> None:
        """Send a JSON message."""
        self._connection.send(json.dumps(message))

    def receive(self, seconds: float = 5.0) -> dict[str, Any]:
        """Return the next message; raises TimeoutError when none comes. Frames are binary."""
        frame = self._connection.recv(timeout=seconds)
        assert isinstance(frame, bytes)
        message: dict[str, Any] = json.loads(frame)
        return message

    def take(self, count: int) -> list[dict[str, Any]]:
        """Return the data of the next trade updates."""
        return [self.receive()["data"] for _ in range(count)]


def new_id() -> str:
    """Return a client order id."""
    return uuid4().hex


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
