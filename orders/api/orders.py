"""Orders over the API: list them, follow one, place one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from orders.api.asynchronous import AsyncPostView
from orders.api.preference import waiting_for
from orders.api.queries import ORDER_FILTERS, read_filters
from orders.api.serializers import (
    AcceptedOrderSerializer,
    NewOrderSerializer,
    OrderDetailSerializer,
    OrderSerializer,
    ProblemSerializer,
)
from orders.intake.order_request import parse_idempotency_key, parse_order_request
from orders.models import Order, Source
from orders.rendering import order_json
from orders.views.placing import PlacedOrder, place_order
from orders.views.receipt import Budget, Receipt

PROBLEM = OpenApiResponse(ProblemSerializer, "What is wrong, as `application/problem+json`.")
FILTERS = [
    OpenApiParameter("status", str, description="FIX names, several with commas between; `open`: not ended."),
    OpenApiParameter("symbol", str),
    OpenApiParameter("account", {"type": "string", "format": "uuid"}),
    OpenApiParameter("strategy", {"type": "string", "format": "uuid"}),
    OpenApiParameter("source", str, enum=[source.value for source in Source]),
    OpenApiParameter("cl_ord_id", str),
    OpenApiParameter(
        "since", {"type": "string", "format": "date-time"}, description="Received then or later."
    ),
    OpenApiParameter("until", {"type": "string", "format": "date-time"}, description="Received before then."),
]
HEADERS = [
    OpenApiParameter(
        "Idempotency-Key",
        str,
        OpenApiParameter.HEADER,
        description="The same key with the same body answers with the first order and places no other.",
    ),
    OpenApiParameter(
        "Prefer",
        str,
        OpenApiParameter.HEADER,
        description="`wait=N`: at most N seconds for the outcome; `respond-async`: none (RFC 7240).",
    ),
]


class OrdersView(AsyncPostView, ListAPIView[Order]):
    """The trader's orders."""

    serializer_class = OrderSerializer

    def get_queryset(self) -> QuerySet[Order]:
        wanted = read_filters(self.request.query_params, ORDER_FILTERS)
        return Order.objects.filter(wanted, user=self.request.user.pk).defer("state")

    @extend_schema(
        operation_id="orders_list",
        parameters=FILTERS,
        responses={200: OrderSerializer(many=True), 400: PROBLEM, 401: PROBLEM, 503: PROBLEM},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List orders, newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="orders_create",
        parameters=HEADERS,
        request=NewOrderSerializer,
        responses={
            201: OpenApiResponse(OrderSerializer, "Placed, and the outcome is known."),
            200: OpenApiResponse(OrderSerializer, "The Idempotency-Key had placed this order before."),
            202: OpenApiResponse(AcceptedOrderSerializer, "Accepted; the outcome is not known yet."),
            **dict.fromkeys((400, 401, 403, 409, 413, 415, 429, 503), PROBLEM),
        },
    )
    async def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Place an order and wait for its outcome: a market order's end, a resting order's acknowledgement.

        That the broker or a guard refused it is an outcome too: 201 with `ord_status` REJECTED or DENIED.
        """
        order_request = parse_order_request(self.raw_body, request.headers.get("Content-Type"))
        waiting = waiting_for(request.headers.get("Prefer"), settings.ORDER_BUDGET_SECONDS)
        placed = await place_order(
            user=user_of(request),
            account_id=order_request.account,
            request=order_request,
            source=Source.API,
            idempotency_key=parse_idempotency_key(request.headers.get("Idempotency-Key")),
            budget=Budget(waiting.seconds, Receipt.of(request)),
        )
        return _answer(placed, applied=waiting.applied)


class OrderView(RetrieveAPIView[Order]):
    """One of the trader's orders."""

    serializer_class = OrderDetailSerializer
    lookup_url_kwarg = "order_id"

    def get_queryset(self) -> QuerySet[Order]:
        return Order.objects.filter(user=self.request.user.pk)

    @extend_schema(
        operation_id="orders_retrieve",
        responses={200: OrderDetailSerializer, 401: PROBLEM, 404: PROBLEM, 503: PROBLEM},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show an order with its fills, its cancels and replaces, and its whole timeline: what to poll after a 202."""
        return super().get(request, *args, **kwargs)


def order_url(order: Order) -> str:
    """Return where the order can be asked for, from outside."""
    return f"{settings.BASE_URL}/api/v1/orders/{order.id}"


def _answer(placed: PlacedOrder, *, applied: str) -> Response:
    body = order_json(placed.order)
    url = order_url(placed.order)
    headers = {"Cache-Control": "no-store"}
    if applied:
        headers["Preference-Applied"] = applied
    if placed.repeated and placed.answered:
        return Response(body, HTTPStatus.OK, headers=headers)
    headers["Location"] = url
    if placed.answered:
        return Response(body, HTTPStatus.CREATED, headers=headers)
    return Response(body | {"url": url}, HTTPStatus.ACCEPTED, headers=headers)


def user_of(request: Request) -> AbstractBaseUser:
    """Return who asks; the permissions let nobody in without a name."""
    user = request.user
    assert isinstance(user, AbstractBaseUser)  # noqa: S101 - IsAuthenticated has seen to it; for the type checker
    return user
