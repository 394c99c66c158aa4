"""What a trader has at the desk, and the answer to addresses where there is nothing."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from drf_spectacular.views import SpectacularAPIView
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from brokers.models import BrokerAccount
from orders.api.orders import PROBLEM
from orders.api.serializers import AccountSerializer, StrategySerializer
from orders.models import Strategy


@extend_schema_view(
    get=extend_schema(
        operation_id="accounts_list",
        responses={200: AccountSerializer(many=True), 401: PROBLEM, 503: PROBLEM},
    )
)
class AccountsView(ListAPIView[BrokerAccount]):
    """The trader's accounts at brokers, newest first."""

    serializer_class = AccountSerializer

    def get_queryset(self) -> QuerySet[BrokerAccount]:
        return BrokerAccount.objects.filter(user=self.request.user.pk).defer("sealed_credentials")


@extend_schema_view(
    get=extend_schema(
        operation_id="strategies_list",
        responses={200: StrategySerializer(many=True), 401: PROBLEM, 503: PROBLEM},
    )
)
class StrategiesView(ListAPIView[Strategy]):
    """The trader's strategies, newest first."""

    serializer_class = StrategySerializer

    def get_queryset(self) -> QuerySet[Strategy]:
        strategies = Strategy.objects.filter(user=self.request.user.pk).prefetch_related("accounts")
        return strategies.defer("secret_digest", "sealed_signing_key")


class SchemaView(SpectacularAPIView):
    """The API's description as OpenAPI; open to everybody, like the documentation it is."""

    authentication_classes = []
    permission_classes = [AllowAny]


class NothingHereView(APIView):
    """Answers every address of the API that nothing else answers."""

    authentication_classes = []
    permission_classes = [AllowAny]
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is nothing at this address.")
