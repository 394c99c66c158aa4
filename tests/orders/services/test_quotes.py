"""Quotes are fetched by the trader's worker in one call, kept with their time, and used while they are fresh."""

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from brokers.errors import OutcomeUnknown
from orders.models import Errand, Quote
from orders.services.leases import Fence
from orders.services.quotes import WANTED_SECONDS, fetch_quotes, fresh_quote, store_quotes, want_quotes
from tasks.fleet.errands import run_errand
from tests.factories.adapters import ScriptedAdapter
from tests.factories.quotes import keep_quote, make_quote
from tests.factories.sending import hold
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


def kept(desk: Desk, symbol: str = "AAPL") -> Quote:
    return Quote.objects.get(account=desk.account, symbol=symbol)


def run_errands(desk: Desk, fence: Fence, adapter: ScriptedAdapter) -> None:
    for errand in Errand.objects.filter(account=desk.account, kind=Errand.Kind.QUOTES):
        run_errand(errand, adapter, fence)  # type: ignore[arg-type]


def test_what_is_held_comes_in_one_call_and_what_is_wanted_in_another(desk: Desk, fence: Fence) -> None:
    hold(desk, "10")
    want_quotes(desk.account, ["MSFT", "AAPL", "MSFT"])
    want_quotes(desk.account, ["TSLA"])
    assert Errand.objects.filter(kind=Errand.Kind.QUOTES).count() == 1
    adapter = ScriptedAdapter(quoted=[make_quote("AAPL", "99", "101"), make_quote("MSFT", "50")])
    run_errands(desk, fence, adapter)
    assert adapter.asked == ["AAPL", "MSFT,TSLA"]
    assert (kept(desk).bid_px, kept(desk).ask_px, kept(desk).wanted_at) == (99, 101, None)
    assert (kept(desk, "MSFT").ask_px, kept(desk, "TSLA").quote_time) == (50, None)
    assert kept(desk, "TSLA").fetched_at is not None
    run_errands(desk, fence, adapter)
    assert adapter.asked[2:] == ["AAPL"], "what was answered is not wanted any more"


def test_the_broker_is_asked_outside_of_any_transaction(desk: Desk, transactional_db: None) -> None:
    class Watching(ScriptedAdapter):
        def quotes(self, symbols):  # type: ignore[no-untyped-def]
            assert not connection.in_atomic_block
            return super().quotes(symbols)

    want_quotes(desk.account, ["AAPL"])
    fetch_quotes(desk.account.pk, Watching(quoted=[make_quote()]))  # type: ignore[arg-type]
    assert kept(desk).bid_px == 100


def test_a_broker_that_does_not_answer_leaves_what_is_there(desk: Desk, fence: Fence) -> None:
    keep_quote(desk.account, "100")
    want_quotes(desk.account, ["AAPL"])
    with pytest.raises(OutcomeUnknown):
        run_errands(desk, fence, ScriptedAdapter(quoted=OutcomeUnknown("silence")))
    assert kept(desk).bid_px == 100
    assert kept(desk).wanted_at is not None


def test_what_never_comes_is_not_asked_for_for_ever(desk: Desk) -> None:
    want_quotes(desk.account, ["NONE"])
    Quote.objects.update(wanted_at=timezone.now() - dt.timedelta(seconds=WANTED_SECONDS + 1))
    adapter = ScriptedAdapter()
    fetch_quotes(desk.account.pk, adapter)  # type: ignore[arg-type]
    assert adapter.asked == []


@pytest.mark.parametrize(("bid", "ask"), [("101", "100"), ("0", "100"), ("100", "-1"), (None, None)], ids=str)
def test_a_quote_that_cannot_be_used_is_kept_as_none(desk: Desk, bid: str | None, ask: str | None) -> None:
    keep_quote(desk.account, "100")
    store_quotes(desk.account.pk, ["AAPL"], [make_quote("AAPL", bid, ask)], fetched_at=timezone.now())
    assert (kept(desk).bid_px, kept(desk).ask_px, kept(desk).quote_time) == (None, None, None)
    assert fresh_quote(desk.account, "AAPL", MINUTE) is None


def test_a_missing_side_is_none(desk: Desk) -> None:
    store_quotes(desk.account.pk, ["AAPL"], [make_quote("AAPL", None, "100")], fetched_at=timezone.now())
    quote = fresh_quote(desk.account, "AAPL", MINUTE)
    assert quote is not None
    assert (quote.bid_px, quote.ask_px) == (None, 100)


def test_an_answer_that_comes_late_does_not_take_the_place_of_a_newer_one(desk: Desk) -> None:
    now = timezone.now()
    store_quotes(desk.account.pk, ["AAPL"], [make_quote("AAPL", "100")], fetched_at=now)
    store_quotes(desk.account.pk, ["AAPL"], [make_quote("AAPL", "90")], fetched_at=now - MINUTE)
    assert kept(desk).bid_px == 100


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (59, True), (61, False), (-3600, True)])
def test_fresh_by_the_brokers_own_time(desk: Desk, age: float, fresh: bool) -> None:
    keep_quote(desk.account, "100", age_seconds=age)
    assert (fresh_quote(desk.account, "AAPL", MINUTE) is not None) is fresh


def test_a_brokers_clock_that_is_ahead_keeps_nothing_fresh(desk: Desk) -> None:
    fetched_at = timezone.now() - 2 * MINUTE
    store_quotes(desk.account.pk, ["AAPL"], [make_quote(age_seconds=-3600)], fetched_at=fetched_at)
    assert fresh_quote(desk.account, "AAPL", MINUTE) is None


@pytest.mark.parametrize(
    "columns",
    [
        {"bid_px": 0, "ask_px": 1},
        {"bid_px": 2, "ask_px": 1},
        {"bid_px": 1, "ask_px": -1},
        {"bid_px": 1, "ask_px": 1, "quote_time": None},
    ],
    ids=str,
)
def test_the_database_keeps_no_unusable_quote(desk: Desk, columns: dict[str, object]) -> None:
    now = timezone.now()
    values = {"quote_time": now, "fetched_at": now} | columns
    with pytest.raises(IntegrityError), transaction.atomic():
        Quote.objects.create(account=desk.account, symbol="AAPL", **values)
