"""The order state machine: its table and its odd edges."""

from decimal import Decimal
from itertools import permutations
from typing import Any, get_args

import pytest

from brokers.types import OrdStatus
from orders.state import (
    Bust,
    Canceled,
    CancelRejected,
    CancelRequested,
    Correction,
    Denied,
    DoneForDay,
    Event,
    Expired,
    IllegalTransition,
    NotSent,
    OrderState,
    PendingCancel,
    PendingNew,
    PendingReplace,
    Rejected,
    Replaced,
    ReplaceRejected,
    ReplaceRequested,
    RequestNotSent,
    Restated,
    Sized,
    StatusReport,
    Stopped,
    Submitted,
    Suspended,
    Trade,
    Triggered,
    apply,
    event_from_dict,
    replay,
    state_from_dict,
)
from orders.state.events import BrokerFact, OwnDecision
from orders.state.transitions import TABLE
from tests.factories.events import HUNDRED, NEW, after

D = Decimal


def trade(exec_id: str, last_qty: int, last_px: str = "10") -> Trade:
    return Trade(exec_id, D(last_qty), D(last_px))


def view(state: OrderState) -> tuple[str, int, int]:
    return state.ord_status.value, int(state.cum_qty), int(state.leaves_qty)


class TestOwnDecisions:
    def test_an_order_is_recorded_sent_and_taken_back(self) -> None:
        state = OrderState(HUNDRED)
        assert view(state) == ("INITIALIZED", 0, 100)
        state = apply(state, Submitted(1))
        assert view(state) == ("SUBMITTED", 0, 100)
        assert not state.is_working
        state = apply(state, NotSent("refused connection"))
        assert view(state) == ("INITIALIZED", 0, 100)
        assert view(apply(state, Denied("too old"))) == ("DENIED", 0, 0)
        assert apply(state, Denied("too old")).is_terminal

    @pytest.mark.parametrize(
        ("before", "event"),
        [
            ([NEW, trade("a", 100)], Submitted(2)),
            ([NEW], Submitted(2)),
            ([], Submitted(1)),  # the attempt must grow
            ([NEW], NotSent()),
            ([trade("a", 1)], NotSent()),
            ([Rejected()], NotSent()),
            ([], Denied("late")),
            ([NEW], Denied("late")),
            ([NotSent()], CancelRequested("Y")),
            ([NotSent()], ReplaceRequested("Y", D(5))),
            ([NotSent(), Denied("no")], Submitted(2)),
            ([NEW, Canceled()], CancelRequested("Y")),
            ([NEW, Expired()], ReplaceRequested("Y", D(5))),
            ([NEW, CancelRequested("Y")], CancelRequested("Y")),
            ([NEW, CancelRequested("Y"), PendingCancel("Y")], RequestNotSent("Y")),
            ([NEW], RequestNotSent("Y")),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, before: list[Event], event: Event) -> None:
        state = after(*before)
        with pytest.raises(IllegalTransition) as caught:
            apply(state, event)
        assert caught.value.state is state
        assert caught.value.event is event
        assert state.ord_status.value in str(caught.value)

    def test_a_second_attempt_is_allowed_while_the_outcome_is_unknown(self) -> None:
        assert after(Submitted(2)).attempt == 2

    def test_a_request_that_never_left_is_withdrawn(self) -> None:
        state = after(NEW, CancelRequested("Y"))
        assert [request.id for request in state.open_requests] == ["Y"]
        assert apply(state, RequestNotSent("Y")) == after(NEW)


class TestFactsInOddOrder:
    """Facts are never refused; what adds nothing changes nothing."""

    @pytest.mark.parametrize(
        ("events", "expected"),
        [
            ([trade("a", 30)], ("PARTIALLY_FILLED", 30, 70)),
            ([trade("a", 30), NEW], ("PARTIALLY_FILLED", 30, 70)),
            ([NEW, PendingNew()], ("NEW", 0, 100)),
            ([NEW, trade("a", 30), trade("a", 30)], ("PARTIALLY_FILLED", 30, 70)),
            ([NEW, Canceled(), trade("a", 30)], ("CANCELED", 30, 0)),
            ([NEW, Canceled(), NEW], ("CANCELED", 0, 0)),
            ([NEW, trade("a", 100), Canceled()], ("FILLED", 100, 0)),
            ([NEW, trade("a", 100), Canceled(), Bust("v", "a")], ("CANCELED", 0, 0)),
            ([NEW, Expired(), Canceled()], ("EXPIRED", 0, 0)),
            ([NEW, trade("a", 130)], ("FILLED", 130, 0)),
            ([Rejected(), NEW], ("REJECTED", 0, 0)),
            ([Rejected(duplicate=True)], ("PENDING_NEW", 0, 100)),
            ([NotSent(), NEW], ("NEW", 0, 100)),  # it had been sent after all
            ([NEW, PendingCancel("not ours")], ("PENDING_CANCEL", 0, 100)),
            ([NEW, PendingCancel(), CancelRejected()], ("NEW", 0, 100)),
            ([NEW, CancelRejected("not ours")], ("NEW", 0, 100)),
            ([NEW, CancelRequested("Y"), CancelRejected("Y"), PendingCancel("Y")], ("NEW", 0, 100)),
            ([NEW, Replaced("Y", D(80)), Replaced("Z", D(60)), Replaced("Y", D(80))], ("NEW", 0, 60)),
            ([NEW, Canceled(), PendingReplace("Y")], ("CANCELED", 0, 0)),
            ([NEW, Canceled(), Replaced("Y", D(150))], ("CANCELED", 0, 0)),
        ],
    )
    def test_edge(self, events: list[Event], expected: tuple[str, int, int]) -> None:
        assert view(after(*events)) == expected

    def test_an_overfill_is_counted_and_visible(self) -> None:
        state = after(NEW, trade("a", 130))
        assert state.overfilled
        assert not after(NEW, trade("a", 100)).overfilled

    def test_unknown_order_holds_until_the_broker_shows_that_it_knows_it(self) -> None:
        state = after(CancelRequested("Y"), CancelRejected("Y", OrdStatus.REJECTED))
        assert view(state) == ("REJECTED", 0, 0)
        assert view(apply(state, NEW)) == ("NEW", 0, 100)
        assert view(apply(state, trade("a", 5))) == ("PARTIALLY_FILLED", 5, 95)
        assert view(apply(state, Submitted(2))) == ("SUBMITTED", 0, 100)

    def test_unknown_order_does_not_end_one_that_the_broker_has_told_of(self) -> None:
        for denial in (CancelRejected("Y", OrdStatus.REJECTED), StatusReport(OrdStatus.REJECTED)):
            assert view(after(NEW, CancelRequested("Y"), denial)) == ("NEW", 0, 100)

    def test_a_chain_of_corrections_and_its_bust_give_the_same_in_any_order(self) -> None:
        chain: list[Event] = [
            trade("D", 10, "100"),
            Correction("F", "D", D(11), D(101)),
            Correction("H", "F", D(12), D(102)),
        ]
        for order in permutations(chain):
            state = after(*order)
            assert (state.cum_qty, state.avg_px) == (D(12), D(102))
            assert after(*order, *order) == state
        for ref in ("D", "F", "H"):
            for order in permutations([*chain, Bust("V", ref)]):
                assert after(*order).fills == (), (ref, order)

    def test_a_correction_may_name_the_execution_as_first_reported(self) -> None:
        state = after(trade("D", 10), Correction("F", "D", D(9), D(10)), Correction("H", "D", D(8), D(10)))
        assert state.cum_qty == 8

    def test_a_correction_may_carry_the_id_of_what_it_corrects(self) -> None:
        state = after(trade("D", 10), Correction("D", "D", D(9), D(10)), trade("D", 10))
        assert state.cum_qty == 9
        assert apply(state, Bust("V", "D")).fills == ()


class TestRequests:
    def test_ours_shows_only_once_the_broker_has_confirmed_it(self) -> None:
        state = after(NEW, CancelRequested("Y"))
        assert state.ord_status is OrdStatus.NEW
        assert apply(state, PendingCancel("Y")).ord_status is OrdStatus.PENDING_CANCEL

    def test_a_pending_answer_keeps_a_filled_order_open(self) -> None:
        state = after(NEW, CancelRequested("Y"), PendingCancel("Y"), trade("a", 100))
        assert view(state) == ("PENDING_CANCEL", 100, 0)
        assert not state.is_terminal
        state = apply(state, CancelRejected("Y", OrdStatus.FILLED, "too late"))
        assert view(state) == ("FILLED", 100, 0)
        assert state.is_terminal

    def test_a_broker_that_names_no_request_answers_the_oldest(self) -> None:
        state = after(NEW, ReplaceRequested("Y", D(80)), ReplaceRequested("Z", D(60)))
        state = apply(state, Replaced(None, D(80)))
        assert (state.order_qty, [request.id for request in state.open_requests]) == (D(80), ["Z"])

    def test_a_replace_of_the_price_leaves_the_quantity(self) -> None:
        assert after(NEW, ReplaceRequested("Y"), Replaced("Y")).order_qty == 100

    def test_a_replace_upward_reopens_a_filled_order(self) -> None:
        state = after(NEW, trade("a", 100), ReplaceRequested("Y", D(150)), Replaced("Y", D(150)))
        assert view(state) == ("PARTIALLY_FILLED", 100, 50)
        assert state.is_working

    def test_the_end_answers_every_open_request(self) -> None:
        state = after(NEW, CancelRequested("Y"), ReplaceRequested("Z", D(50)), PendingReplace("Z"), Expired())
        assert state.open_requests == ()
        assert state.is_terminal


class TestStatusReports:
    @pytest.mark.parametrize("status", [OrdStatus.FILLED, OrdStatus.PARTIALLY_FILLED])
    def test_never_a_fill(self, status: OrdStatus) -> None:
        assert view(after(StatusReport(status))) == ("NEW", 0, 100)

    @pytest.mark.parametrize(
        "status",
        [
            OrdStatus.PENDING_NEW,
            OrdStatus.NEW,
            OrdStatus.CANCELED,
            OrdStatus.EXPIRED,
            OrdStatus.DONE_FOR_DAY,
            OrdStatus.STOPPED,
            OrdStatus.SUSPENDED,
            OrdStatus.REJECTED,
        ],
    )
    def test_its_status_is_taken_over(self, status: OrdStatus) -> None:
        assert after(StatusReport(status)).ord_status is status

    def test_a_status_without_pending_heals_a_lost_answer(self) -> None:
        state = after(NEW, CancelRequested("Y"), PendingCancel("Y"), StatusReport(OrdStatus.NEW))
        assert state.ord_status is OrdStatus.NEW
        assert [request.id for request in state.open_requests] == ["Y"]

    def test_a_pending_status_confirms_our_request(self) -> None:
        state = after(NEW, CancelRequested("Y"), StatusReport(OrdStatus.PENDING_CANCEL))
        assert state.ord_status is OrdStatus.PENDING_CANCEL


def test_precedence_when_everything_holds() -> None:
    """Take away the highest, one after the other."""
    state = after(
        NEW,
        trade("a", 100),
        ReplaceRequested("Y", D(90)),
        CancelRequested("Z"),
        Stopped(),
        Suspended(),
        DoneForDay(good_till=True),
        PendingReplace("Y"),
        PendingCancel("Z"),
    )
    seen = [state.ord_status]
    steps: list[Event] = [
        CancelRejected("Z"),
        ReplaceRejected("Y"),
        Restated(),
        Suspended(),
        Bust("v", "a"),
        StatusReport(OrdStatus.NEW),
    ]
    for step in steps:
        state = apply(state, step)
        seen.append(state.ord_status)
    assert [status.value for status in seen] == [
        "PENDING_CANCEL",
        "PENDING_REPLACE",
        "DONE_FOR_DAY",
        "FILLED",
        "FILLED",
        "STOPPED",
        "NEW",
    ]


def test_done_for_day_after_a_cancel_shows_and_yet_is_the_end() -> None:
    state = after(NEW, Canceled(), DoneForDay())
    assert view(state) == ("DONE_FOR_DAY", 0, 0)
    assert state.is_terminal


def test_a_split_restates_fills_and_a_missed_fill_does_not() -> None:
    state = after(NEW, trade("a", 20, "50"))
    split = apply(state, Restated(D(200), D(40)))
    assert (view(split), split.avg_px) == (("PARTIALLY_FILLED", 40, 160), D(25))
    assert view(apply(split, Bust("v", "a"))) == ("NEW", 0, 200)
    assert view(apply(state, Restated(D(100), D(40)))) == ("PARTIALLY_FILLED", 20, 80)


def test_the_average_rounds_half_to_even_at_ten_places() -> None:
    state = replay(D(3), [Submitted(1), trade("a", 1, "10"), trade("b", 2, "11")])
    assert str(state.avg_px) == "10.6666666667"
    assert OrderState(D(3)).avg_px is None


def test_a_cash_order_takes_its_quantity_from_the_broker() -> None:
    state = replay(D(0), [Submitted(1), Sized(D(7)), NEW, trade("a", 7)])
    assert view(state) == ("FILLED", 7, 0)


def test_a_triggered_stop_order_works() -> None:
    assert after(PendingNew(), Triggered()).is_working


def test_the_table_has_every_event_and_the_codec_too() -> None:
    assert set(TABLE) == set(get_args(Event)) == set(get_args(OwnDecision)) | set(get_args(BrokerFact))


@pytest.mark.parametrize(
    "data", [{}, {"kind": "Nonsense"}, {"kind": "Trade"}, {"kind": "Sized", "order_qty": "x"}]
)
def test_what_is_no_event_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not an order event"):
        event_from_dict(data)


@pytest.mark.parametrize("data", [{}, {"order_qty": "1"}, {"order_qty": "x", "phase": "NEW"}])
def test_what_is_no_state_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not an order state"):
        state_from_dict(data)
