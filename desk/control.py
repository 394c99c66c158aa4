"""The control socket: one JSON line in, one JSON line out, on a Unix socket in the private run folder."""

import json
import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from desk.errors import DeskError

Handler = Callable[[dict[str, Any]], dict[str, Any]]
MAX_REQUEST_BYTES = 4096


class ControlServer:
    """Serves `handler` on a socket while the context lasts; each request in a thread of its own."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        path.unlink(missing_ok=True)

        class RequestHandler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                answer = _answer(handler, self.rfile.readline(MAX_REQUEST_BYTES))
                try:
                    self.wfile.write(json.dumps(answer).encode() + b"\n")
                except OSError:
                    return  # the client did not wait for the answer

        self._server = _Server(str(path), RequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self) -> "ControlServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False


def _answer(handler: Handler, line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
        if not isinstance(request, dict):
            raise DeskError("a request is a JSON object.")
        return handler(request)
    except ValueError:
        return {"error": "a request is one line of JSON."}
    except DeskError as error:
        return {"error": str(error)}


def ask(path: Path, request: dict[str, Any], timeout_seconds: float = 120.0) -> dict[str, Any]:
    """Send one request to a running supervisor and return its answer.

    Raises DeskError with the supervisor's own words, ConnectionError when no supervisor listens.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout_seconds)
        try:
            client.connect(str(path))
        except OSError as error:
            raise ConnectionError(f"no desk listens on {path}") from error
        client.sendall(json.dumps(request).encode() + b"\n")
        with client.makefile("rb") as answer_file:
            line = answer_file.readline()
    if not line:
        raise ConnectionError("the desk went away before it answered")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise DeskError(answer["error"])
    return answer
