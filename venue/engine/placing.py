"""What a client asks of orders: place, cancel, replace. The only writers beside the engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID, uuid4

from venue.engine import groups, transitions
from venue.engine.advance import settle_group
from venue.engine.book import OrderRef
from venue.engine.engine import Engine
from venue.engine.requests import Amendment, Ticket
from venue.engine.rules import check_amendable, check_base_price, check_exits
from venue.engine.screening import Wish, reference_price, screen
from venue.engine.trailing import fresher, stop_from
from venue.engine.transaction import Accounts, AccountTransaction, Holdings
from venue.errors import VenueError, duplicate_client_order_id, malformed, not_found, unprocessable
from venue.models import Change, Order, Quote, utc_now

_SHARE_STEP = Decimal("0.000000001")

Plans = dict[str, dict[str, Any]]
"""Plans of fills by leg."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A new order with the legs of its group."""

    order: Order
    legs: tuple[Order, ...] = ()


class Placing:
    """Places, cancels and replaces orders of one account at a time."""

    def __init__(self, accounts: Accounts, engine: Engine) -> None:
        self._accounts = accounts
        self._engine = engine

    async def place(self, account_id: UUID, ticket: Ticket, plans: Plans | None = None) -> Placement:
        """Accept an order with its legs durably and hand it to the engine.

        ``plans`` say how the orders are to be filled, by leg; the order itself is the leg ``""``. Returns the
        orders as acknowledged, before any fill. Raises VenueError when refused; the refusal is in the
        ledger. Not safe to call twice without a client order id.
        """
        plans = plans or {}
        quote = self._engine.quote(ticket.symbol)
        refusal: VenueError | None = None
        async with self._accounts.transaction(account_id) as unit:
            holdings = await unit.load_holdings(ticket.client_order_id)
            try:
                order, legs = groups.join(self._admit(ticket, holdings, quote, plans.get("")), ticket, plans)
            except VenueError as error:
                refusal = error
                unit.record(refused(account_id, ticket, error))
            else:
                for each in (order, *legs):
                    unit.add_order(each, transitions.accept(each))
        if refusal is not None:
            raise refusal
        for each in (order, *legs):
            if each.status != "held" or each.armed:
                self._engine.schedule(OrderRef(each.id, account_id), self._engine.fill_delay_seconds)
        return Placement(order, tuple(legs))

    async def refuse(self, account_id: UUID, ticket: Ticket, error: VenueError) -> None:
        """Record a refusal that was decided elsewhere."""
        async with self._accounts.transaction(account_id) as unit:
            unit.record(refused(account_id, ticket, error))

    async def cancel(self, account_id: UUID, order_id: UUID) -> Order:
        """Cancel an open order, and with it what is still open of its group.

        Raises 404 for a foreign or unknown order, 422 for one that is closed.
        """
        async with self._accounts.transaction(account_id) as unit:
            order = await _open_order(unit, order_id)
            order, change = transitions.cancel(order, utc_now(), "requested")
            unit.change_order(order, change)
            others = await settle_group(unit, order, order.updated_at) if order.group_id else []
        self._engine.look_after([order, *others])
        return order

    async def replace(self, account_id: UUID, order_id: UUID, amendment: Amendment) -> Order:
        """Replace an open order by a new one with a new id; what was filled counts for the new one too.

        Raises 404 or 422 as ``cancel`` does, and the refusals of ``place``; then the old order goes on.
        """
        async with self._accounts.transaction(account_id) as unit:
            old = await _open_order(unit, order_id)
            old = fresher(old, self._engine.book.trailing(old.symbol, old.id))
            check_amendable(old, amendment)
            self._engine.market.rulings.check(old.symbol, amendment.limit_price)
            group = await unit.load_group(old)
            holdings = await unit.load_holdings(amendment.client_order_id or "")
            others = [order for order in holdings.open_orders if order.id != order_id]
            new = self._amend(old, amendment, replace(holdings, open_orders=others))
            check_exits(new, group)
            old, superseded = transitions.supersede(old, new.created_at, new.id)
            unit.change_order(old, superseded)
            unit.add_order(new, transitions.accept(new))
        self._engine.book.forget(old)
        self._engine.schedule(OrderRef(new.id, account_id), self._engine.fill_delay_seconds)
        return new

    def _admit(
        self, ticket: Ticket, holdings: Holdings, quote: Quote, fill_plan: dict[str, Any] | None
    ) -> Order:
        unique = holdings.account.unique_client_order_ids
        if unique and holdings.client_order_id_known:
            raise duplicate_client_order_id()
        if ticket.source == "access_key":
            self._engine.market.rulings.check(ticket.symbol, ticket.limit_price)
        self._check_session(ticket.time_in_force)
        check_base_price(ticket, quote)
        qty = _quantity(ticket, quote)
        hwm, stop_price = _trail(ticket, quote)
        wish = Wish(
            symbol=ticket.symbol,
            side=ticket.side,
            qty=qty,
            price=reference_price(ticket.side, ticket.limit_price, stop_price, quote),
            ask=quote.ask,
            type=ticket.type,
            order_class=ticket.order_class,
            limit_price=ticket.limit_price,
            shortable=self._is_shortable(ticket.symbol),
            position_intent=ticket.position_intent,
            outside=ticket.source != "access_key",
        )
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
            stop_price=stop_price,
            trail_price=ticket.trail_price,
            trail_percent=ticket.trail_percent,
            hwm=hwm,
            source=ticket.source,
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
        now = utc_now()
        time_in_force = amendment.time_in_force or old.time_in_force
        new = replace(
            _with_trail(old, amendment.trail),
            id=uuid4(),
            client_order_id=amendment.client_order_id or str(uuid4()),
            enforce_unique_id=unique,
            created_at=now,
            updated_at=now,
            submitted_at=now,
            qty=amendment.qty or old.qty,
            limit_price=amendment.limit_price or old.limit_price,
            time_in_force=time_in_force,
            status="held" if old.status == "held" else self._first_status(),
            replaces=old.id,
            expires_at=self._expiry(time_in_force, now),
        )
        if amendment.stop_price is not None:
            new = replace(new, stop_price=amendment.stop_price)
        if new.status == "held":
            # It holds no shares of its own; its sibling does.
            return new
        quote = self._engine.quote(old.symbol)
        wish = Wish(
            symbol=new.symbol,
            side=new.side,
            qty=new.leaves_qty,
            price=reference_price(new.side, new.limit_price, new.stop_price, quote),
            ask=quote.ask,
            type=new.type,
            order_class=new.order_class,
            limit_price=new.limit_price,
            shortable=self._is_shortable(new.symbol),
        )
        admission = screen(wish, holdings, self.price_of)
        return replace(new, position_intent=admission.position_intent, reserve_price=admission.reserve_price)

    def price_of(self, symbol: str) -> Decimal:
        """Return the price at which positions are valued."""
        return self._engine.market.quote(symbol).last

    def _is_shortable(self, symbol: str) -> bool:
        asset = self._engine.market.assets.find(symbol)
        return asset is not None and asset.shortable

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


def _trail(ticket: Ticket, quote: Quote) -> tuple[Decimal | None, Decimal | None]:
    """Return the first high water mark and the stop of a ticket."""
    if ticket.type != "trailing_stop":
        return None, ticket.stop_price
    return quote.last, stop_from(ticket.side, quote.last, ticket.trail_price, ticket.trail_percent)


def _with_trail(order: Order, trail: Decimal | None) -> Order:
    """Return a trailing stop with a new distance, in the unit that it was given in."""
    if trail is None or order.hwm is None:
        return order
    price, percent = (trail, None) if order.trail_price is not None else (None, trail)
    stop = stop_from(order.side, order.hwm, price, percent)
    return replace(order, trail_price=price, trail_percent=percent, stop_price=stop)
