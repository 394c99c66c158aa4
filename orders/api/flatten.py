"""Flatten over the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orders.api.asynchronous import AsyncPostView
from orders.api.orders import HEADERS, PROBLEM, user_of
from orders.api.preference import waiting_for
from orders.api.serializers import FlattenAnswerSerializer, FlattenSerializer
from orders.intake.flatten_request import parse_flatten_request
from orders.models import Source
from orders.rendering import order_json
from orders.views.flattening import flatten_positions
from orders.views.receipt import Budget, Receipt

_PREFER = [header for header in HEADERS if header.name == "Prefer"]


class FlattenView(AsyncPostView):
    """Cancel what would open, close what is held."""

    @extend_schema(
        operation_id="flatten",
        parameters=_PREFER,
        request=FlattenSerializer,
        responses={
            200: OpenApiResponse(FlattenAnswerSerializer, "Done: the outcome of every exit is known."),
            202: OpenApiResponse(FlattenAnswerSerializer, "Recorded; not every exit has ended yet."),
            **dict.fromkeys((400, 401, 403, 413, 415, 503), PROBLEM),
        },
    )
    async def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Cancel the open orders and close the positions of one symbol, one account, or everything.

        Asking again while the exits are open answers with them and sends nothing twice. With nothing to close the
        list is empty. No limit or pause stands in its way.
        """
        asked = parse_flatten_request(self.raw_body, request.headers.get("Content-Type"))
        waiting = waiting_for(request.headers.get("Prefer"), settings.ORDER_BUDGET_SECONDS)
        outcome = await flatten_positions(
            user=user_of(request),
            account_id=asked.account,
            symbol=asked.symbol,
            source=Source.API,
            budget=Budget(waiting.seconds, Receipt.of(request)),
        )
        body = {"exits": [order_json(order) for order in outcome.exits], "canceled": outcome.canceled}
        headers = {"Cache-Control": "no-store"}
        if waiting.applied:
            headers["Preference-Applied"] = waiting.applied
        status = HTTPStatus.OK if outcome.answered else HTTPStatus.ACCEPTED
        return Response(body, status, headers=headers)
