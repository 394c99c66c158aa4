"""Recording replaces: what is recorded, and what stands in its way."""

from decimal import Decimal

import pytest
from django.utils import timezone

from brokers.types import ExecType, OrdStatus
from orders.intake.fields import FieldCode
from orders.intake.replace_request import InvalidRequest
from orders.models import OrderEvent, OrderRequest
from orders.services.requests import Refusal, RequestRefused
from orders.services.submission import begin_submission
from tests.factories.alerts import record_manual, record_one
from tests.factories.leases import lease_of
from tests.factories.reports import make_fill, make_report
from tests.factories.requests import cancel, replace
from tests.factories.sending import at_broker, hear, hold
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db


def test_a_replace_carries_its_terms(desk: Desk) -> None:
    order = at_broker(desk)
    request = replace(order, order_qty="12.5", price="99.95")
    stored = OrderRequest.objects.get(pk=request.pk)
    assert (stored.kind, stored.status) == ("REPLACE", "RECORDED")
    assert (stored.order_qty, stored.price, stored.stop_px) == (Decimal("12.5"), Decimal("99.95"), None)
    order.refresh_from_db()
    assert (order.order_qty, order.price) == (Decimal(10), Decimal(100)), "only the broker's word changes it"
    event = OrderEvent.objects.get(order=order, kind="ReplaceRecorded")
    assert event.data == {
        "request": str(request.id),
        "cl_ord_id": request.cl_ord_id,
        "order_qty": "12.5",
        "price": "99.95",
    }


@pytest.mark.parametrize("sent", [False, True])
def test_an_order_that_the_broker_does_not_work_yet_is_replaced_later(desk: Desk, sent: bool) -> None:
    order = record_one(desk, type="limit", price="100")
    if sent:
        begin_submission(order.id, fence=lease_of(desk), dequeued_at=timezone.now())
    assert replace(order, price="101").status == "RECORDED"


def test_one_replace_at_a_time_and_none_beside_a_cancel(desk: Desk) -> None:
    order = at_broker(desk)
    replace(order, price="101")
    with pytest.raises(RequestRefused) as refused:
        replace(order, price="102")
    assert refused.value.code is Refusal.REPLACE_OPEN
    cancel(order)
    with pytest.raises(RequestRefused) as refused:
        replace(order, price="102")
    assert refused.value.code is Refusal.CANCEL_OPEN
    assert OrderRequest.objects.filter(order=order).count() == 2


def test_a_cancel_at_the_brokers_own_site_stands_in_a_replaces_way_too(desk: Desk) -> None:
    order = at_broker(desk)
    hear(order, make_report(order, ExecType.PENDING_CANCEL))
    with pytest.raises(RequestRefused) as refused:
        replace(order, price="101")
    assert (refused.value.code, refused.value.ord_status) == (Refusal.CANCEL_OPEN, OrdStatus.PENDING_CANCEL)


def test_a_market_order_has_nothing_to_replace(desk: Desk) -> None:
    order = record_one(desk)
    with pytest.raises(RequestRefused) as refused:
        replace(order, order_qty="11")
    assert refused.value.code is Refusal.MARKET_ORDER


def test_a_broker_that_replaces_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace as changed

    from brokers.paper.factory import CAPABILITIES
    from orders.services import requests

    monkeypatch.setattr(requests, "capabilities_of", lambda name: changed(CAPABILITIES, replaces=False))
    with pytest.raises(RequestRefused) as refused:
        replace(at_broker(desk), price="101")
    assert refused.value.code is Refusal.BROKER_CANNOT_REPLACE


@pytest.mark.parametrize(
    ("terms", "field", "code"),
    [
        ({}, "order_qty", FieldCode.REQUIRED),
        ({"order_qty": "4"}, "order_qty", FieldCode.OUT_OF_RANGE),
        ({"order_qty": "3.9"}, "order_qty", FieldCode.OUT_OF_RANGE),
        ({"order_qty": "0"}, "order_qty", FieldCode.OUT_OF_RANGE),
        ({"order_qty": "1000000000000"}, "order_qty", FieldCode.OUT_OF_RANGE),
        ({"order_qty": "5.0000000001"}, "order_qty", FieldCode.TOO_PRECISE),
        ({"price": "-1"}, "price", FieldCode.OUT_OF_RANGE),
        ({"price": "NaN"}, "price", FieldCode.BAD_FORMAT),
        ({"stop_px": "99"}, "stop_px", FieldCode.NOT_ALLOWED),
    ],
)
def test_terms_that_do_not_fit(desk: Desk, terms: dict[str, str], field: str, code: FieldCode) -> None:
    order = at_broker(desk)
    hear(order, make_fill(order, "4"))
    with pytest.raises(InvalidRequest) as invalid:
        replace(order, **terms)
    assert [(error.field, error.code) for error in invalid.value.errors] == [(field, code)]
    assert not OrderRequest.objects.exists()


def test_a_quantity_fits_the_brokers_step(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from orders.services import replace_terms

    monkeypatch.setattr(replace_terms, "lot_step", lambda *asked: Decimal(1))
    order = at_broker(desk)
    with pytest.raises(InvalidRequest) as invalid:
        replace(order, order_qty="10.5")
    assert invalid.value.errors[0].code is FieldCode.TOO_PRECISE
    assert replace(order, order_qty="11").status == "RECORDED"


def test_a_stop_order_takes_a_stop_price_and_no_limit(desk: Desk) -> None:
    order = at_broker(desk, type="stop", price=None, stop_price="110")
    with pytest.raises(InvalidRequest):
        replace(order, price="101", stop_px="111")
    assert replace(order, stop_px="111").stop_px == Decimal(111)


def test_an_exit_never_grows_beyond_what_there_is_to_close(desk: Desk) -> None:
    hold(desk, "10")
    first = at_broker(desk, action="sell", order_type="exit", quantity="4")
    second = at_broker(desk, action="sell", order_type="exit", quantity="3")
    with pytest.raises(InvalidRequest) as invalid:
        replace(first, order_qty="7.5")
    assert "at most 7," in invalid.value.errors[0].message
    replace(first, order_qty="6")
    with pytest.raises(InvalidRequest) as invalid:
        replace(second, order_qty="5")
    assert "at most 4," in invalid.value.errors[0].message, "what the first has asked for is spoken for"
    assert record_manual(desk, side="sell", position_effect="close").order_qty == Decimal(1)


def test_an_exit_may_always_shrink(desk: Desk) -> None:
    hold(desk, "10")
    order = at_broker(desk, action="sell", order_type="exit", quantity="10")
    assert replace(order, order_qty="2.5").status == "RECORDED"
