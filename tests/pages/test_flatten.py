"""Close positions from the dashboard: offered, asked, done, said."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from brokers.models import BrokerAccount
from orders.intake.problem import Problem, ProblemError, ProblemType
from orders.models import Order
from orders.views import flatten_page
from orders.views.flattening import FlattenOutcome
from tests.pages.rows import make_order, make_position, make_trade

URL = "/positions/flatten"


class Desk:
    """Stands in for the desk: keeps what it was asked, answers as it was told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: FlattenOutcome | Problem = FlattenOutcome([], 0, answered=True)

    async def flatten(self, **asked: Any) -> FlattenOutcome:
        self.asked.append(asked)
        if isinstance(self.answer, Problem):
            raise ProblemError(self.answer)
        return self.answer


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(flatten_page, "flatten_positions", desk.flatten)
    return desk


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def exit_of(account: BrokerAccount, ord_status: str, **fields: Any) -> Order:
    return make_order(account, ord_status, side="SELL", position_effect="CLOSE", **fields)


def test_who_is_not_signed_in_closes_nothing(client: Client, db: None, desk: Desk) -> None:
    assert client.post(URL)["Location"].startswith("/login/")
    assert desk.asked == []


def test_the_list_offers_to_close_each_and_all(page: Client, account: BrokerAccount) -> None:
    position = make_position(account, "AAPL")
    make_trade(account, "AAPL")
    html = page.get("/positions/").content.decode()
    assert f"{URL}?account={account.pk}&amp;symbol=AAPL" in html
    assert f'href="{URL}"' in html
    position.qty = position.cost = 0
    position.save()
    assert URL not in page.get("/positions/", {"all": "1"}).content.decode().partition("<tbody")[2]


def test_the_page_asks_first_and_names_what_it_closes(
    page: Client, account: BrokerAccount, bobs_account: BrokerAccount, desk: Desk
) -> None:
    make_position(account, "AAPL")
    make_position(account, "MSFT")
    make_position(bobs_account, "TSLA")
    make_order(account, "NEW", symbol="AAPL", ord_type="LIMIT", price="10")
    html = page.get(URL, {"symbol": "AAPL", "account": str(account.pk)}).content.decode()
    assert "Close AAPL?" in html
    assert "1 open order" in html
    assert "MSFT" not in html
    html = page.get(URL).content.decode()
    assert "Close everything?" in html
    assert "MSFT" in html
    assert "TSLA" not in html
    assert desk.asked == []


def test_with_nothing_open_there_is_nothing_to_press(page: Client, account: BrokerAccount) -> None:
    for query in ({}, {"account": "nonsense"}, {"account": str(uuid.uuid4())}):
        html = page.get(URL, query).content.decode()
        assert "No position is open here." in html
        assert "Cancel and close" not in html


def test_what_was_named_is_closed_and_told(page: Client, account: BrokerAccount, desk: Desk) -> None:
    desk.answer = FlattenOutcome([exit_of(account, "FILLED", cum_qty="10")], 0, answered=True)
    response = page.post(f"{URL}?account={account.pk}&symbol=AAPL", follow=True)
    assert [(one["account_id"], one["symbol"]) for one in desk.asked] == [(account.pk, "AAPL")]
    assert said(response) == ["Closed: AAPL."]


@pytest.mark.parametrize(
    ("exits", "canceled", "words"),
    [
        ([], 0, "There was nothing to close."),
        ([], 2, "2 orders are canceled."),
        ([("DENIED", {"reason": "NOTHING_TO_CLOSE"})], 1, "There was nothing left to close."),
        ([("NEW", {})], 0, "Not closed yet: AAPL (new). See their orders."),
        ([("REJECTED", {})], 0, "Not closed yet: AAPL (rejected). See their orders."),
    ],
)
def test_what_came_of_it_is_said(
    page: Client,
    account: BrokerAccount,
    desk: Desk,
    exits: list[tuple[str, dict[str, Any]]],
    canceled: int,
    words: str,
) -> None:
    orders = [exit_of(account, status, **fields) for status, fields in exits]
    desk.answer = FlattenOutcome(orders, canceled, answered=True)
    assert said(page.post(URL, follow=True)) == [words]


def test_a_refusal_is_told(page: Client, desk: Desk) -> None:
    desk.answer = Problem(ProblemType.NO_ACCOUNT, "There is no such broker account.")
    assert "There is no such broker account." in said(page.post(URL, follow=True))[0]
