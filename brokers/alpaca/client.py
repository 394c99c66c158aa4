"""Alpaca's HTTP API through its own SDK, with our transport underneath.

The SDK's clients keep what they are good at (paths, versions, verbs, parameters); their sending
is replaced, since it has no timeout and repeats a POST after a 504.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alpaca.common.rest import RESTClient
from alpaca.common.utils import get_default_user_agent
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.trading.client import TradingClient

from brokers.alpaca.answers import failure_of, load_json
from brokers.alpaca.config import AlpacaCredentials, AlpacaEndpoints, AlpacaTimings
from brokers.alpaca.pacing import Pace
from brokers.alpaca.transport import TRANSPORT_ERRORS, Outgoing, departing, open_session
from brokers.errors import BrokerError, BrokerUnavailable, OutcomeUnknown
from brokers.types import BeforeSend

# The SDK insists on keys of its own; the true ones are put on by the session (see transport).
_HELD_BY_THE_SESSION = "held-by-the-session"


class _OneAttempt(RESTClient):
    """Send each request once and tell apart what the answer proves."""

    outgoing: Outgoing
    is_command: bool

    def _get_default_headers(self) -> dict[str, str]:
        return {"User-Agent": get_default_user_agent()}

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        cause = ""
        try:
            response = self._session.request(method, url, **opts)
        except TRANSPORT_ERRORS as error:
            cause = type(error).__name__
        # Raised outside of the except block: the exceptions of the HTTP libraries carry the
        # request with its headers, and would come along as our error's context.
        if cause:
            self.outgoing.raise_refusal()
            raise self._transport_failure(cause)
        if not 200 <= response.status_code < 300:
            raise failure_of(response, is_command=self.is_command)
        if not response.content:
            return None
        try:
            return load_json(response.content)
        except ValueError:
            cause = f"HTTP {response.status_code} with an unreadable body"
        raise OutcomeUnknown(cause)

    def _transport_failure(self, cause: str) -> BrokerError:
        if self.outgoing.may_have_left:
            return OutcomeUnknown(f"no answer: {cause}")
        return BrokerUnavailable(f"no connection: {cause}")


class _Trading(_OneAttempt, TradingClient):
    pass


class _Data(_OneAttempt, StockHistoricalDataClient):
    pass


class AlpacaClient:
    """One account's requests: paced, sent at most once, answered with plain JSON values.

    Every method raises the errors of ``brokers.errors`` and nothing else but what the guard
    raises.
    """

    def __init__(
        self, credentials: AlpacaCredentials, endpoints: AlpacaEndpoints, timings: AlpacaTimings
    ) -> None:
        self._pace = Pace(timings.requests_per_minute)
        self._session = open_session(credentials, timings)
        key = _HELD_BY_THE_SESSION
        self._trading = _Trading(key, key, raw_data=True, url_override=endpoints.trading_url)
        self._data = _Data(key, key, raw_data=True, url_override=endpoints.data_url)
        for rest in (self._trading, self._data):
            rest._session.close()
            rest._session = self._session

    def post(self, path: str, body: dict[str, Any], *, before_send: BeforeSend) -> Any:
        """Send a command that creates something."""
        with self._departing(self._trading, before_send, is_command=True):
            return self._trading.post(path, body)

    def patch(self, path: str, body: dict[str, Any], *, before_send: BeforeSend) -> Any:
        """Send a command that changes something."""
        with self._departing(self._trading, before_send, is_command=True):
            return self._trading.patch(path, body)

    def cancel_order_by_id(self, broker_order_id: str, *, before_send: BeforeSend) -> None:
        """Send a cancel; raises ``ValueError`` where the id is no UUID.

        The SDK's own method, for its check: with an empty id the path would be the one that
        cancels *every* order of the account.
        """
        with self._departing(self._trading, before_send, is_command=True):
            self._trading.cancel_order_by_id(broker_order_id)

    def get(self, path: str, params: dict[str, Any] | None = None) -> Any:
        """Read from the trading API; raises ``NotFound`` on a proven 404."""
        with self._departing(self._trading, None, is_command=False):
            return self._trading.get(path, params)

    def get_data(self, path: str, params: dict[str, Any]) -> Any:
        """Read from the market data API."""
        with self._departing(self._data, None, is_command=False):
            return self._data.get(path, params)

    def close(self) -> None:
        """Close the connections; calling it twice is safe."""
        self._session.close()

    @contextmanager
    def _departing(self, rest: _OneAttempt, guard: BeforeSend | None, *, is_command: bool) -> Iterator[None]:
        self._pace.take(is_command=is_command)
        with departing(guard) as outgoing:
            rest.outgoing = outgoing
            rest.is_command = is_command
            yield
