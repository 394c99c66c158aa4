"""Events of an order: by hand, and any that hypothesis can think of."""

from decimal import Decimal

from hypothesis import strategies as st

from brokers.types import OrdStatus
from orders.state import (
    Acknowledged,
    Bust,
    Canceled,
    CancelRejected,
    CancelRequested,
    Correction,
    Denied,
    DoneForDay,
    Event,
    Expired,
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
    Resized,
    Restated,
    Sized,
    StatusReport,
    Stopped,
    Submitted,
    Suspended,
    Trade,
    Triggered,
    replay,
)

HUNDRED = Decimal(100)
NEW = Acknowledged()


def after(*events: Event) -> OrderState:
    """The state of an order for 100 that was sent, then met ``events``."""
    return replay(HUNDRED, [Submitted(1), *events])


quantities = st.decimals("0", "200", places=3)
prices = st.decimals("0.01", "5000", places=4)
ids = st.sampled_from(["Y", "Z", "W"])
maybe_ids = st.one_of(st.none(), ids)
exec_ids = st.sampled_from([f"e{number}" for number in range(8)])
statuses = st.sampled_from(OrdStatus)

OWN = st.one_of(
    st.builds(Submitted, st.integers(1, 4)),
    st.builds(NotSent, st.text(max_size=3)),
    st.builds(Resized, quantities),
    st.builds(Denied, st.text(max_size=3)),
    st.builds(CancelRequested, ids),
    st.builds(ReplaceRequested, ids, st.one_of(st.none(), quantities)),
    st.builds(RequestNotSent, ids),
)
FACTS = st.one_of(
    st.sampled_from([PendingNew(), NEW, Expired(), Stopped(), Suspended(), Triggered()]),
    st.builds(Sized, quantities),
    st.builds(Trade, exec_ids, quantities, prices),
    st.builds(Correction, exec_ids, exec_ids, quantities, prices),
    st.builds(Bust, exec_ids, exec_ids),
    st.builds(PendingCancel, maybe_ids),
    st.builds(Canceled, maybe_ids),
    st.builds(CancelRejected, maybe_ids, st.one_of(st.none(), statuses), st.text(max_size=3)),
    st.builds(PendingReplace, maybe_ids),
    st.builds(Replaced, maybe_ids, st.one_of(st.none(), quantities)),
    st.builds(ReplaceRejected, maybe_ids, st.one_of(st.none(), statuses), st.text(max_size=3)),
    st.builds(Restated, st.one_of(st.none(), quantities), st.one_of(st.none(), quantities)),
    st.builds(DoneForDay, st.booleans()),
    st.builds(Rejected, st.text(max_size=3), st.booleans()),
    st.builds(StatusReport, statuses),
)
