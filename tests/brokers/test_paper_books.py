"""Opening accounts at the paper exchange and reading its books."""

from __future__ import annotations

import time
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from brokers import registry
from brokers.base import BrokerAdapter
from brokers.errors import BrokerUnavailable, CredentialsRefused, OutcomeUnknown
from brokers.paper.ledger import read_ledger
from brokers.paper.provision import PaperAccount, create_accounts
from brokers.types import ExecType, NewOrder, OrdStatus
from tests.brokers.payloads import do_nothing, new_order
from tests.fixtures.scripted_http import Answer, ScriptedServer, answer, hang_up
from tests.fixtures.venue_process import VenueProcess


def open_accounts(venue: VenueProcess, count: int = 1, *, unique: bool = True) -> list[PaperAccount]:
    return create_accounts(
        count,
        Decimal("5000.50"),
        venue_url=venue.base_url,
        admin_token=venue.admin_token,
        unique_client_order_ids=unique,
    )


def adapter_of(venue: VenueProcess, account: PaperAccount) -> BrokerAdapter:
    keys = {"key_id": account.key_id, "secret": account.secret}
    return registry.open_adapter("paper", keys, registry.AdapterOptions(venue_url=venue.base_url))


def fill(adapter: BrokerAdapter, order: NewOrder) -> None:
    adapter.submit_order(order, before_send=do_nothing)
    deadline = time.monotonic() + 10
    while (report := adapter.get_order(order.cl_ord_id)) and report.ord_status is not OrdStatus.FILLED:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_opens_accounts_that_trade(venue: VenueProcess) -> None:
    accounts = open_accounts(venue, 3)
    assert len({account.account_id for account in accounts}) == 3
    for account in accounts:
        adapter = adapter_of(venue, account)
        report = adapter.account()
        assert report.cash == Decimal("5000.5")
        assert report.account_number == account.account_number
        assert account.secret not in repr(account)
        assert account.key_id not in repr(account)
        adapter.close()


def test_reads_what_was_accepted_and_filled(venue: VenueProcess) -> None:
    venue.set_price("BKAA", "10")
    account, other = open_accounts(venue, 2)
    adapter = adapter_of(venue, account)
    fill(adapter, new_order(cl_ord_id="one", symbol="BKAA", order_qty=Decimal(3)))
    venue.set_price("BKAA", "11")
    match = {"account_id": account.account_id}
    venue.add_fault("fill_plan", match=match, fills=[{"qty": "1"}, {"qty": "0.5"}])
    fill(adapter, new_order(cl_ord_id="two", symbol="BKAA", order_qty=Decimal("1.5")))
    view = read_ledger(venue.conninfo, [account.account_id, other.account_id])
    assert [order.client_order_id for order in view.orders] == ["one", "two"]
    groups = view.by_client_order_id()
    (one,) = groups[account.account_id, "one"]
    (two,) = groups[account.account_id, "two"]
    assert (one.qty, one.filled_qty, one.avg_price) == (Decimal(3), Decimal(3), Decimal(10))
    assert (one.status, one.side, one.symbol) == ("filled", "buy", "BKAA")
    assert [fill.qty for fill in two.fills] == [Decimal(1), Decimal("0.5")]
    executions = adapter.list_executions(since=one.accepted_at)
    assert [one.exec_id for one in executions] == [
        fill.execution_id for order in (one, two) for fill in order.fills
    ]
    assert one.accepted_at.utcoffset() is not None
    adapter.close()


def test_what_was_busted_or_corrected_counts_as_it_stands(venue: VenueProcess) -> None:
    venue.set_price("BKCC", "10")
    (account,) = open_accounts(venue)
    adapter = adapter_of(venue, account)
    for cl_ord_id in ("kept", "busted", "corrected"):
        fill(adapter, new_order(cl_ord_id=cl_ord_id, symbol="BKCC", order_qty=Decimal(3)))
    kept, busted, corrected = standing_fills(venue, account)
    amend(venue, account, busted, "bust")
    amend(venue, account, corrected, "correct", qty="2", price="11")
    (again,) = set(standing_fills(venue, account)) - {kept}
    amend(venue, account, again, "correct", price="12")
    view = read_ledger(venue.conninfo, [account.account_id])
    assert [[(one.qty, one.price) for one in order.fills] for order in view.orders] == [
        [(Decimal(3), Decimal(10))],
        [],
        [(Decimal(2), Decimal(12))],
    ]
    assert again not in {one.execution_id for order in view.orders for one in order.fills}
    (holding,) = view.holdings
    assert (holding.symbol, holding.qty, holding.cash) == ("BKCC", Decimal(5), Decimal(-54))
    told = adapter.list_executions(since=view.orders[0].accepted_at)
    assert [one.exec_type for one in told] == [
        *[ExecType.TRADE] * 3,
        ExecType.TRADE_CANCEL,
        *[ExecType.TRADE_CORRECT] * 2,
    ]
    assert [one.exec_ref_id for one in told[3:]] == [busted, corrected, again]
    adapter.close()


def test_a_holding_follows_a_split_and_a_bust_of_what_was_before_it(venue: VenueProcess) -> None:
    venue.set_price("BKDD", "10")
    (account,) = open_accounts(venue)
    adapter = adapter_of(venue, account)
    for cl_ord_id in ("one", "two"):
        fill(adapter, new_order(cl_ord_id=cl_ord_id, symbol="BKDD", order_qty=Decimal(3)))
    venue.request("POST", "/control/splits", {"symbol": "BKDD", "old": 1, "new": 2})
    amend(venue, account, standing_fills(venue, account)[0], "bust")
    (holding,) = read_ledger(venue.conninfo, [account.account_id]).holdings
    assert (holding.qty, holding.cash) == (Decimal(6), Decimal(-30))
    (position,) = adapter.list_positions()
    assert position.qty == holding.qty
    adapter.close()


def standing_fills(venue: VenueProcess, account: PaperAccount) -> list[str]:
    view = read_ledger(venue.conninfo, [account.account_id])
    return [one.execution_id for order in view.orders for one in order.fills]


def amend(venue: VenueProcess, account: PaperAccount, execution_id: str, what: str, **body: str) -> None:
    path = f"/control/fills/{execution_id}/{what}"
    venue.request("POST", path, {"account_id": account.account_id, **body})


def test_shows_a_duplicate_where_the_account_allows_one(venue: VenueProcess) -> None:
    venue.set_price("BKBB", "10")
    (account,) = open_accounts(venue, unique=False)
    adapter = adapter_of(venue, account)
    for _ in range(2):
        adapter.submit_order(new_order(cl_ord_id="twice", symbol="BKBB"), before_send=do_nothing)
    view = read_ledger(venue.conninfo, [account.account_id])
    assert len(view.by_client_order_id()[account.account_id, "twice"]) == 2
    adapter.close()


def test_reads_the_books_of_a_venue_that_is_down(venue: VenueProcess) -> None:
    (account,) = open_accounts(venue)
    venue.stop()
    try:
        assert read_ledger(venue.conninfo, [account.account_id, str(uuid4())]).orders == ()
        with pytest.raises(BrokerUnavailable):
            open_accounts(venue)
    finally:
        venue.start()


def test_cannot_write_in_the_books(venue: VenueProcess) -> None:
    with psycopg.connect(venue.conninfo) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute("UPDATE ledger SET qty = 1")


def test_a_wrong_token_is_refused_and_not_shown(venue: VenueProcess) -> None:
    with pytest.raises(CredentialsRefused) as caught:
        create_accounts(1, Decimal(1), venue_url=venue.base_url, admin_token="wrong-token")
    assert "wrong-token" not in str(caught.value)


@pytest.mark.parametrize(
    "fate", [answer(500, ""), answer(200, "{"), answer(200, []), answer(200, [{"account_id": "1"}])]
)
def test_an_answer_that_cannot_be_used(server: ScriptedServer, fate: Answer) -> None:
    server.script.append(fate)
    with pytest.raises(OutcomeUnknown):
        create_accounts(1, Decimal(1), venue_url=server.url, admin_token="t")


def test_no_answer_shows_no_token(server: ScriptedServer) -> None:
    server.script.append(hang_up)
    with pytest.raises(OutcomeUnknown) as caught:
        create_accounts(1, Decimal(1), venue_url=server.url, admin_token="hidden-token")
    assert caught.value.__context__ is None
