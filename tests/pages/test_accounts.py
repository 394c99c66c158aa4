"""The page of accounts: the last comparison of each, what it found, and asking for one."""

import uuid

import pytest
from django.test import Client

from brokers.models import BrokerAccount
from orders.models import Errand
from orders.views import accounts
from tests.factories.findings import make_finding, make_halt

URL = "/accounts/"


def test_who_is_not_signed_in_is_sent_to_the_login(client: Client, db: None) -> None:
    assert client.get(URL)["Location"] == "/login/?next=/accounts/"


def test_a_trader_sees_what_was_found_in_their_accounts(
    page: Client, account: BrokerAccount, bobs_account: BrokerAccount
) -> None:
    assert "Not compared with its broker yet" in page.get(URL).content.decode()
    make_finding(account)
    make_halt(account, "AAPL differs")
    make_finding(bobs_account, symbol="TSLA")
    body = page.get(URL).content.decode()
    assert "Entries are halted since" in body
    assert "AAPL differs" in body
    assert "10 at 100" in body
    assert "Open: an operator says" in body
    assert "TSLA" not in body


def test_the_button_has_the_account_compared(
    page: Client, account: BrokerAccount, bobs_account: BrokerAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(accounts, "hand_over", rung.append)
    answer = page.post(f"{URL}{account.pk}/compare", follow=True)
    assert "is being compared with its broker" in answer.content.decode()
    assert "To be compared again" in answer.content.decode()
    assert (Errand.objects.get().account, rung) == (account, [account.user_id])
    for not_ours in (bobs_account.pk, uuid.uuid4()):
        assert page.post(f"{URL}{not_ours}/compare").status_code == 404
    assert page.get(f"{URL}{account.pk}/compare").status_code == 405
