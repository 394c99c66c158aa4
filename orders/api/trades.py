"""Positions and the trade journal over the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from orders.api.orders import PROBLEM
from orders.api.pagination import NumberCursorPagination
from orders.api.queries import OPEN_POSITION, POSITION_FILTERS, TRADE_FILTERS, read_filters
from orders.api.trade_serializers import PositionSerializer, TradeSerializer
from orders.models import Position, Trade

_UUID = {"type": "string", "format": "uuid"}
_OF_AN_ACCOUNT = [OpenApiParameter("account", _UUID), OpenApiParameter("symbol", str)]


class PositionsView(ListAPIView[Position]):
    """The trader's positions."""

    serializer_class = PositionSerializer
    pagination_class = NumberCursorPagination

    def get_queryset(self) -> QuerySet[Position]:
        params = self.request.query_params
        wanted = read_filters(params, POSITION_FILTERS)
        if "all" not in params:
            wanted &= OPEN_POSITION
        return Position.objects.filter(wanted, user=self.request.user.pk)

    @extend_schema(
        operation_id="positions_list",
        parameters=[
            *_OF_AN_ACCOUNT,
            OpenApiParameter("all", str, enum=["0", "1"], description="`1`: flat ones too."),
        ],
        responses={200: PositionSerializer(many=True), 400: PROBLEM, 401: PROBLEM, 503: PROBLEM},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List positions, the symbol traded last for the first time first; the open ones unless `all=1`."""
        return super().get(request, *args, **kwargs)


class TradesView(ListAPIView[Trade]):
    """The trader's journal."""

    serializer_class = TradeSerializer

    def get_queryset(self) -> QuerySet[Trade]:
        wanted = read_filters(self.request.query_params, TRADE_FILTERS)
        return Trade.objects.filter(wanted, user=self.request.user.pk).prefetch_related("legs")

    @extend_schema(
        operation_id="trades_list",
        parameters=[
            *_OF_AN_ACCOUNT,
            OpenApiParameter("strategy", _UUID),
            OpenApiParameter(
                "status",
                str,
                description="ORDERED, POSITION, CLOSED, CANCELED, several with commas between; "
                "`open`: the first two.",
            ),
        ],
        responses={200: TradeSerializer(many=True), 400: PROBLEM, 401: PROBLEM, 503: PROBLEM},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List trades, newest first."""
        return super().get(request, *args, **kwargs)


class TradeView(RetrieveAPIView[Trade]):
    """One of the trader's trades."""

    serializer_class = TradeSerializer
    lookup_url_kwarg = "trade_id"

    def get_queryset(self) -> QuerySet[Trade]:
        return Trade.objects.filter(user=self.request.user.pk)

    @extend_schema(
        operation_id="trades_retrieve",
        responses={200: TradeSerializer, 401: PROBLEM, 404: PROBLEM, 503: PROBLEM},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show a trade with its orders."""
        return super().get(request, *args, **kwargs)
