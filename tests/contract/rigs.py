"""What the contract suite asks of each broker's stand-in, in words that fit every broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Protocol

from brokers import registry
from brokers.base import BrokerAdapter
from brokers.paper.ledger import read_ledger
from brokers.registry import AdapterOptions
from tests.fixtures.venue_process import VenueProcess

READ_TIMEOUT_SECONDS = 0.6


class Rig(Protocol):
    """One account at a broker that does as it is told; faults strike the next order only."""

    broker: str
    symbol: str

    def open_adapter(self, *, wrong_secret: bool = False) -> BrokerAdapter: ...

    def set_price(self, price: str) -> None: ...

    def orders_accepted(self, cl_ord_id: str) -> int:
        """Count in the broker's own books; the adapter has no part in it."""
        ...

    def answer_late(self) -> None:
        """Accept, and answer after the adapter's time-out."""
        ...

    def lose_answer(self) -> None:
        """Accept, and drop the connection instead of an answer."""
        ...

    def drop_request(self) -> None:
        """Drop the connection before anything is accepted."""
        ...

    def fail(self, *, accepted: bool) -> None:
        """Answer with a server error, before or after accepting."""
        ...

    def slow_down(self, retry_after_seconds: int) -> None: ...

    def refuse(self, message: str) -> None: ...

    def fill_in_parts(self, *qtys: str) -> None: ...

    def cut_streams(self) -> None: ...

    @contextmanager
    def unreachable(self) -> Iterator[None]: ...


class PaperRig:
    """The paper exchange: the Alpaca adapter over HTTP against a real venue process."""

    def __init__(self, venue: VenueProcess, symbol: str, broker: str = "paper") -> None:
        self.broker = broker
        self._venue = venue
        self._account = venue.create_account(unique_client_order_ids=broker == "paper")
        self.symbol = symbol
        self.set_price("100")

    def open_adapter(self, *, wrong_secret: bool = False) -> BrokerAdapter:
        secret = self._account["secret"]
        keys = {"key_id": self._account["key_id"], "secret": "x" + secret if wrong_secret else secret}
        options = AdapterOptions(
            venue_url=self._venue.base_url,
            connect_timeout_seconds=1.0,
            read_timeout_seconds=READ_TIMEOUT_SECONDS,
        )
        return registry.open_adapter(self.broker, keys, options)

    def set_price(self, price: str) -> None:
        self._venue.set_price(self.symbol, price)

    def orders_accepted(self, cl_ord_id: str) -> int:
        view = read_ledger(self._venue.conninfo, [self._account["account_id"]])
        return len(view.by_client_order_id().get((self._account["account_id"], cl_ord_id), []))

    def answer_late(self) -> None:
        self._fault("delay_after_ms", ms=int(READ_TIMEOUT_SECONDS * 2000))

    def lose_answer(self) -> None:
        self._fault("drop_response_after_accepting")

    def drop_request(self) -> None:
        self._fault("drop_before_accepting")

    def fail(self, *, accepted: bool) -> None:
        self._fault("error_after" if accepted else "error_before", status=503)

    def slow_down(self, retry_after_seconds: int) -> None:
        self._fault("rate_limit", retry_after=retry_after_seconds)

    def refuse(self, message: str) -> None:
        self._fault("refuse", message=message)

    def fill_in_parts(self, *qtys: str) -> None:
        self._fault("fill_plan", fills=[{"qty": qty} for qty in qtys])

    def cut_streams(self) -> None:
        self._venue.disconnect_streams(self._account["account_id"])

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        self._venue.stop()
        try:
            yield
        finally:
            self._venue.start()

    def reject(self, reason: str) -> None:
        """Accept the next order, and reject it afterwards."""
        self._fault("reject", reason=reason)

    def control(self, path: str, **body: Any) -> None:
        """Call a control endpoint of the exchange."""
        self._venue.request("POST", f"/control/{path}", body)

    def set_flags(self, **flags: Any) -> None:
        """Change the account."""
        self._venue.request("PATCH", f"/control/accounts/{self._account['account_id']}", flags)

    def _fault(self, kind: str, **params: Any) -> None:
        match = {"account_id": self._account["account_id"], "method": "POST", "path": "/v2/orders"}
        self._venue.add_fault(kind, match=match, **params)


def decimals(*texts: str) -> list[Decimal]:
    """Read several numbers."""
    return [Decimal(text) for text in texts]
