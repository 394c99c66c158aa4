"""HTTP that knows whether a request's first byte may have left.

Everything that decides between "proven not sent" and "outcome unknown" hangs on one moment: the
write of a request's header to a connected socket. ``_GuardedConnection`` sits exactly there. It
connects first, then asks the caller's guard, then marks the request as gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPConnection as PlainConnection
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from brokers.alpaca.config import AlpacaCredentials, AlpacaTimings
from brokers.types import BeforeSend
from failpoints import failpoint

TRANSPORT_ERRORS = (requests.RequestException, HTTPError, OSError)


class Outgoing:
    """One request on its way."""

    def __init__(self, guard: BeforeSend | None) -> None:
        self._guard = guard
        self.may_have_left = False
        self.refusal: Exception | None = None

    def depart(self) -> None:
        """Ask the guard, then mark the request as gone; raises ``OSError`` if it is forbidden."""
        if self._guard is not None:
            try:
                self._guard()
            except Exception as refusal:  # noqa: BLE001 - raised again by ``raise_refusal``
                self.refusal = refusal
                raise OSError("forbidden by the caller's guard") from None
            failpoint("send.departing")
        self.may_have_left = True

    def raise_refusal(self) -> None:
        """Raise the guard's own exception again, if there was one.

        It has not passed through the HTTP libraries, whose frames hold the secret headers.
        """
        if self.refusal is not None:
            raise self.refusal


_outgoing: ContextVar[Outgoing | None] = ContextVar("alpaca_outgoing", default=None)


@contextmanager
def departing(guard: BeforeSend | None) -> Iterator[Outgoing]:
    """Make this thread's next request tell of its departure to what is yielded."""
    outgoing = Outgoing(guard)
    token = _outgoing.set(outgoing)
    try:
        yield outgoing
    finally:
        _outgoing.reset(token)


class _GuardedConnection(PlainConnection):
    """The place of the guard: connected, header complete, nothing written yet."""

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        if self.sock is None:
            self.connect()
        outgoing = _outgoing.get()
        if outgoing is not None:
            outgoing.depart()
        super().endheaders(message_body, encode_chunked=encode_chunked)


class _GuardedHTTPConnection(_GuardedConnection, HTTPConnection):
    pass


class _GuardedHTTPSConnection(_GuardedConnection, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection


class _GuardedAdapter(HTTPAdapter):
    """Kept-alive connections with a default timeout; retries nothing.

    urllib3 looks before each request whether the peer has closed an idle connection and opens
    another one then. That look is before the guard, so nothing is ever sent twice.
    """

    def __init__(self, timings: AlpacaTimings) -> None:
        self._timeout = (timings.connect_timeout_seconds, timings.read_timeout_seconds)
        self._max_idle_seconds = timings.max_idle_seconds
        self._last_use = time.monotonic()
        super().__init__(pool_connections=2, pool_maxsize=2, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        now = time.monotonic()
        if now - self._last_use > self._max_idle_seconds:
            self.poolmanager.clear()
        self._last_use = now
        return super().send(
            request,
            stream=stream,
            timeout=timeout or self._timeout,
            verify=verify,
            cert=cert,
            proxies=proxies,
        )


class _KeyAuth(AuthBase):
    """Put the key on each request at the last moment, so that no frame of ours holds it."""

    def __init__(self, credentials: AlpacaCredentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["APCA-API-KEY-ID"] = self._credentials.key_id
        request.headers["APCA-API-SECRET-KEY"] = self._credentials.secret
        return request


def open_session(credentials: AlpacaCredentials, timings: AlpacaTimings) -> requests.Session:
    """Build the one session of an account; connects only with its first request.

    ``trust_env`` is off: a proxy or a ``.netrc`` from the environment must not come between the
    desk and a broker unnoticed, and looking for them is a third of requests' own time.
    """
    session = requests.Session()
    session.trust_env = False
    session.auth = _KeyAuth(credentials)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _GuardedAdapter(timings)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
