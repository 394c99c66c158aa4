"""What an operator does about findings and halts, each with a reason."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client

from brokers.models import BrokerAccount
from orders.admin import broker_account
from orders.models import AccountHalt, Errand, Position, ReconciliationFinding
from tests.factories.findings import make_finding, make_halt
from tests.factories.sending import hold
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(db: None) -> Desk:
    return make_desk()


def act(operator: Client, model: str, action: str, pk: object, **fields: str) -> str:
    data = {"action": action, "_selected_action": str(pk), **fields}
    return operator.post(f"/admin/orders/{model}/", data, follow=True).content.decode()


@pytest.mark.parametrize("model", ["reconciliationrun", "reconciliationfinding", "accounthalt"])
def test_the_rows_are_to_look_at(operator: Client, desk: Desk, model: str) -> None:
    finding, halt = make_finding(desk.account), make_halt(desk.account)
    key = {"reconciliationrun": finding.run_id, "reconciliationfinding": finding.pk}.get(model, halt.pk)
    assert operator.get(f"/admin/orders/{model}/").status_code == 200
    page = operator.get(f"/admin/orders/{model}/{key}/change/")
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert operator.get(f"/admin/orders/{model}/add/").status_code == 403


def test_a_halt_is_lifted_with_a_reason_only(operator: Client, desk: Desk) -> None:
    make_finding(desk.account)
    halt = make_halt(desk.account)
    assert "Say why" in act(operator, "accounthalt", "lift_with_reason", halt.pk)
    assert AccountHalt.objects.get().lifted_at is None
    assert "Lifted: 1." in act(operator, "accounthalt", "lift_with_reason", halt.pk, reason="a split")
    halt.refresh_from_db()
    assert (halt.lift_reason, halt.lifted_by) == ("operator: a split", User.objects.get(username="operator"))
    assert ReconciliationFinding.objects.get().resolution == "operator: a split"


def test_a_finding_is_accepted_with_a_reason(operator: Client, desk: Desk) -> None:
    finding = make_finding(desk.account, kind="CASH_DIFFERS", symbol="")
    assert "Accepted: 1." in act(
        operator, "reconciliationfinding", "accept_with_reason", finding.pk, reason="a deposit"
    )
    finding.refresh_from_db()
    assert finding.resolution == "operator: a deposit"


def test_a_position_is_booked_at_the_operators_price(operator: Client, desk: Desk) -> None:
    hold(desk, "10")
    finding = make_finding(desk.account, our_qty=Decimal(10), their_qty=Decimal(20))
    model = "reconciliationfinding"
    assert "Give the price" in act(operator, model, "book_at_price", finding.pk, reason="split", price="-1")
    assert "Booked: 1." in act(operator, model, "book_at_price", finding.pk, reason="split", price="0")
    position = Position.objects.get()
    assert (position.qty, position.cost) == (20, 1000)


def test_an_account_is_compared_now(operator: Client, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[int] = []
    monkeypatch.setattr(broker_account, "hand_over", rung.append)
    account: BrokerAccount = desk.account
    data = {"action": "compare_now", "_selected_action": str(account.pk)}
    answer = operator.post("/admin/brokers/brokeraccount/", data, follow=True)
    assert "Being compared: 1." in answer.content.decode()
    assert (Errand.objects.get().account, rung) == (account, [desk.user.id])
