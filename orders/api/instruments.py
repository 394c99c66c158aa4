"""What there is to trade, over the API."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.catalog import broker_names
from brokers.models import BrokerAccount, Instrument
from orders.api.orders import PROBLEM
from orders.api.pagination import OrderCursorPagination
from orders.api.queries import Filters, read_filters
from orders.instruments import resembles
from orders.intake.fields import BadValue, FieldCode, to_ticker, to_word
from orders.rendering import instrument_json

_FLAGS = {"1": Q(tradable=True), "0": Q(tradable=False)}
_BROKERS = {name: Q(broker=name) for name in broker_names()}


def _query(text: str) -> Q:
    if "\0" in text:
        raise BadValue(FieldCode.BAD_FORMAT, "must be plain text")
    return resembles(text)


INSTRUMENT_FILTERS: Filters = {
    "query": _query,
    "symbol": lambda text: Q(symbol=to_ticker(text).symbol),
    "broker": lambda text: to_word(text, _BROKERS),
    "tradable": lambda text: to_word(text, _FLAGS),
}


def _number(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=21, decimal_places=9, **options)


class InstrumentSerializer(serializers.Serializer[Instrument]):
    """A symbol as a broker has it."""

    broker = serializers.CharField()
    symbol = serializers.CharField()
    name = serializers.CharField()
    exchange = serializers.CharField()
    currency = serializers.CharField()
    ticks = serializers.ListField(
        child=serializers.ListField(child=_number(), min_length=2, max_length=2),
        help_text="Pairs of a price and the tick that counts from it on, lowest price first.",
    )
    lot_step = _number(help_text="Quantities are rounded down to multiples of it.")
    short_step = _number(help_text="The same, of what is sold short.")
    min_qty = _number()
    min_notional = _number(allow_null=True)
    multiplier = _number()
    tradable = serializers.BooleanField()
    shortable = serializers.BooleanField()
    fractionable = serializers.BooleanField()
    marginable = serializers.BooleanField()
    refreshed_at = serializers.DateTimeField()

    def to_representation(self, instance: Instrument) -> dict[str, Any]:
        return instrument_json(instance)


class SymbolCursorPagination(OrderCursorPagination):
    """By symbol, then by broker."""

    ordering = ("symbol", "broker")  # type: ignore[assignment]
    id_type = str


class InstrumentsView(ListAPIView[Instrument]):
    """What the brokers of the trader's accounts have to trade."""

    serializer_class = InstrumentSerializer
    pagination_class = SymbolCursorPagination

    def get_queryset(self) -> QuerySet[Instrument]:
        wanted = read_filters(self.request.query_params, INSTRUMENT_FILTERS)
        accounts = BrokerAccount.objects.filter(user=self.request.user.pk).order_by()
        return Instrument.objects.filter(wanted, broker__in=accounts.values("broker"))

    @extend_schema(
        operation_id="instruments_list",
        parameters=[
            OpenApiParameter("query", str, description="Symbols that begin with it, names that hold it."),
            OpenApiParameter("symbol", str),
            OpenApiParameter("broker", str, enum=list(broker_names())),
            OpenApiParameter("tradable", str, enum=["0", "1"]),
        ],
        responses={200: InstrumentSerializer(many=True), 400: PROBLEM, 401: PROBLEM, 503: PROBLEM},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List instruments by symbol, with what a broker says of each; empty until its catalogue was read."""
        return super().get(request, *args, **kwargs)
