"""The proxy does to a connection what each of its modes says, and nothing else."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.proxy import Proxy
from tests.flows.helpers import wait_until


class Echo(socketserver.ThreadingTCPServer):
    """Answers each line with itself in capitals and remembers what it heard."""

    daemon_threads = True

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        super().__init__(("127.0.0.1", 0), EchoHandler)


class EchoHandler(socketserver.StreamRequestHandler):
    server: Echo

    def handle(self) -> None:
        for line in self.rfile:
            self.server.heard.append(line.strip())
            try:
                self.wfile.write(line.upper())
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy("echo", echo.server_address[1]) as running:
        yield running


def connect(proxy: Proxy) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    client.sendall(b"hello\n")
    assert client.recv(100) == b"HELLO\n"
    return client


def ask(client: socket.socket, line: bytes, seconds: float = 5.0) -> bytes:
    client.settimeout(seconds)
    client.sendall(line + b"\n")
    return client.recv(100)


def test_bytes_pass_both_ways_and_an_end_is_passed_on(proxy: Proxy, echo: Echo) -> None:
    with connect(proxy) as client:
        assert ask(client, b"a") == b"A\n"
        assert proxy.connections == 1
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    wait_until("the connection is gone", lambda: proxy.connections == 0)
    assert echo.heard == [b"hello", b"a"]


def test_large_amounts_pass_whole(proxy: Proxy) -> None:
    body = b"x" * 3_000_000
    with connect(proxy) as client:
        threading.Thread(target=client.sendall, args=(body + b"\n",), daemon=True).start()
        received = b""
        while not received.endswith(b"\n"):
            received += client.recv(65_536)
    assert received == body.upper() + b"\n"


def test_latency_is_added_both_ways_and_ends_with_healing(proxy: Proxy) -> None:
    with connect(proxy) as client:
        proxy.latency(0.15)
        started = time.monotonic()
        assert ask(client, b"a") == b"A\n"
        assert time.monotonic() - started >= 0.3
        proxy.latency(60)
        client.sendall(b"b\n")
        time.sleep(0.1)
        proxy.heal()
        assert client.recv(100) == b"B\n"  # what was held back comes at once


def test_reset_cuts_what_is_connected_and_nothing_later(proxy: Proxy) -> None:
    with connect(proxy) as client:
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(100)
    connect(proxy).close()


def test_a_black_hole_swallows_and_closes_nothing_until_it_heals(proxy: Proxy, echo: Echo) -> None:
    untouched = connect(proxy)
    client = connect(proxy)
    proxy.black_hole()
    newcomer = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    for each in (client, newcomer):
        with pytest.raises(TimeoutError):
            ask(each, b"lost", seconds=0.2)
    proxy.heal()
    for each in (client, newcomer):  # bytes are missing: going on would be nonsense
        with pytest.raises(ConnectionResetError):
            each.recv(100)
        each.close()
    assert ask(untouched, b"still here") == b"STILL HERE\n"
    untouched.close()
    assert b"lost" not in echo.heard


def test_half_closed_towards_the_client_still_hears_it(proxy: Proxy, echo: Echo) -> None:
    with connect(proxy) as client:
        proxy.half_close()
        assert client.recv(100) == b""
        client.sendall(b"one way\n")
        wait_until("the server has heard", lambda: b"one way" in echo.heard)


def test_half_closed_towards_the_server_ends_the_connection_there(proxy: Proxy) -> None:
    with connect(proxy) as client:
        proxy.half_close(to_server=True)
        assert client.recv(100) == b""  # the server has seen the end and closed


def test_a_dropped_response_is_of_a_request_that_went_through(proxy: Proxy, echo: Echo) -> None:
    other, client = connect(proxy), connect(proxy)
    proxy.drop_response(containing=b"order")
    assert ask(other, b"quote") == b"QUOTE\n"
    with pytest.raises(ConnectionResetError):
        ask(client, b"order 1")
    assert echo.heard[-1] == b"order 1"
    assert ask(other, b"order 2") == b"ORDER 2\n"  # it strikes once
    for each in (other, client):
        each.close()


def test_late_bytes_arrive_although_their_sender_has_hung_up(proxy: Proxy, echo: Echo) -> None:
    with connect(proxy) as client:
        proxy.late(0.4)
        with pytest.raises(TimeoutError):
            ask(client, b"late", seconds=0.1)
    time.sleep(0.1)
    assert b"late" not in echo.heard
    wait_until("the bytes have arrived", lambda: b"late" in echo.heard, seconds=2)
    wait_until("the connection is gone", lambda: proxy.connections == 0, seconds=2)


def test_nobody_listens_while_the_server_is_away(tmp_path: Path) -> None:
    with Proxy("unix", tmp_path / "s") as proxy:
        port = proxy.port
        assert cut(proxy)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
        with listening(tmp_path / "s") as server:
            server.accept()[0].close()  # the proxy has looked whether somebody is there
            with wait_until("the proxy listens again", lambda: connected(proxy)) as client:
                served, _ = server.accept()
                client.sendall(b"x")
                assert served.recv(10) == b"x"
                served.close()
                assert client.recv(10) == b""
        assert proxy.port == port


def test_connections_outlive_a_server_that_listens_no_more(tmp_path: Path) -> None:
    with Proxy("unix", tmp_path / "s") as proxy, contextlib.ExitStack() as stack:
        server = stack.enter_context(listening(tmp_path / "s"))
        client = stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port), timeout=5))
        served, _ = server.accept()
        server.close()
        assert cut(proxy)
        (tmp_path / "s").unlink()
        stack.enter_context(listening(tmp_path / "s"))
        stack.enter_context(wait_until("the proxy listens again", lambda: connected(proxy)))
        client.sendall(b"x")
        assert served.recv(10) == b"x"
        served.close()


def test_it_listens_on_a_socket_too(echo: Echo, tmp_path: Path) -> None:
    with (
        Proxy("echo", echo.server_address[1], listen=tmp_path / "s"),
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.connect(str(tmp_path / "s"))
        assert ask(client, b"a") == b"A\n"


def listening(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


def cut(proxy: Proxy) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
            return client.recv(10) == b""
    except ConnectionResetError:
        return True


def connected(proxy: Proxy) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    except ConnectionRefusedError:
        return None
