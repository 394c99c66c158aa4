"""What a worker does for the trader that it is bound to."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from brokers.errors import NotSent, OutcomeUnknown
from brokers.models import BrokerAccount
from brokers.types import OrdStatus, OrdType, PositionEffect
from orders.models import Errand, Order, OrderRequest
from orders.selectors import (
    WorkAtHand,
    errands_due,
    has_open_orders,
    orders_at_broker,
    orders_due,
    unsent_orders,
    unsent_requests,
    work_at_hand,
)
from orders.services.attempts import backoff_seconds
from orders.services.clearing import clear_way
from orders.services.errands import finish_errand, put_off_errand
from orders.services.executions import Applied
from orders.services.leases import Fence, LeaseLost
from orders.services.lookup import look_up_order
from orders.services.outages import is_held_up
from orders.services.reconciliation.asking import ask_at_start
from orders.services.request_sending import put_off_request, send_request
from orders.services.sizing_facts import FactsMissing, facts_for
from orders.services.submission import submit_order
from orders.services.sweeping import deny_stale_entry
from orders.services.trouble import TROUBLE
from orders.services.unsent import is_too_old, postpone_order, put_off_sizing
from orders.services.verification import check_all_of, note_check, verify_account
from tasks import routing
from tasks.fleet.accounts import AccountSession, AccountUnusable
from tasks.fleet.errands import run_errand
from tasks.fleet.slots import Slot, boottime
from tasks.fleet.watching import known_of
from tasks.replies import answer, answer_requests

log = structlog.get_logger(__name__)

STREAM_WAIT_SECONDS = 0.25
MOST_URGENT = 8
"""So often errands go before everything else, until the broker is asked what is due: it may know what they do not."""
UNSIZED_SECONDS = 1.0  # before price and equity are asked for again
UNUSABLE_SECONDS = 30.0  # before an account that could not be opened is tried again


@dataclass(frozen=True, slots=True)
class Pause:
    """An order is left alone, ever longer: so many times something went wrong with it."""

    count: int
    until: float  # boottime

    @classmethod
    def after(cls, last: "Pause | None") -> "Pause":
        count = last.count + 1 if last else 1
        return cls(count, boottime() + backoff_seconds(count))


class TraderSession:
    """The trader's broker sessions and the two jobs: send what is due, check what is due."""

    def __init__(self, fence: Fence, slot: Slot) -> None:
        self.fence = fence
        self._slot = slot
        self._accounts: dict[uuid.UUID, AccountSession] = {}
        self._troubled: dict[uuid.UUID, Pause] = {}
        self._caught_up = False
        self._seen = WorkAtHand()  # the last look: what is left once all is sent that could be

    @property
    def user_id(self) -> int:
        return self.fence.user_id

    def has_open_orders(self) -> bool:
        return has_open_orders(self.user_id)

    def close(self) -> None:
        for account in self._accounts.values():
            account.close()
        self._accounts.clear()

    def before_send(self) -> None:
        """Refuse to send once the lease's local deadline has passed, asleep or awake."""
        if boottime() >= self._slot.deadline:
            raise LeaseLost("the lease's deadline has passed")

    def work(self) -> bool:
        """Send, look up what others left in flight, catch up, check; return whether anything was done."""
        worked = self._work_off()
        if not self._caught_up:
            # Nobody has listened since the trader's last worker, if there was one. What is to be sent waits for
            # none of it: a worker is claimed because somebody waits for an answer.
            check_all_of(self.user_id)
            ask_at_start(self.user_id)
            self._caught_up, self._seen = True, work_at_hand(self.user_id)
        worked = self._run_errands() or worked
        worked = self._check_due() or worked
        return self._poll_unheard() or worked

    def poll_in_seconds(self) -> float | None:
        """Return in how many seconds a broker is to be asked whose stream tells nothing; None: all of them tell."""
        waits = [account.watch.poll_in_seconds() for account in self._accounts.values()]
        return min((wait for wait in waits if wait is not None), default=None)

    # --- look up ---

    def _look_up(self, order: Order) -> None:
        self._progress()
        try:
            adapter = self._account(order.account_id).adapter
        except AccountUnusable as error:
            note_check(order.id, str(error))
            return
        try:
            applied = look_up_order(order, adapter=adapter, fence=self.fence)
        except TROUBLE as error:
            note_check(order.id, f"look-up failed: {type(error).__name__}")
            raise
        self._answer(applied)

    # --- send ---

    def _work_off(self) -> bool:
        """Do one thing after the other, choosing anew each time, since an exit or a cancel may have come in.

        A request and an order at a time, then what nobody waits for: orders in flight under an older epoch are looked
        up, once, because their sender is gone.
        """
        worked = False
        seen: set[uuid.UUID] = set()
        urgent_left = MOST_URGENT
        while True:
            at_hand = self._seen = work_at_hand(self.user_id)
            request = self._next_request(seen) if at_hand.requests else None
            if request is not None:
                seen.add(request.id)
                worked = self._guarded(partial(self._send_request, request), request.order) or worked
            if at_hand.errands and urgent_left and self._run_errands(Errand.URGENT):
                worked, urgent_left = True, urgent_left - 1
                continue  # it may have recorded orders, and requests
            alone = self._left_alone()
            orders = unsent_orders(self.user_id, leave_out=alone) if at_hand.orders else []
            in_flight = [order for order in orders if order.ord_status == OrdStatus.SUBMITTED]
            recorded = [order for order in orders if order.ord_status == OrdStatus.INITIALIZED]
            now = timezone.now()
            stale = next((order for order in recorded if is_too_old(order, now)), None)
            if stale is not None:  # also where it is held back and never chosen
                worked = self._guarded(self._deny_stale, stale) or worked
                continue
            chosen = pick_next(recorded, {_place(order) for order in in_flight})
            if chosen is not None:
                worked = self._guarded(self._send, chosen) or worked
                continue
            inherited = [order for order in in_flight if order.epoch != self.fence.epoch and not order.checks]
            orphan = next((order for order in inherited if order.id not in seen | alone), None)
            if orphan is not None:
                seen.add(orphan.id)
                worked = self._guarded(self._look_up, orphan) or worked
            elif request is None:
                return worked

    def _guarded(self, action: Callable[..., None], *orders: Order) -> bool:
        """Do something for one order or some; what goes wrong with them must not hold up the trader's others."""
        try:
            action(*orders)
        except (*TROUBLE, OperationalError) as error:
            if isinstance(error, OperationalError) and not is_held_up(error):
                raise
            log.exception("in trouble, the others go on", orders=[str(order.id) for order in orders])
            for order in orders:
                self._troubled[order.id] = Pause.after(self._troubled.get(order.id))
            return False
        for order in orders:
            self._troubled.pop(order.id, None)
        return True

    def _left_alone(self) -> set[uuid.UUID]:
        """Return the orders that are in trouble and whose pause lasts."""
        now = boottime()
        return {order_id for order_id, pause in self._troubled.items() if pause.until > now}

    def _send(self, order: Order) -> None:
        self._progress()
        dequeued_at = timezone.now()
        try:
            account = self._account(order.account_id)
        except AccountUnusable as error:
            postpone_order(order.id, str(error), seconds=UNUSABLE_SECONDS, fence=self.fence)
            return
        try:
            facts = facts_for(order.id, account.adapter) if order.needs_sizing else None
        except (FactsMissing, NotSent, OutcomeUnknown) as error:
            put_off_sizing(order.id, str(error), seconds=UNSIZED_SECONDS, fence=self.fence)
            return
        with account.holding(order) as heard:
            applied = submit_order(
                order.id,
                adapter=account.adapter,
                fence=self.fence,
                before_send=self.before_send,
                heard=heard,
                dequeued_at=dequeued_at,
                facts=facts,
            )
        self._answer(applied)
        if applied is None:  # not sent, perhaps because others have to end before
            for one in clear_way(order.id, adapter=account.adapter, fence=self.fence):
                self._answer(one)
        if order.ord_type == OrdType.MARKET and not account.stream.is_live:
            self._follow_fill(order, account)

    def _deny_stale(self, order: Order) -> None:
        deny_stale_entry(order.id)
        order.refresh_from_db()
        answer(order, self.fence)

    def _next_request(self, seen: set[uuid.UUID]) -> OrderRequest | None:
        """Return the next cancel or replace that is due and was not tried yet."""
        alone = self._left_alone()
        requests = unsent_requests(self.user_id)
        return next((one for one in requests if one.id not in seen and one.order_id not in alone), None)

    def _send_request(self, request: OrderRequest, order: Order) -> None:
        self._progress()
        try:
            adapter = self._account(order.account_id).adapter
        except AccountUnusable as error:
            put_off_request(request.id, str(error), seconds=UNUSABLE_SECONDS, fence=self.fence)
            return
        self._answer(
            send_request(request.id, adapter=adapter, fence=self.fence, before_send=self.before_send)
        )

    def _follow_fill(self, order: Order, account: AccountSession) -> None:
        """Look for a market order's fill a few times, because no stream would tell of it."""
        for delay_ms in settings.FILL_LOOKUP_DELAYS_MS:
            order.refresh_from_db()
            if order.ended or order.ord_status == OrdStatus.INITIALIZED or account.stream.is_live:
                return
            time.sleep(delay_ms / 1000)
            self._verify(account.account_id, order, counts=False)

    # --- errands ---

    def _run_errands(self, kinds: frozenset[Errand.Kind] | None = None) -> bool:
        """Do the errands that are due, all or those of some kinds; one that fails is put off, and the others go on."""
        if kinds is None and not self._seen.errands:
            return False
        worked = False
        for errand in errands_due(self.user_id):
            if kinds is None or errand.kind in kinds:
                self._progress()
                worked = self._run_errand(errand) or worked
                if kinds is None:
                    self._work_off()
        return worked

    def _run_errand(self, errand: Errand) -> bool:
        try:
            adapter = self._account(errand.account_id).adapter
            for applied in run_errand(errand, adapter, self.fence):
                self._answer(applied)
        except (AccountUnusable, NotSent, OutcomeUnknown) as error:
            put_off_errand(errand, f"{type(error).__name__}: {error}")
            return False
        except (*TROUBLE, OperationalError) as error:
            if isinstance(error, OperationalError) and not is_held_up(error):
                raise
            log.exception("an errand is in trouble, the others go on", errand=str(errand))
            put_off_errand(errand, type(error).__name__)
            return False
        return finish_errand(errand)

    # --- check ---

    def _check_due(self) -> bool:
        """Ask the broker about what is due; after each question comes what has been recorded meanwhile."""
        if not self._seen.checks:
            return False
        by_account: dict[uuid.UUID, list[Order]] = {}
        alone, worked = self._left_alone(), False
        for order in orders_due(self.user_id):
            if order.id in alone:
                continue
            if order.ord_status == OrdStatus.SUBMITTED:
                worked = self._guarded(self._look_up, order) or worked
                self._work_off()
            else:
                by_account.setdefault(order.account_id, []).append(order)
        for account_id, orders in by_account.items():
            self._progress()
            worked = self._guarded(partial(self._verify, account_id), *orders) or worked
            self._work_off()
        return worked

    def _poll_unheard(self) -> bool:
        """Ask about the open orders of accounts whose stream cannot be relied on; their schedule stays as it is."""
        worked = False
        for account in list(self._accounts.values()):
            orders = [] if account.watch.is_reliable else orders_at_broker(account.account_id)
            if account.watch.takes_poll(wanted=bool(orders)):
                self._progress()
                worked = self._guarded(partial(self._poll, account.account_id), *orders) or worked
                self._work_off()
        return worked

    def _poll(self, account_id: uuid.UUID, *orders: Order) -> None:
        self._verify(account_id, *orders, counts=False)

    def _verify(self, account_id: uuid.UUID, *orders: Order, counts: bool = True) -> None:
        try:
            account = self._account(account_id)
        except AccountUnusable as error:
            for order in orders:
                note_check(order.id, str(error))
            return
        known = known_of(orders)
        found = verify_account(account_id, orders, adapter=account.adapter, fence=self.fence, counts=counts)
        for applied in found:
            self._answer(applied)
        if account.watch.finds_silence(known, found):
            log.warning("the stream is silent, it is opened anew", account_id=str(account_id))
            account.stream.renew()

    # --- inside ---

    def _account(self, account_id: uuid.UUID) -> AccountSession:
        """Open the account's session with its first use; give its stream a moment to come up."""
        session = self._accounts.get(account_id)
        if session is None:
            account = BrokerAccount.objects.get(pk=account_id, user=self.user_id)
            session = AccountSession(account, lambda: self.fence, wake=self._wake)
            session.stream.wait_live(STREAM_WAIT_SECONDS)
            self._accounts[account_id] = session
        return session

    def _wake(self) -> None:
        routing.ring(self.user_id)

    def _answer(self, applied: Applied | None) -> None:
        if applied is not None:
            answer_requests(applied.answered)
            answer(applied.order, self.fence)

    def _progress(self) -> None:
        self._slot.progress = boottime()


def pick_next(orders: list[Order], blocked: set[tuple[uuid.UUID, str]]) -> Order | None:
    """Choose what to send next among recorded orders, given oldest first.

    Symbols that hold an exit go before symbols that hold none, and exits before entries; else the oldest goes first.
    An order that must not be sent yet holds back what is behind it in its symbol, and a blocked symbol holds back
    its entries; neither ever holds back an exit.
    """
    now = timezone.now()
    held = set(blocked)
    with_exit = {_place(order) for order in orders if order.position_effect == PositionEffect.CLOSE}
    ready: list[Order] = []
    for order in orders:
        is_exit = order.position_effect == PositionEffect.CLOSE
        if order.eligible_at is not None and order.eligible_at > now:
            held.add(_place(order))
        elif is_exit or _place(order) not in held:
            ready.append(order)
    return min(ready, key=lambda order: (_place(order) not in with_exit, _opens(order)), default=None)


def _opens(order: Order) -> bool:
    return order.position_effect == PositionEffect.OPEN


def _place(order: Order) -> tuple[uuid.UUID, str]:
    return order.account_id, order.symbol
