"""The broker protocol on Alpaca's API, for live accounts and for the paper exchange alike."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from brokers.alpaca import parse, requests_of, values
from brokers.alpaca.answers import DuplicateClOrdId, NotFound
from brokers.alpaca.capabilities import CAPABILITIES
from brokers.alpaca.client import AlpacaClient
from brokers.alpaca.config import AlpacaCredentials, AlpacaEndpoints, AlpacaTimings
from brokers.alpaca.history import list_activity_rows, list_fills, list_order_rows, readable
from brokers.alpaca.instruments import ACTIVE_EQUITIES, parse_instrument
from brokers.alpaca.known import KnownOrders
from brokers.alpaca.stream import AlpacaStream
from brokers.errors import BrokerError, MarketClosed, OutcomeUnknown
from brokers.types import (
    AccountReport,
    BeforeSend,
    CancelOrder,
    Capabilities,
    CorporateAction,
    ExecutionReport,
    InstrumentReport,
    NewOrder,
    OnReport,
    PositionReport,
    Quote,
    ReplaceOrder,
)
from failpoints import failpoint

log = logging.getLogger(__name__)

WITH_LEGS = {"nested": "true"}


class AlpacaAdapter:
    """One Alpaca account. One thread may use it, besides those of its streams."""

    def __init__(
        self,
        credentials: AlpacaCredentials,
        endpoints: AlpacaEndpoints,
        timings: AlpacaTimings | None = None,
        capabilities: Capabilities = CAPABILITIES,
    ) -> None:
        self._credentials = credentials
        self._endpoints = endpoints
        self._timings = timings or AlpacaTimings()
        self._client = AlpacaClient(credentials, endpoints, self._timings)
        self._known = KnownOrders()
        self._capabilities = capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def connect(self) -> None:
        """Prove the credentials by reading the account; leaves a connection open for orders."""
        self.account()

    def submit_order(self, order: NewOrder, *, before_send: BeforeSend) -> ExecutionReport:
        """Send a new order once.

        Where the broker has an order of this client order id already, that order's state is the
        answer: it can only be this one, sent earlier with an outcome that stayed unknown.
        """
        body = requests_of.new_order(order)
        return self._send_order(
            lambda: self._client.post("/orders", body, before_send=before_send), order.cl_ord_id
        )

    def replace_order(self, request: ReplaceOrder, *, before_send: BeforeSend) -> ExecutionReport:
        """Ask for a change; the report is of the order that takes the old one's place."""
        path = f"/orders/{requests_of.order_id(request.broker_order_id)}"
        body = requests_of.replacement(request)
        return self._send_order(
            lambda: self._client.patch(path, body, before_send=before_send), request.cl_ord_id
        )

    def cancel_order(self, request: CancelOrder, *, before_send: BeforeSend) -> None:
        """Ask for a cancel; whether it is canceled, the stream or a look-up tells."""
        self._client.cancel_order_by_id(request.broker_order_id, before_send=before_send)

    def get_order(self, cl_ord_id: str) -> ExecutionReport | None:
        try:
            row = self._client.get("/orders:by_client_order_id", {"client_order_id": cl_ord_id})
            if values.misses_legs(row):
                row = self._client.get(f"/orders/{values.id_of(row)}", WITH_LEGS)
        except NotFound:
            return None
        return self._remember(parse.parse_order(row), cl_ord_id)

    def get_order_by_broker_id(self, broker_order_id: str) -> ExecutionReport | None:
        try:
            path = f"/orders/{requests_of.order_id(broker_order_id)}"
        except ValueError:
            return None  # Alpaca's ids are UUIDs
        try:
            row = self._client.get(path)
            if values.misses_legs(row):
                row = self._client.get(path, WITH_LEGS)
        except NotFound:
            return None
        report = parse.parse_order(row)
        if report.broker_order_id != requests_of.order_id(broker_order_id):
            raise OutcomeUnknown("the broker answered with another order")
        return self._known.remember(report)

    def list_orders(
        self, *, since: datetime, cl_ord_ids: Sequence[str] | None = None
    ) -> list[ExecutionReport]:
        """List orders submitted since then, oldest first; others than ``cl_ord_ids`` are left out.

        An id that is missing from the answer is no proof that there is no such order: one whose row cannot be
        read is missing too.
        """
        wanted = None if cl_ord_ids is None else frozenset(cl_ord_ids)
        rows = list_order_rows(self._client, since)
        named = readable(rows, lambda row: (values.client_order_id_of(row), row))
        own = [row for cl_ord_id, row in named if wanted is None or cl_ord_id in wanted]
        return [self._known.remember(report) for report in readable(own, parse.parse_order)]

    def list_executions(self, *, since: datetime) -> list[ExecutionReport]:
        """List fills, their corrections and busts since then, oldest first; see ``parse.parse_fill`` about ids."""
        return list_fills(self._client, self._known, since)

    def list_positions(self) -> list[PositionReport]:
        rows = values.rows_of(self._client.get("/positions"))
        return [parse.parse_position(row) for row in rows]

    def list_corporate_actions(self, *, since: datetime) -> list[CorporateAction]:
        """List splits since then, oldest first; one whose row cannot be read is left out."""
        return readable(list_activity_rows(self._client, "SPLIT", since), parse.parse_split)

    def account(self) -> AccountReport:
        return parse.parse_account(self._client.get("/account"))

    def quote(self, symbol: str) -> Quote:
        answer = self._client.get_data("/stocks/quotes/latest", {"symbols": symbol})
        return parse.parse_quote(answer, symbol)

    def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """Return the latest quotes in one call; what the broker has none of, or none readable, is left out.

        Pairs and options have a data API of their own, which this adapter does not read.
        """
        wanted = sorted({symbol for symbol in symbols if requests_of.is_share(symbol)})
        if not wanted:
            return []
        answer = self._client.get_data("/stocks/quotes/latest", {"symbols": ",".join(wanted)})
        quoted = parse.quoted_symbols(answer).intersection(wanted)
        return readable(sorted(quoted), lambda symbol: parse.parse_quote(answer, symbol))

    def list_instruments(self) -> list[InstrumentReport]:
        """List the US equities that are active, some twelve thousand at Alpaca, in one answer of several MB."""
        rows = values.rows_of(self._client.get("/assets", dict(ACTIVE_EQUITIES)))
        return readable(rows, parse_instrument)

    def stream(self, *, on_report: OnReport, on_gap: Callable[[], None]) -> AlpacaStream:
        """Start listening to ``trade_updates`` in a thread of its own."""
        return AlpacaStream(
            self._endpoints.stream_url,
            self._credentials,
            self._timings,
            read=lambda data: self._known.remember(parse.parse_trade_update(data)),
            on_report=on_report,
            on_gap=on_gap,
        )

    def close(self) -> None:
        """Close the connections; streams are closed by whoever opened them."""
        self._client.close()

    def _send_order(self, send: Callable[[], Any], cl_ord_id: str) -> ExecutionReport:
        try:
            return self._remember(parse.parse_submitted(send()), cl_ord_id)
        except DuplicateClOrdId:
            return self._duplicate_of(cl_ord_id)
        except MarketClosed as refusal:
            raise MarketClosed(str(refusal), next_open=self._next_open()) from None

    def _duplicate_of(self, cl_ord_id: str) -> ExecutionReport:
        failpoint("send.duplicate")
        try:
            report = self.get_order(cl_ord_id)
        except BrokerError as error:
            # Whatever kind it is: nothing may say "not sent" of an order that is there.
            raise OutcomeUnknown(f"the order is at the broker, its state is not known: {error}") from None
        if report is None:
            raise OutcomeUnknown("the broker has this client order id and does not find its order")
        return report

    def _next_open(self) -> datetime | None:
        try:
            return parse.parse_next_open(self._client.get("/clock"))
        except BrokerError:
            log.warning("the broker's clock could not be read")
            return None

    def _remember(self, report: ExecutionReport, cl_ord_id: str) -> ExecutionReport:
        if report.cl_ord_id != cl_ord_id:
            raise OutcomeUnknown("the broker answered with another order")
        return self._known.remember(report)
