"""The stream against a WebSocket server that a test leads by the hand."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from brokers.alpaca import stream as stream_module
from brokers.alpaca.adapter import AlpacaAdapter
from brokers.alpaca.config import AlpacaCredentials, AlpacaEndpoints, AlpacaTimings
from brokers.alpaca.stream import AlpacaStream
from brokers.types import ExecutionReport
from tests.brokers.conftest import KEY_ID, SECRET
from tests.brokers.payloads import order

WAIT_SECONDS = 5.0


class StreamServer:
    """Authorize and acknowledge like Alpaca, then send what the test puts in."""

    def __init__(self) -> None:
        self.connections: queue.Queue[ServerConnection] = queue.Queue()
        self.logins: list[Any] = []
        self.refuse = 0
        self.before_ack: list[str] = []
        self._server: Server = serve(self._handle, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/stream"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _handle(self, connection: ServerConnection) -> None:
        try:
            self.logins.append(json.loads(connection.recv()))
            status = "unauthorized" if self.refuse else "authorized"
            reply = {"stream": "authorization", "data": {"status": status, "action": "authenticate"}}
            connection.send(json.dumps(reply).encode())
            if self.refuse:
                self.refuse -= 1
                return
            wish = json.loads(connection.recv())
            for frame in self.before_ack:
                connection.send(frame)
            connection.send(json.dumps({"stream": "listening", "data": wish["data"]}).encode())
            self.connections.put(connection)
            for _ in connection:
                pass
        except ConnectionClosed:
            pass


class Desk:
    """Note everything that the stream tells, in its order."""

    def __init__(self) -> None:
        self.told: queue.Queue[str] = queue.Queue()
        self.fail_reports = 0
        self.fail_gaps = 0

    def on_report(self, report: ExecutionReport) -> None:
        if self.fail_reports:
            self.fail_reports -= 1
            raise RuntimeError("database down")
        self.told.put(report.cl_ord_id)

    def on_gap(self) -> None:
        if self.fail_gaps:
            self.fail_gaps -= 1
            raise RuntimeError("database down")
        self.told.put("gap")

    def next(self) -> str:
        return self.told.get(timeout=WAIT_SECONDS)


@pytest.fixture
def server() -> Iterator[StreamServer]:
    server = StreamServer()
    yield server
    server.stop()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def open_stream(desk: Desk) -> Iterator[Callable[..., AlpacaStream]]:
    opened: list[AlpacaStream] = []

    def open_stream(url: str, **timings: float) -> AlpacaStream:
        adapter = AlpacaAdapter(
            AlpacaCredentials(KEY_ID, SECRET),
            AlpacaEndpoints("http://127.0.0.1:1", "http://127.0.0.1:1", url),
            AlpacaTimings(**{"backoff_min_seconds": 0.02, **timings}),
        )
        stream = adapter.stream(on_report=desk.on_report, on_gap=desk.on_gap)
        opened.append(stream)
        adapter.close()
        return stream

    yield open_stream
    for stream in opened:
        stream.close()


def update(name: str, **changes: Any) -> str:
    data = {
        "event": "new",
        "timestamp": "2021-03-16T18:38:02Z",
        "order": order(client_order_id=name, **changes),
    }
    return json.dumps({"stream": "trade_updates", "data": data})


def test_logs_in_and_tells_reports_in_order(
    server: StreamServer, desk: Desk, open_stream: Callable[..., AlpacaStream]
) -> None:
    stream = open_stream(server.url)
    assert stream.wait_live(WAIT_SECONDS)
    assert stream.is_live
    connection = server.connections.get(timeout=WAIT_SECONDS)
    for number in range(50):
        frame = update(f"c{number}")
        connection.send(frame.encode() if number % 2 else frame)
    assert [desk.next() for _ in range(50)] == [f"c{number}" for number in range(50)]
    assert server.logins == [{"action": "authenticate", "data": {"key_id": KEY_ID, "secret_key": SECRET}}]


def test_a_gap_is_told_before_what_follows_it(
    server: StreamServer, desk: Desk, open_stream: Callable[..., AlpacaStream]
) -> None:
    stream = open_stream(server.url)
    first = server.connections.get(timeout=WAIT_SECONDS)
    server.before_ack = [update("early")]
    first.close()
    second = server.connections.get(timeout=WAIT_SECONDS)
    second.send(update("late"))
    assert [desk.next() for _ in range(3)] == ["gap", "early", "late"]
    assert stream.wait_live(WAIT_SECONDS)


def test_no_gap_at_the_first_connection(
    server: StreamServer, desk: Desk, open_stream: Callable[..., AlpacaStream]
) -> None:
    open_stream(server.url)
    server.connections.get(timeout=WAIT_SECONDS).send(update("first"))
    assert desk.next() == "first"


def test_a_start_that_took_long_is_a_gap(
    server: StreamServer, desk: Desk, open_stream: Callable[..., AlpacaStream]
) -> None:
    server.refuse = 2
    stream = open_stream(server.url)
    assert stream.wait_live(WAIT_SECONDS)
    assert desk.next() == "gap"
    assert len(server.logins) == 3


def test_an_error_in_the_desk_does_not_end_the_stream(
    server: StreamServer,
    desk: Desk,
    open_stream: Callable[..., AlpacaStream],
    caplog: pytest.LogCaptureFixture,
) -> None:
    open_stream(server.url)
    connection = server.connections.get(timeout=WAIT_SECONDS)
    desk.fail_reports = 1
    desk.fail_gaps = 1
    connection.send(update("lost"))
    connection.send(update("next"))
    assert [desk.next(), desk.next()] == ["gap", "next"]
    assert "database down" in caplog.text


def test_a_gap_that_could_not_be_told_is_told_though_nothing_follows_it(
    server: StreamServer,
    desk: Desk,
    open_stream: Callable[..., AlpacaStream],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "GAP_RETRY_SECONDS", 0.05)
    stream = open_stream(server.url)
    connection = server.connections.get(timeout=WAIT_SECONDS)
    desk.fail_reports, desk.fail_gaps = 1, 3
    connection.send(update("lost"))
    assert desk.next() == "gap"
    assert stream.is_live
    connection.send(update("next"))
    assert desk.next() == "next"
    assert server.connections.empty()


def test_a_gap_that_could_not_be_told_when_the_stream_came_back_is_told_soon(
    server: StreamServer,
    desk: Desk,
    open_stream: Callable[..., AlpacaStream],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "GAP_RETRY_SECONDS", 0.05)
    open_stream(server.url)
    desk.fail_gaps = 2
    server.connections.get(timeout=WAIT_SECONDS).close()
    assert desk.next() == "gap"


@pytest.mark.parametrize("bad", [update("c", status="levitating"), '{"stream":"trade_updates"}'])
def test_a_fact_that_cannot_be_read_is_a_gap(
    server: StreamServer, desk: Desk, open_stream: Callable[..., AlpacaStream], bad: str
) -> None:
    open_stream(server.url)
    connection = server.connections.get(timeout=WAIT_SECONDS)
    connection.send(bad)
    connection.send(update("next"))
    assert [desk.next(), desk.next()] == ["gap", "next"]


@pytest.mark.parametrize("bad", ["{", "[]", b"\xff\xfe", "5"])
def test_a_frame_that_is_no_message_leads_to_a_new_connection(
    server: StreamServer, desk: Desk, open_stream: Callable[..., AlpacaStream], bad: str | bytes
) -> None:
    open_stream(server.url)
    server.connections.get(timeout=WAIT_SECONDS).send(bad)
    server.connections.get(timeout=WAIT_SECONDS).send(update("next"))
    assert [desk.next(), desk.next()] == ["gap", "next"]


def test_silence_is_noticed(
    server: StreamServer, desk: Desk, open_stream: Callable[..., AlpacaStream]
) -> None:
    """A peer that is gone without a word answers no ping."""
    stream = open_stream(server.url, ping_interval_seconds=0.1, ping_timeout_seconds=0.2)
    connection = server.connections.get(timeout=WAIT_SECONDS)
    connection.protocol.receive_data = lambda data: None  # type: ignore[method-assign]
    assert desk.next() == "gap"
    assert stream.wait_live(WAIT_SECONDS)


def test_a_stream_that_is_renewed_connects_anew_and_tells_the_gap(
    server: StreamServer, desk: Desk, open_stream: Callable[..., AlpacaStream]
) -> None:
    stream = open_stream(server.url)
    assert stream.wait_live(WAIT_SECONDS)
    server.connections.get(timeout=WAIT_SECONDS)
    stream.renew()
    server.connections.get(timeout=WAIT_SECONDS).send(update("after"))
    assert [desk.next() for _ in range(2)] == ["gap", "after"]
    assert len(server.logins) == 2


def test_closes_at_once_and_twice(server: StreamServer, open_stream: Callable[..., AlpacaStream]) -> None:
    stream = open_stream(server.url)
    assert stream.wait_live(WAIT_SECONDS)
    began = time.monotonic()
    stream.close()
    stream.close()
    assert time.monotonic() - began < 1.0
    assert not stream.is_live
    assert not any(thread.name == "trade-updates" for thread in threading.enumerate())


def test_closes_while_nobody_answers(open_stream: Callable[..., AlpacaStream]) -> None:
    stream = open_stream("ws://127.0.0.1:1/stream", backoff_min_seconds=5.0)
    assert not stream.wait_live(0.1)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 1.0


def test_the_secret_is_not_logged(
    server: StreamServer,
    desk: Desk,
    open_stream: Callable[..., AlpacaStream],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.refuse = 1
    stream = open_stream(server.url)
    assert stream.wait_live(WAIT_SECONDS)
    server.connections.get(timeout=WAIT_SECONDS).send("{")
    server.connections.get(timeout=WAIT_SECONDS)
    ours = [record for record in caplog.records if not record.name.startswith("websockets.server")]
    text = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in ours)
    assert "lost" in text
    # Frames are logged with their middle left out, so a part of the secret is looked for.
    assert SECRET[-8:] not in text
    assert KEY_ID not in text
