"""A client of the desk's HTTP: alerts as TradingView sends them, and the API with a key."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 35.0
IDLE_SECONDS = 3.0  # uvicorn closes a connection that has been idle for 5


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; the times are the client's own."""

    status: int
    raw: bytes
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    sent_at: datetime
    ms: float

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object of the answer; {} where there is none."""
        try:
            parsed = json.loads(self.raw)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}


class DeskClient:
    """One connection to one desk, kept open between requests; for one thread.

    ``url`` is where the web process listens. ``public_url`` is the address that it believes to have: a desk in
    production answers only to its own name, and takes what its proxy says for the scheme.
    """

    def __init__(self, url: str, public_url: str = "") -> None:
        parts, public = urlsplit(url), urlsplit(public_url or url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
        self._headers = {
            "Host": public.netloc,
            "X-Forwarded-Proto": public.scheme,
            "Referer": f"{public_url or url}/",
        }
        self._last_use = time.monotonic()

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and read its answer. Raises ``OSError`` or ``http.client.HTTPException``."""
        if time.monotonic() - self._last_use > IDLE_SECONDS:
            self._connection.close()
        sent_at, started = datetime.now(UTC), time.perf_counter()
        self._connection.request(method, path, body, {**self._headers, **(headers or {})})
        response = self._connection.getresponse()
        raw = response.read()
        ms = (time.perf_counter() - started) * 1000
        self._last_use = time.monotonic()
        cookies: SimpleCookie = SimpleCookie()
        for line in response.headers.get_all("Set-Cookie") or ():
            cookies.load(line)
        values = {name: morsel.value for name, morsel in cookies.items()}
        return Answer(response.status, raw, dict(response.headers), values, sent_at, ms)

    def send_alert(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Post an alert to a webhook."""
        return self.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def get(self, path: str, api_key: str = "") -> Answer:
        """Read a page, or with a key a resource of the API."""
        return self.request("GET", path, headers={"Authorization": f"Bearer {api_key}"} if api_key else None)

    def close(self) -> None:
        """Close the connection; another request opens it again."""
        self._connection.close()


def timenow(moment: datetime | None = None) -> str:
    """Write a time as ``{{timenow}}`` does: UTC, to the second."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
