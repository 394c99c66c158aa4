"""Every broker's instruments: read by one trader's worker once a day, kept when that fails, missed when it goes on."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from brokers.errors import BrokerUnavailable, OutcomeUnknown
from brokers.models import BrokerAccount, Instrument
from brokers.types import InstrumentReport
from orders.models import AttentionItem, Errand
from orders.services.catalogue import (
    ask_for_instruments,
    is_due,
    read_instruments,
    refresh_instruments,
    watch_instruments,
)
from orders.services.errands import write_errand
from orders.services.instruments import instrument_of
from tasks import sweeps
from tests.factories.instruments import WHOLE, keep, listing
from tests.factories.traders import Desk, make_account, make_desk

if TYPE_CHECKING:
    from orders.services.leases import Fence

pytestmark = pytest.mark.django_db


class Lister:
    """An adapter that lists what it is told."""

    def __init__(self, *answers: list[InstrumentReport] | Exception) -> None:
        self.answers = list(answers)

    def list_instruments(self) -> list[InstrumentReport]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def errand_of(desk: Desk) -> Errand:
    write_errand(user_id=desk.user.id, account_id=desk.account.id, kind=Errand.Kind.INSTRUMENTS)
    return Errand.objects.get(account=desk.account)


def age(broker: str = "paper", **ago: float) -> None:
    Instrument.objects.filter(broker=broker).update(refreshed_at=timezone.now() - dt.timedelta(**ago))


def kept(broker: str = "paper") -> dict[str, bool]:
    rows = Instrument.objects.filter(broker=broker).order_by("symbol")
    return dict(rows.values_list("symbol", "tradable"))


# --- what is kept ---


def test_what_the_broker_says_is_kept_and_said_anew() -> None:
    ticks = ((Decimal(0), Decimal("0.05")),)
    [first] = keep("paper", listing("AAPL", ticks=ticks, multiplier=Decimal(100), **WHOLE))
    assert (first.name, first.lot_step, first.min_notional, first.multiplier) == ("AAPL Inc.", 1, None, 100)
    assert (first.tick_rule, first.tick_at(Decimal(7))) == (ticks, Decimal("0.05"))
    [again] = keep("paper", listing("AAPL", name="Apple", shortable=False))
    assert (again.pk, again.name, again.shortable) == (first.pk, "Apple", False)
    assert (again.lot_step, again.min_notional) == (Decimal("0.000000001"), 1)
    assert again.refreshed_at > first.refreshed_at


def test_what_has_vanished_is_not_tradable_and_stays() -> None:
    keep("paper", listing("AAPL"), listing("OLD"))
    keep("alpaca", listing("OLD"))
    assert refresh_instruments("paper", [listing("AAPL")]) == 1
    assert kept() == {"AAPL": True, "OLD": False}
    assert kept("alpaca") == {"OLD": True}
    assert refresh_instruments("paper", [listing("AAPL"), listing("OLD")]) == 0
    assert kept() == {"AAPL": True, "OLD": True}


def test_a_listing_that_was_cut_off_changes_nothing() -> None:
    symbols = [f"S{number}" for number in range(30)]
    keep("paper", *map(listing, symbols))
    with pytest.raises(OutcomeUnknown, match="lists 14 tradable symbols where it had 30"):
        refresh_instruments("paper", [listing(symbol) for symbol in symbols[:14]])
    assert kept() == dict.fromkeys(sorted(symbols), True)
    assert refresh_instruments("paper", [listing(symbol) for symbol in symbols[:15]]) == 15


def test_the_last_word_on_a_symbol_that_comes_twice_counts() -> None:
    [row] = keep("paper", listing("AAPL", name="one"), listing("AAPL", name="two"))
    assert row.name == "two"


def test_twelve_thousand_symbols_take_a_handful_of_statements() -> None:
    reports = [listing(f"S{number}") for number in range(12_000)]
    with CaptureQueriesContext(connection) as queries:
        refresh_instruments("paper", reports)
    assert len(queries) < 15
    assert Instrument.objects.count() == 12_000


# --- who reads it ---


def asked() -> list[int]:
    """Return the traders whose workers are to read a catalogue."""
    errands = Errand.objects.filter(kind=Errand.Kind.INSTRUMENTS)
    return sorted(errands.values_list("user", flat=True))


def test_a_fresh_desk_asks_one_worker_of_each_broker(desk: Desk) -> None:
    others = [make_desk() for _ in range(3)]
    live = make_account(desk.user, broker="alpaca", simulation=False)
    make_account(desk.user, broker="paper_c", verified_at=None)
    ask_for_instruments()
    errands = Errand.objects.filter(kind=Errand.Kind.INSTRUMENTS).select_related("account")
    assert sorted(errand.account.broker for errand in errands) == ["alpaca", "paper"]
    assert errands.get(account__broker="alpaca").account == live
    assert asked() == sorted(errand.account.user_id for errand in errands)
    assert set(asked()) <= {desk.user.id, *(other.user.id for other in others)}
    first = list(errands.values_list("pk", flat=True))
    ask_for_instruments()
    assert list(errands.values_list("pk", flat=True)) == first, "asked again"


def test_a_worker_that_is_there_and_idle_is_asked_before_others(desk: Desk, fence: Fence) -> None:
    for _ in range(6):
        make_desk()
    ask_for_instruments()
    assert asked() == [desk.user.id]


def test_another_worker_is_asked_where_one_fails_again_and_again(desk: Desk) -> None:
    other = make_desk()
    errand_of(desk)
    ask_for_instruments()
    assert asked() == [desk.user.id]
    Errand.objects.update(tries=3)
    ask_for_instruments()
    assert asked() == [other.user.id]
    assert list(Errand.objects.values_list("account", "tries")) == [(other.account.id, 0)]


def test_the_only_account_is_asked_again(desk: Desk) -> None:
    errand_of(desk)
    Errand.objects.update(tries=3)
    ask_for_instruments()
    assert asked() == [desk.user.id]
    assert Errand.objects.get().tries == 0


def test_the_worker_reads_and_keeps(desk: Desk, fence: Fence) -> None:
    assert instrument_of(desk.account, "AAPL") is None
    read_instruments(errand_of(desk), Lister([listing("AAPL")]), fence)  # type: ignore[arg-type]
    found = instrument_of(desk.account, "AAPL")
    assert found is not None and found.tradable


def test_nothing_is_asked_of_the_broker_again_on_the_same_day(desk: Desk, fence: Fence) -> None:
    keep("paper", listing("AAPL"))
    read_instruments(errand_of(desk), Lister(), fence)  # type: ignore[arg-type]
    age(hours=25)
    with pytest.raises(IndexError):
        read_instruments(errand_of(desk), Lister(), fence)  # type: ignore[arg-type]


def test_a_refresh_that_fails_keeps_the_old_rows_and_is_still_due(desk: Desk, fence: Fence) -> None:
    keep("paper", listing("AAPL"), listing("MSFT"))
    age(hours=25)
    with pytest.raises(BrokerUnavailable):
        read_instruments(errand_of(desk), Lister(BrokerUnavailable("down")), fence)  # type: ignore[arg-type]
    assert kept() == {"AAPL": True, "MSFT": True}
    assert is_due("paper")


# --- the alarm ---


def alarms() -> list[str]:
    items = AttentionItem.objects.filter(kind=AttentionItem.Kind.INSTRUMENTS_STALE, resolved_at__isnull=True)
    return list(items.values_list("detail", flat=True))


@pytest.mark.parametrize(("hours", "stale"), [(71, []), (73, ["paper"])])
def test_three_days_are_an_alarm(desk: Desk, hours: int, stale: list[str]) -> None:
    keep("paper", listing("AAPL"))
    age(hours=hours)
    assert watch_instruments() == stale
    assert len(alarms()) == len(stale)


def test_a_broker_that_was_never_read_is_one_after_three_days_too(desk: Desk) -> None:
    assert watch_instruments() == []
    BrokerAccount.objects.update(verified_at=timezone.now() - dt.timedelta(days=4))
    assert watch_instruments() == ["paper"]
    assert alarms() == ["paper: never read"]


def test_the_alarm_ends_by_itself(desk: Desk) -> None:
    keep("paper", listing("AAPL"))
    age(days=4)
    watch_instruments()
    keep("paper", listing("AAPL"))
    assert watch_instruments() == []
    assert alarms() == []


def test_the_sweep_asks_once(desk: Desk) -> None:
    sweeps.instruments()
    sweeps.instruments()
    assert Errand.objects.get().user_id == desk.user.id
