"""Comparisons over the API: whose, in what form, and asking for one."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.orders.api.test_authentication import assert_problem

if TYPE_CHECKING:
    from django.test import Client

    from brokers.models import BrokerAccount

URL = "/api/v1/reconciliations"


def test_a_trader_reads_the_comparisons_of_their_accounts(
    api: Client, account: BrokerAccount, bobs_account: BrokerAccount
) -> None:
    from tests.factories.findings import make_finding, make_run

    make_finding(account)
    make_run(account)
    make_finding(bobs_account)
    last, first = api.get(URL).json()["results"]
    assert (last["account"], last["findings"], last["is_settled"]) == (str(account.pk), [], True)
    (finding,) = first["findings"]
    assert (finding["kind"], finding["ours"], finding["theirs"]) == (
        "CORPORATE_ACTION",
        "10 at 100",
        "20 at 50",
    )
    assert api.get(URL, {"account": str(bobs_account.pk)}).json()["results"] == []
    assert_problem(api.get(URL, {"account": "x"}), 400, "invalid-query")


@pytest.mark.django_db
def test_an_account_is_compared_when_its_trader_asks(
    api: Client, account: BrokerAccount, bobs_account: BrokerAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orders.api import reconciliation
    from orders.models import Errand

    rung: list[int] = []
    monkeypatch.setattr(reconciliation, "hand_over", rung.append)
    for _ in range(2):
        assert api.post(f"/api/v1/accounts/{account.pk}/reconcile").status_code == 202
    errand = Errand.objects.get()
    assert (errand.account_id, errand.kind) == (account.pk, "RECONCILE")
    assert rung == [account.user_id] * 2
    for not_ours in (bobs_account.pk, uuid.uuid4()):
        assert_problem(api.post(f"/api/v1/accounts/{not_ours}/reconcile"), 404, "not-found")
    assert Errand.objects.count() == 1
