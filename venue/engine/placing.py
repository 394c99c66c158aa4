"""What a client asks of orders: place, cancel, replace. The only writers beside the engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID, uuid4

from venue.engine import transitions
from venue.engine.book import OrderRef
from venue.engine.engine import Engine
from venue.engine.screening import Wish, reference_price, screen
from venue.engine.transaction import Accounts, AccountTransaction, Holdings
from venue.errors import VenueError, duplicate_client_order_id, malformed, not_found, unprocessable
from venue.models import Change, Order, Quote, utc_now

_SHARE_STEP = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A well-formed request for a new order, by quantity or by value."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    client_order_id: str
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    position_intent: str | None = None


@dataclass(frozen=True, slots=True)
class Amendment:
    """A well-formed request to replace an order; what is None stays as it is."""

    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str | None = None
    client_order_id: str | None = None


class Placing:
    """Places, cancels and replaces orders of one account at a time."""

    def __init__(self, accounts: Accounts, engine: Engine) -> None:
        self._accounts = accounts
        self._engine = engine

    async def place(self, account_id: UUID, ticket: Ticket, fill_plan: dict[str, Any] | None = None) -> Order:
        """Accept an order durably and hand it to the engine.

        Returns the order as acknowledged, before any fill. Raises VenueError when it is refused; the refusal
        is in the ledger. Not safe to call twice without a client order id.
        """
        quote = self._engine.quote(ticket.symbol)
        refusal: VenueError | None = None
        async with self._accounts.transaction(account_id) as unit:
            holdings = await unit.load_holdings(ticket.client_order_id)
            try:
                order = self._admit(ticket, holdings, quote, fill_plan)
            except VenueError as error:
                refusal = error
                unit.record(refused(account_id, ticket, error))
            else:
                unit.add_order(order, transitions.accept(order))
        if refusal is not None:
            raise refusal
        self._engine.schedule(OrderRef(order.id, account_id), self._engine.fill_delay_seconds)
        return order

    async def refuse(self, account_id: UUID, ticket: Ticket, error: VenueError) -> None:
        """Record a refusal that was decided elsewhere."""
        async with self._accounts.transaction(account_id) as unit:
            unit.record(refused(account_id, ticket, error))

    async def cancel(self, account_id: UUID, order_id: UUID) -> Order:
        """Cancel an open order; raises 404 for a foreign or unknown one, 422 for one that is closed."""
        async with self._accounts.transaction(account_id) as unit:
            order = await _open_order(unit, order_id)
            order, change = transitions.cancel(order, utc_now(), "requested")
            unit.change_order(order, change)
        self._engine.book.remove(order_id)
        return order

    async def replace(self, account_id: UUID, order_id: UUID, amendment: Amendment) -> Order:
        """Replace an open order by a new one with a new id; what was filled counts for the new one too.

        Raises 404 or 422 as ``cancel`` does, and the refusals of ``place``; then the old order goes on.
        """
        async with self._accounts.transaction(account_id) as unit:
            old = await _open_order(unit, order_id)
            holdings = await unit.load_holdings(amendment.client_order_id or "")
            others = [order for order in holdings.open_orders if order.id != order_id]
            new = self._amend(old, amendment, replace(holdings, open_orders=others))
            old, superseded = transitions.supersede(old, new.created_at, new.id)
            unit.change_order(old, superseded)
            unit.add_order(new, transitions.accept(new))
        self._engine.book.remove(order_id)
        self._engine.schedule(OrderRef(new.id, account_id), self._engine.fill_delay_seconds)
        return new

    def _admit(
        self, ticket: Ticket, holdings: Holdings, quote: Quote, fill_plan: dict[str, Any] | None
    ) -> Order:
        unique = holdings.account.unique_client_order_ids
        if unique and holdings.client_order_id_known:
            raise duplicate_client_order_id()
        self._check_session(ticket.time_in_force)
        qty = _quantity(ticket, quote)
        price = reference_price(ticket.type, ticket.side, ticket.limit_price, ticket.stop_price, quote)
        wish = Wish(ticket.symbol, ticket.side, qty, price, ticket.position_intent)
        admission = screen(wish, holdings, self.price_of)
        now = utc_now()
        return Order(
            id=uuid4(),
            account_id=holdings.account.id,
            client_order_id=ticket.client_order_id,
            enforce_unique_id=unique,
            created_at=now,
            updated_at=now,
            submitted_at=now,
            symbol=ticket.symbol,
            qty=qty,
            type=ticket.type,
            side=ticket.side,
            time_in_force=ticket.time_in_force,
            status=self._first_status(),
            notional=ticket.notional,
            limit_price=ticket.limit_price,
            stop_price=ticket.stop_price,
            extended_hours=ticket.extended_hours,
            position_intent=admission.position_intent,
            reserve_price=admission.reserve_price,
            expires_at=self._expiry(ticket.time_in_force, now),
            fill_plan=fill_plan,
        )

    def _amend(self, old: Order, amendment: Amendment, holdings: Holdings) -> Order:
        unique = holdings.account.unique_client_order_ids
        if amendment.client_order_id and unique and holdings.client_order_id_known:
            raise duplicate_client_order_id()
        _check_amendable(old, amendment)
        now = utc_now()
        time_in_force = amendment.time_in_force or old.time_in_force
        new = replace(
            old,
            id=uuid4(),
            client_order_id=amendment.client_order_id or str(uuid4()),
            enforce_unique_id=unique,
            created_at=now,
            updated_at=now,
            submitted_at=now,
            qty=amendment.qty or old.qty,
            limit_price=amendment.limit_price or old.limit_price,
            stop_price=amendment.stop_price or old.stop_price,
            time_in_force=time_in_force,
            status=self._first_status(),
            replaces=old.id,
            expires_at=self._expiry(time_in_force, now),
        )
        quote = self._engine.quote(old.symbol)
        price = reference_price(new.type, new.side, new.limit_price, new.stop_price, quote)
        admission = screen(Wish(new.symbol, new.side, new.leaves_qty, price), holdings, self.price_of)
        return replace(new, position_intent=admission.position_intent, reserve_price=admission.reserve_price)

    def price_of(self, symbol: str) -> Decimal:
        """Return the price at which positions are valued."""
        return self._engine.market.quote(symbol).last

    def _first_status(self) -> str:
        return "pending_new" if self._engine.is_open else "accepted"

    def _expiry(self, time_in_force: str, now: datetime) -> datetime | None:
        # A market that never closes has no end of day; a closing by control expires day orders all the same.
        if time_in_force != "day" or self._engine.hours.is_always_open:
            return None
        return self._engine.hours.next_close(now)

    def _check_session(self, time_in_force: str) -> None:
        if time_in_force == "opg" and self._engine.is_open:
            raise unprocessable("opg orders must be submitted before the market opens")


def refused(account_id: UUID, ticket: Ticket, error: VenueError) -> Change:
    """Return the ledger row of a refusal."""
    return Change(
        kind="refused",
        account_id=account_id,
        at=utc_now(),
        client_order_id=ticket.client_order_id,
        symbol=ticket.symbol,
        side=ticket.side,
        qty=ticket.qty,
        data={"status": error.status, **error.body()},
    )


def _quantity(ticket: Ticket, quote: Quote) -> Decimal:
    if ticket.qty is not None:
        return ticket.qty
    if ticket.notional is None:
        raise malformed("qty or notional is required")
    price = quote.ask if ticket.side == "buy" else quote.bid
    qty = (ticket.notional / price).quantize(_SHARE_STEP, ROUND_DOWN)
    if not qty:
        raise unprocessable("notional is too small for one billionth of a share")
    return qty


async def _open_order(unit: AccountTransaction, order_id: UUID) -> Order:
    loaded = await unit.load_order(order_id)
    if loaded is None:
        raise not_found(f"order not found for {order_id}")
    order = loaded[0]
    if not order.is_open:
        raise unprocessable(f'order is already in "{order.status}" state')
    return order


def _check_amendable(old: Order, amendment: Amendment) -> None:
    if old.status in ("accepted", "pending_new"):
        raise unprocessable("unable to replace order, order isn't sent to exchange yet")
    if old.notional is not None:
        raise unprocessable("notional orders cannot be replaced")
    if amendment.limit_price is not None and old.limit_price is None:
        raise unprocessable(f"limit_price cannot be set on a {old.type} order")
    if amendment.stop_price is not None and old.stop_price is None:
        raise unprocessable(f"stop_price cannot be set on a {old.type} order")
    if amendment.qty is not None and amendment.qty <= old.filled_qty:
        raise unprocessable("qty must be greater than filled_qty")
