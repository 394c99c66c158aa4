"""The forms of the API's answers. Orders are written by ``orders.rendering``, as everywhere at the desk.

DRF takes the fields out of the class, so one may be called ``source`` or ``data``, which the type
checker cannot know.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from brokers.models import BrokerAccount
from brokers.types import OrdStatus, OrdType, PositionEffect, Side, TimeInForce
from orders.intake.problem import ProblemType
from orders.models import ExitReason, Leg, Order, OrderRequest, Source, Strategy
from orders.models.strategy import SIZING_FIELDS
from orders.rendering import event_json, fill_json, order_json, request_json
from orders.selectors import timeline_of


def _decimal(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=24, decimal_places=10, **options)


class OrderSerializer(serializers.Serializer[Order]):
    """An order, and what has become of it."""

    id = serializers.UUIDField()
    cl_ord_id = serializers.CharField(help_text="The id under which the broker knows the order.")
    account = serializers.UUIDField()
    symbol = serializers.CharField()
    side = serializers.ChoiceField([str(side) for side in Side])
    ord_type = serializers.ChoiceField([str(kind) for kind in OrdType])
    time_in_force = serializers.ChoiceField([str(tif) for tif in TimeInForce])
    order_qty = _decimal(help_text="Zero as long as it is still to be sized by its rule.")
    sizing = serializers.DictField(
        allow_null=True, help_text="The rule that sizes it, and under `used` what it was sized by."
    )
    price = _decimal(allow_null=True)
    stop_px = _decimal(allow_null=True)
    cum_qty = _decimal(help_text="Filled so far.")
    leaves_qty = _decimal(help_text="Still open; zero once the order has ended.")
    avg_px = _decimal(allow_null=True)
    ord_status = serializers.ChoiceField([str(status) for status in OrdStatus])
    reason = serializers.CharField(allow_null=True, help_text="Why it was denied or rejected: a code.")
    text = serializers.CharField(allow_null=True)
    position_effect = serializers.ChoiceField([str(effect) for effect in PositionEffect])
    exit_reason = serializers.ChoiceField(ExitReason.choices, allow_null=True, help_text="Of an exit.")
    leg = serializers.ChoiceField(Leg.choices, allow_null=True, help_text="Of a protective exit: which.")
    parent = serializers.UUIDField(  # type: ignore[assignment]
        allow_null=True, help_text="The order for whose sake the desk made it."
    )
    protection = serializers.DictField(
        allow_null=True, help_text="Of an entry: the protective exits that come with it."
    )
    trail_offset = _decimal(allow_null=True, help_text="Of a trailing stop: its distance, or")
    trail_percent = _decimal(allow_null=True, help_text="the same in percent of the price.")
    source = serializers.ChoiceField(Source.choices)  # type: ignore[assignment]
    simulation = serializers.BooleanField()
    auto_exit = serializers.BooleanField(
        help_text="Of an entry: an opposite position is closed first. Of an exit: it is the one that does."
    )
    exit_order = serializers.UUIDField(allow_null=True, help_text="The order that closes it first.")
    exit_quantity = _decimal(allow_null=True)
    position_before = _decimal(allow_null=True)
    eligible_at = serializers.DateTimeField(
        allow_null=True, help_text="Not sent before then; with MARKET_CLOSED, when the market opens."
    )
    submitted_at = serializers.DateTimeField(allow_null=True)
    transact_time = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Order) -> dict[str, Any]:
        return order_json(instance)


class FillSerializer(serializers.Serializer[Any]):
    """One execution."""

    exec_id = serializers.CharField()
    exec_type = serializers.CharField()
    exec_ref_id = serializers.CharField(
        allow_null=True, help_text="The fill that this one corrects or takes back."
    )
    last_qty = _decimal()
    last_px = _decimal()
    transact_time = serializers.DateTimeField()


class EventSerializer(serializers.Serializer[Any]):
    """One line of an order's timeline."""

    kind = serializers.CharField()
    at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    ord_status = serializers.CharField(help_text="The order's status afterwards.")
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="Which way it came: web, worker, response, stream, poll, sweep."
    )
    worker = serializers.CharField(allow_null=True)
    pid = serializers.IntegerField(allow_null=True)
    epoch = serializers.IntegerField(allow_null=True)
    stages = serializers.DictField(
        child=serializers.DateTimeField(), help_text="Stage of the way to its time."
    )
    data = serializers.DictField(help_text="What there is to know of it.")  # type: ignore[assignment]


class RequestSerializer(serializers.Serializer[Any]):
    """A cancel or a replace of an order, and what has become of it."""

    id = serializers.UUIDField()
    cl_ord_id = serializers.CharField(help_text="The request's own id at the broker.")
    kind = serializers.ChoiceField(OrderRequest.Kind.choices)
    status = serializers.ChoiceField(
        OrderRequest.Status.choices,
        help_text="RECORDED, SENT and PENDING are open; MOOT: the order ended otherwise before.",
    )
    reason = serializers.CharField(allow_null=True, help_text="Why it was denied or refused: a code.")
    text = serializers.CharField(allow_null=True)
    order_qty = _decimal(allow_null=True, help_text="What a replace asks for; null stays as it is.")
    price = _decimal(allow_null=True)
    stop_px = _decimal(allow_null=True)
    recorded_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)


class RequestAnswerSerializer(RequestSerializer):
    """A request with its order as it stands."""

    order = OrderSerializer()


class AcceptedRequestSerializer(RequestAnswerSerializer):
    """A request that is not answered yet."""

    url = serializers.URLField(help_text="Where to ask for the order and its requests.")


class CancelSerializer(serializers.Serializer[Any]):
    """What ``POST /orders/{id}/cancel`` takes: nothing."""


class ReplaceSerializer(serializers.Serializer[Any]):
    """What ``POST /orders/{id}/replace`` takes: one of these at least. Unknown fields are refused."""

    order_qty = _decimal(
        required=False, help_text="The whole, with what is filled; `quantity` and `qty` are the same."
    )
    price = _decimal(required=False, help_text="Limit and stop limit orders.")
    stop_px = _decimal(required=False, help_text="Stop and stop limit orders; `stop_price` is the same.")


class FlattenSerializer(serializers.Serializer[Any]):
    """What ``POST /flatten`` takes: a symbol, an account, both, or everything. Unknown fields are refused."""

    symbol = serializers.CharField(required=False)
    account = serializers.UUIDField(required=False)
    everything = serializers.BooleanField(required=False, help_text="`true`, and nothing else named.")


class FlattenAnswerSerializer(serializers.Serializer[Any]):
    """The exits that close what was named, and how many orders are canceled."""

    exits = OrderSerializer(many=True)
    canceled = serializers.IntegerField()


class OrderDetailSerializer(OrderSerializer):
    """An order with its fills, its cancels and replaces, and its whole timeline."""

    fills = FillSerializer(many=True)
    requests = RequestSerializer(many=True)
    events = EventSerializer(many=True)

    def to_representation(self, instance: Order) -> dict[str, Any]:
        fills = instance.executions.order_by("transact_time", "id")
        return {
            **order_json(instance),
            "fills": [fill_json(fill) for fill in fills],
            "requests": [request_json(request) for request in instance.requests.order_by("id")],
            "events": [event_json(event) for event in timeline_of(instance)],
        }


class AcceptedOrderSerializer(OrderSerializer):
    """An order whose outcome is not known yet."""

    url = serializers.URLField(help_text="Where to ask for it.")


def _exit(help_text: str) -> serializers.DictField:
    words = f"{help_text} `price`, `percent` or `offset`, counted from the entry's fill. Entries only."
    return serializers.DictField(child=_decimal(), required=False, help_text=words)


class NewOrderSerializer(serializers.Serializer[Any]):
    """What ``POST /orders`` takes; ``orders.intake.order_request`` reads it. Unknown fields are refused."""

    symbol = serializers.CharField(max_length=53, help_text="With or without an exchange before a colon.")
    side = serializers.ChoiceField([str(side) for side in Side])
    quantity = _decimal(
        required=False,
        help_text="A number or a numeric string. Without it an order to close closes all there is.",
    )
    order_type = serializers.ChoiceField([str(kind) for kind in OrdType], default="MARKET")
    price = _decimal(required=False)
    stop_price = _decimal(required=False)
    time_in_force = serializers.ChoiceField([str(tif) for tif in TimeInForce], required=False)
    position_effect = serializers.ChoiceField(
        [str(effect) for effect in PositionEffect],
        default="OPEN",
        help_text="`CLOSE` never sells or buys more than the position.",
    )
    stop_loss = _exit("Where a loss is cut: a price, or one of these.")
    take_profit = _exit("Where profit is taken: a price, or one of these.")
    trailing = _exit(
        "Instead of `stop_loss`, the distance kept from the best price: an offset, or one of these."
    )
    account = serializers.UUIDField(required=False, help_text="Needed where there are several.")
    id = serializers.CharField(required=False, max_length=200, help_text="Your own reference. Not a key.")


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """Problem details (RFC 9457)."""

    type = serializers.ChoiceField([kind.uri for kind in ProblemType])
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]
    order_id = serializers.UUIDField(required=False, help_text="Of the order that a used key has placed.")
    ord_status = serializers.CharField(required=False, help_text="Of the order that takes no such request.")
    reason = serializers.CharField(required=False, help_text="A code.")


class AccountSerializer(serializers.ModelSerializer[BrokerAccount]):
    """A broker account; its credentials are never shown."""

    market = serializers.CharField(source="trades_on", help_text="Whose hours count: a MIC, or `24/7`.")
    verified = serializers.SerializerMethodField()

    class Meta:
        model = BrokerAccount
        fields = [
            "id",
            "label",
            "broker",
            "market",
            "external_id",
            "simulation",
            "verified",
            "verified_at",
            "created_at",
        ]
        read_only_fields = fields

    def get_verified(self, account: BrokerAccount) -> bool:
        return account.verified_at is not None


class StrategySerializer(serializers.ModelSerializer[Strategy]):
    """A strategy; of its webhook's token the first characters only."""

    token_prefix = serializers.SerializerMethodField()

    class Meta:
        model = Strategy
        fields = [
            "id",
            "name",
            "token_prefix",
            "accounts",
            "allowed_symbols",
            *SIZING_FIELDS,
            "trade_style",
            "takes_profit",
            "demands_protection",
            "queues_for_open",
            "paused",
            "created_at",
        ]
        read_only_fields = fields

    def get_token_prefix(self, strategy: Strategy) -> str:
        return strategy.token[:6]
