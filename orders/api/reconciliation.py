"""Comparisons with brokers over the API: what was found, and having an account compared now."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from brokers.models import BrokerAccount
from orders.api.orders import PROBLEM
from orders.api.pagination import NumberCursorPagination
from orders.api.queries import RECONCILIATION_FILTERS, read_filters
from orders.models import ReconciliationFinding, ReconciliationRun
from orders.services.reconciliation.asking import ask_now
from tasks.dispatch import hand_over


class FindingSerializer(serializers.ModelSerializer[ReconciliationFinding]):
    """One thing that the books did not agree on, and what was done about it."""

    class Meta:
        model = ReconciliationFinding
        fields = [
            "kind",
            "symbol",
            "order",
            "broker_order_id",
            "ours",
            "theirs",
            "done",
            "runs_seen",
            "found_at",
            "resolved_at",
            "resolution",
        ]
        read_only_fields = fields


class ReconciliationSerializer(serializers.ModelSerializer[ReconciliationRun]):
    """One comparison of an account with its broker, and what it was the first to find."""

    findings = FindingSerializer(many=True, read_only=True)

    class Meta:
        model = ReconciliationRun
        fields = [
            "id",
            "account",
            "started_at",
            "finished_at",
            "is_settled",
            "orders_seen",
            "executions_seen",
            "positions_seen",
            "broker_cash",
            "booked_cash",
            "findings",
        ]
        read_only_fields = fields


class ReconciliationsView(ListAPIView[ReconciliationRun]):
    """The comparisons of the trader's accounts with their brokers."""

    serializer_class = ReconciliationSerializer
    pagination_class = NumberCursorPagination

    def get_queryset(self) -> QuerySet[ReconciliationRun]:
        wanted = read_filters(self.request.query_params, RECONCILIATION_FILTERS)
        runs = ReconciliationRun.objects.filter(wanted, user=self.request.user.pk)
        return runs.prefetch_related("findings")

    @extend_schema(
        operation_id="reconciliations_list",
        parameters=[OpenApiParameter("account", {"type": "string", "format": "uuid"})],
        responses={200: ReconciliationSerializer(many=True), 400: PROBLEM, 401: PROBLEM, 503: PROBLEM},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List comparisons, newest first, each with what it was the first to find."""
        return super().get(request, *args, **kwargs)


class ReconcileView(APIView):
    """Comparing one account now."""

    @extend_schema(
        operation_id="accounts_reconcile",
        request=None,
        responses={
            202: OpenApiResponse(description="Asked for; the trader's worker does it."),
            401: PROBLEM,
            404: PROBLEM,
            503: PROBLEM,
        },
    )
    def post(self, request: Request, *args: Any, account_id: UUID, **kwargs: Any) -> Response:
        """Have an account compared with its broker; asking again before it is done changes nothing."""
        account = BrokerAccount.objects.filter(pk=account_id, user=request.user.pk).first()
        if account is None:
            raise NotFound("There is no such account.")
        ask_now(account)
        hand_over(account.user_id)
        return Response({"account": str(account.pk)}, status=202)
