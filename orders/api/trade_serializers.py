"""The forms of positions and trades in the API's answers, as ``orders.rendering`` writes them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from orders.figures import PositionSide
from orders.models import ExitReason, Position, Source, Trade, TradeOrder
from orders.rendering import position_json, trade_json


def _qty(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=21, decimal_places=9, **options)


def _px(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=24, decimal_places=10, allow_null=True, **options)


def _amount(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=60, decimal_places=18, **options)


class PositionSerializer(serializers.Serializer[Position]):
    """What an account holds of a symbol. Always `cash + fees == realized_pnl - cost`."""

    account = serializers.UUIDField()
    symbol = serializers.CharField()
    side = serializers.ChoiceField([str(side) for side in PositionSide])
    qty = _qty(help_text="Below zero for a short position.")
    avg_px = _px(help_text="Average cost of what is open.")
    cost = _amount(help_text="What the open quantity was bought for; below zero: sold for.")
    realized_pnl = _amount(help_text="Over all its time, by average cost, before fees.")
    fees = _amount()
    cash = _amount(help_text="What its fills have brought in, less what they cost and the fees.")
    mark_px = _px(
        help_text="The price that it is valued at: the middle of bid and ask. Null: no quote so far."
    )
    market_value = _amount(allow_null=True, help_text="Below zero for a short position.")
    unrealized_pnl = _amount(allow_null=True)
    unrealized_pct = serializers.DecimalField(
        max_digits=40,
        decimal_places=4,
        allow_null=True,
        help_text="Of what the open quantity was traded for.",
    )
    quote_time = serializers.DateTimeField(allow_null=True, help_text="When the broker had that price.")
    valued_at = serializers.DateTimeField(allow_null=True)
    updated_at = serializers.DateTimeField()

    def to_representation(self, instance: Position) -> dict[str, Any]:
        return position_json(instance)


class TradeOrderSerializer(serializers.Serializer[TradeOrder]):
    """An order's part in a trade; one that reverses a position is in two trades."""

    id = serializers.UUIDField(help_text="The order's.")
    role = serializers.ChoiceField(TradeOrder.Role.choices)
    qty = _qty(help_text="What it has opened or closed of this trade so far.")


class TradeSerializer(serializers.Serializer[Trade]):
    """A round trip in one symbol, from the order that opens it to the fill that closes it."""

    id = serializers.UUIDField()
    account = serializers.UUIDField()
    strategy = serializers.UUIDField(allow_null=True)
    symbol = serializers.CharField()
    side = serializers.ChoiceField(Trade.Side.choices)
    status = serializers.ChoiceField(
        Trade.Status.choices,
        help_text="CANCELED: none of its entries was filled; such a trade has no prices.",
    )
    source = serializers.ChoiceField(Source.choices)  # type: ignore[assignment]
    simulation = serializers.BooleanField()
    entry_qty = _qty()
    entry_px = _px(help_text="Average of its entries' fills.")
    exit_qty = _qty()
    exit_px = _px(help_text="Average of its exits' fills.")
    realized_pnl = _amount(help_text="By average cost, before fees.")
    fees = _amount()
    net_pnl = _amount(help_text="`realized_pnl` less `fees`.")
    exit_reason = serializers.ChoiceField(ExitReason.choices, allow_null=True, help_text="Once it is closed.")
    ordered_at = serializers.DateTimeField()
    opened_at = serializers.DateTimeField(allow_null=True, help_text="Of its first fill.")
    closed_at = serializers.DateTimeField(allow_null=True)
    orders = TradeOrderSerializer(many=True)

    def to_representation(self, instance: Trade) -> dict[str, Any]:
        return trade_json(instance)
