"""The idempotency keys of cancels and replaces."""

import pytest
from django.utils import timezone

from brokers.types import ExecType, OrdStatus
from orders.models import OrderRequest
from orders.services.requests import KeyUsedElsewhere
from tests.factories.reports import make_fill, make_report
from tests.factories.requests import cancel, replace
from tests.factories.sending import at_broker, hear
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db


def test_the_same_key_is_the_same_request_also_when_the_order_has_ended(desk: Desk) -> None:
    order = at_broker(desk)
    first = replace(order, key="k", digest="d", price="101")
    assert replace(order, key="k", digest="d", price="101").pk == first.pk
    hear(order, make_fill(order, "10"))
    assert replace(order, key="k", digest="d", price="101").pk == first.pk
    assert OrderRequest.objects.count() == 1


def test_a_key_belongs_to_one_request(desk: Desk) -> None:
    order, other = at_broker(desk), at_broker(desk)
    replace(order, key="k", digest="d", price="101")
    for ask in (
        lambda: replace(order, key="k", digest="e", price="102"),
        lambda: replace(other, key="k", digest="d", price="101"),
        lambda: cancel(order, idempotency_key="k", request_digest="d"),
    ):
        with pytest.raises(KeyUsedElsewhere) as used:
            ask()
        assert used.value.order_id == order.id
    assert OrderRequest.objects.count() == 1


def test_another_traders_key_is_another_key(desk: Desk) -> None:
    cancel(at_broker(desk), idempotency_key="k")
    assert cancel(at_broker(make_desk()), idempotency_key="k").status == "RECORDED"


# --- a cancel that is answered with the open one ---


@pytest.mark.parametrize("first_key", ["k1", None])
def test_a_second_cancel_under_another_key_is_answered_alike_for_good(
    desk: Desk, first_key: str | None
) -> None:
    order = at_broker(desk)
    first = cancel(order, idempotency_key=first_key)
    assert cancel(order, idempotency_key="k2").pk == first.pk
    hear(order, make_report(order, ExecType.CANCELED, ord_status=OrdStatus.CANCELED))
    for key in ("k2", "k2", first_key):
        if key is not None:
            assert cancel(order, idempotency_key=key).pk == first.pk
    assert OrderRequest.objects.count() == 1


def test_its_key_asks_for_no_further_cancel_once_the_broker_has_refused(desk: Desk) -> None:
    order = at_broker(desk)
    first = cancel(order, idempotency_key="k1")
    cancel(order, idempotency_key="k2")
    OrderRequest.objects.update(status="REFUSED", answered_at=timezone.now())
    assert cancel(order, idempotency_key="k2").status == "REFUSED"
    assert cancel(order, idempotency_key="k3").pk != first.pk


def test_its_key_belongs_to_that_cancel(desk: Desk) -> None:
    order, other = at_broker(desk), at_broker(desk)
    first = cancel(order, idempotency_key="k1", request_digest="d")
    cancel(order, idempotency_key="k2", request_digest="d")
    OrderRequest.objects.filter(pk=first.pk).update(status="REFUSED", answered_at=timezone.now())
    for ask in (
        lambda: cancel(order, idempotency_key="k2", request_digest="e"),
        lambda: cancel(other, idempotency_key="k2", request_digest="d"),
        lambda: replace(order, key="k2", digest="d", price="101"),
    ):
        with pytest.raises(KeyUsedElsewhere) as used:
            ask()
        assert used.value.order_id == order.id
    assert OrderRequest.objects.count() == 1
    cancel(at_broker(make_desk()), idempotency_key="k2")
