from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from brokers.types import OrdType, PositionEffect, Side, TimeInForce
from orders.intake.alert import UnsupportedContentType
from orders.intake.fields import FieldCode
from orders.intake.operation import Operation
from orders.intake.order_request import (
    InvalidOrderRequest,
    OrderRequest,
    parse_idempotency_key,
    parse_order_request,
)
from orders.intake.protective import ProtectiveExit
from orders.intake.strict_json import MalformedBody

BASE: dict[str, Any] = {"symbol": "AAPL", "side": "buy", "quantity": "10"}
ACCOUNT = "0190b5a0-7c4e-7d20-8a54-2f5d3c1b9e77"


def parse(**changes: Any) -> OrderRequest:
    body = {name: value for name, value in {**BASE, **changes}.items() if value is not ...}
    return parse_order_request(json.dumps(body).encode(), "application/json")


def test_a_plain_order() -> None:
    order = parse()
    assert (order.symbol, order.side, order.quantity) == ("AAPL", Side.BUY, Decimal(10))
    assert (order.ord_type, order.position_effect, order.account) == (
        OrdType.MARKET,
        PositionEffect.OPEN,
        None,
    )
    assert order.operation is Operation.ENTER_LONG
    assert order.body == BASE


def test_a_full_order() -> None:
    order = parse(
        side="SELL",
        order_type="stop_limit",
        price=10,
        stop_price="10.5",
        time_in_force="gtc",
        position_effect="close",
        account=ACCOUNT,
        id="mine",
    )
    assert (order.ord_type, order.price, order.stop_px) == (
        OrdType.STOP_LIMIT,
        Decimal(10),
        Decimal("10.5"),
    )
    assert (order.time_in_force, order.account, order.client_ref) == (TimeInForce.GTC, UUID(ACCOUNT), "mine")
    assert order.operation is Operation.EXIT_LONG
    assert order.is_exit


def test_the_names_of_our_own_answers_are_taken_too() -> None:
    order = parse(quantity=..., order_qty="3", ord_type="STOP", stop_px=9)
    assert (order.quantity, order.ord_type, order.stop_px) == (Decimal(3), OrdType.STOP, Decimal(9))


def test_closing_needs_no_quantity() -> None:
    assert parse(quantity=..., position_effect="close").quantity is None


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"quantity": ...}, "quantity", FieldCode.REQUIRED),
        ({"quantity": "1_0"}, "quantity", FieldCode.BAD_FORMAT),
        ({"qty": 9}, "quantity", FieldCode.CONFLICT),
        ({"symbol": ...}, "symbol", FieldCode.REQUIRED),
        ({"side": ...}, "side", FieldCode.REQUIRED),
        ({"side": "long"}, "side", FieldCode.NOT_ALLOWED),
        ({"order_type": "entry"}, "order_type", FieldCode.NOT_ALLOWED),
        ({"order_type": "limit"}, "price", FieldCode.REQUIRED),
        ({"type": "stop"}, "stop_price", FieldCode.REQUIRED),
        ({"price": 1}, "price", FieldCode.NOT_ALLOWED),
        ({"position_effect": "both"}, "position_effect", FieldCode.NOT_ALLOWED),
        ({"account": "1"}, "account", FieldCode.BAD_FORMAT),
        ({"account": "{" + ACCOUNT[:34] + "}"}, "account", FieldCode.BAD_FORMAT),
        ({"account": 1}, "account", FieldCode.WRONG_TYPE),
        ({"id": "x" * 201}, "id", FieldCode.OUT_OF_RANGE),
        ({"secret": "x"}, "secret", FieldCode.UNKNOWN),
        ({"strategy": "x"}, "strategy", FieldCode.UNKNOWN),
    ],
)
def test_field_errors(changes: dict[str, Any], field: str, code: FieldCode) -> None:
    with pytest.raises(InvalidOrderRequest) as caught:
        parse(**changes)
    assert [(error.field, error.code) for error in caught.value.errors] == [(field, code)]


def test_only_json_is_taken() -> None:
    with pytest.raises(UnsupportedContentType):
        parse_order_request(b"{}", "text/plain")
    with pytest.raises(MalformedBody):
        parse_order_request(b"[]", "application/json")


def test_idempotency_keys() -> None:
    assert parse_idempotency_key(None) is None
    assert parse_idempotency_key("a-1") == "a-1"
    for header in ("", " ", "a b", "x" * 201, "é", "a\n"):
        with pytest.raises(InvalidOrderRequest):
            parse_idempotency_key(header)


def test_protective_exits_are_those_of_an_alert() -> None:
    body = {"symbol": "AAPL", "side": "buy", "quantity": 1, "stop_loss": 9, "take_profit": {"percent": "4"}}
    request = parse_order_request(json.dumps(body).encode(), "application/json")
    assert request.stop_loss == ProtectiveExit(price=Decimal(9))
    assert request.take_profit == ProtectiveExit(percent=Decimal(4))
    assert request.trailing is None


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"position_effect": "close", "stop_loss": 9}, "stop_loss"),
        ({"stop_loss": 12, "take_profit": 11}, "take_profit"),
        ({"side": "sell", "stop_loss": 9, "take_profit": 11}, "take_profit"),
        ({"stop_loss": {"percent": 2, "offset": 1}}, "stop_loss"),
        ({"order_type": "limit", "price": 10, "stop_loss": 10}, "stop_loss"),
    ],
)
def test_protective_exits_that_do_not_fit(changes: dict[str, object], name: str) -> None:
    body = {"symbol": "AAPL", "side": "buy", "quantity": 1} | changes
    with pytest.raises(InvalidOrderRequest) as refused:
        parse_order_request(json.dumps(body).encode(), "application/json")
    assert name in {error.field for error in refused.value.errors}
