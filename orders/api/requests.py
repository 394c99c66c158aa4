"""Cancel and replace over the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orders.api.asynchronous import AsyncPostView
from orders.api.orders import HEADERS, PROBLEM, order_url, user_of
from orders.api.preference import Waiting, waiting_for
from orders.api.serializers import (
    AcceptedRequestSerializer,
    CancelSerializer,
    ReplaceSerializer,
    RequestAnswerSerializer,
)
from orders.intake.order_request import parse_idempotency_key
from orders.intake.replace_request import parse_cancel_request, parse_replace_request
from orders.models import OrderRequest, Source
from orders.rendering import order_json, request_json
from orders.views.receipt import Budget, Receipt
from orders.views.requesting import cancel_order, replace_order

_ANSWERS = {
    200: OpenApiResponse(RequestAnswerSerializer, "Answered: `status` says how."),
    202: OpenApiResponse(AcceptedRequestSerializer, "Recorded; not answered yet. Ask for the order."),
}


class CancelView(AsyncPostView):
    """Cancels of one order."""

    @extend_schema(
        operation_id="orders_cancel",
        parameters=HEADERS,
        request=CancelSerializer,
        responses={**_ANSWERS, **dict.fromkeys((400, 401, 404, 409, 413, 415, 503), PROBLEM)},
    )
    async def post(self, request: Request, *args: Any, order_id: UUID, **kwargs: Any) -> Response:
        """Cancel an order and wait for the broker's answer. The body is empty, or `{}`.

        An order that was not sent yet is denied instead, at once. While a cancel is open, another one answers
        with it. No limit, pause or verification stands in a cancel's way.
        """
        parse_cancel_request(self.raw_body, request.headers.get("Content-Type"))
        waiting = _waiting(request)
        answered = await cancel_order(
            user=user_of(request),
            order_id=order_id,
            source=Source.API,
            idempotency_key=parse_idempotency_key(request.headers.get("Idempotency-Key")),
            budget=Budget(waiting.seconds, Receipt.of(request)),
        )
        return _answer(answered, applied=waiting.applied)


class ReplaceView(AsyncPostView):
    """Replaces of one order."""

    @extend_schema(
        operation_id="orders_replace",
        parameters=HEADERS,
        request=ReplaceSerializer,
        responses={**_ANSWERS, **dict.fromkeys((400, 401, 403, 404, 409, 413, 415, 503), PROBLEM)},
    )
    async def post(self, request: Request, *args: Any, order_id: UUID, **kwargs: Any) -> Response:
        """Change an order's quantity or prices and wait for the broker's answer.

        What is left out stays as it is. One replace at a time, and none while a cancel is open.
        """
        replace_request = parse_replace_request(self.raw_body, request.headers.get("Content-Type"))
        waiting = _waiting(request)
        answered = await replace_order(
            user=user_of(request),
            order_id=order_id,
            request=replace_request,
            source=Source.API,
            idempotency_key=parse_idempotency_key(request.headers.get("Idempotency-Key")),
            budget=Budget(waiting.seconds, Receipt.of(request)),
        )
        return _answer(answered, applied=waiting.applied)


def _waiting(request: Request) -> Waiting:
    return waiting_for(request.headers.get("Prefer"), settings.ORDER_BUDGET_SECONDS)


def _answer(request: OrderRequest, *, applied: str) -> Response:
    body = {**request_json(request), "order": order_json(request.order)}
    headers = {"Cache-Control": "no-store"}
    if applied:
        headers["Preference-Applied"] = applied
    if not request.is_open:
        return Response(body, HTTPStatus.OK, headers=headers)
    url = order_url(request.order)
    headers["Location"] = url
    return Response({**body, "url": url}, HTTPStatus.ACCEPTED, headers=headers)
