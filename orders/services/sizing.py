"""Size an entry: planned when it is recorded, settled in the transaction that begins its sending.

Whatever needs a price or the account's equity is settled by the trader's worker, which alone may ask the broker. Until
then the order's quantity is zero, and the database lets nothing of the kind be sent.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from brokers.models import BrokerAccount
from brokers.types import Side
from orders.intake.alert import Alert
from orders.intake.protective import ProtectiveExit
from orders.intake.sizing import SizingCode, SizingError
from orders.intake.sizing_rules import (
    Basis,
    Limits,
    SizingMethod,
    SizingRule,
    check_amount,
    size_by_rule,
    stop_distance,
)
from orders.models import Order, Strategy
from orders.models.strategy import LIMITS
from orders.services.instruments import instrument_of
from orders.services.quantities import entry_quantity, least_quantity, lot_step
from orders.services.sizing_facts import SizingFacts

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """With what an entry is recorded: its quantity, or zero and the rule by which the worker is to size it.

    With a quantity and a rule, the worker only checks what it is worth.
    """

    order_qty: Decimal
    sizing: Json | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """A quantity, and what the order keeps of how it came about."""

    order_qty: Decimal
    sizing: Json


def plan_entry(account: BrokerAccount, strategy: Strategy, alert: Alert) -> Plan:
    """Return with what an alert's entry is recorded: the alert's quantity before the strategy's rule.

    Raises ``SizingError`` for what no later knowledge could mend.
    """
    rule = strategy.sizing_rule
    if alert.quantity is not None:
        rule = SizingRule(SizingMethod.FIXED, alert.quantity)
    if rule is None:
        raise SizingError(SizingCode.NO_QUANTITY, "no quantity, and the strategy has no rule for it")
    if rule.method is SizingMethod.FIXED:
        return _plan_fixed(account, strategy, alert, rule)
    stop = alert.stop_loss or _from_the_entry(alert.trailing)
    if rule.method.needs_stop and stop is None:
        raise SizingError(SizingCode.NO_STOP, "the strategy sizes by risk: the alert needs a stop_loss")
    price = alert.price or alert.stop_px
    if stop is not None and price is not None:
        stop_distance(price, stop, alert.side)  # one on the wrong side is refused at once
    return Plan(Decimal(0), _sizing(rule, strategy, stop))


def settle_entry(order: Order, facts: SizingFacts | None) -> Settled | None:
    """Return the quantity of a locked order that is about to be sent; None where it has its quantity already.

    Raises ``SizingError`` where there is none that the rule, the limits and the facts allow.
    """
    if order.sizing is None or not order.needs_sizing:
        return None
    if facts is None:
        raise SizingError(SizingCode.NO_PRICE, "nothing is known of price and account")
    plan, side = order.sizing, Side(order.side)
    rule = SizingRule(SizingMethod(plan["method"]), Decimal(plan["value"]))
    basis, limits = _basis(order, facts), _limits(order.account, order.symbol, side, plan)
    if order.order_qty:
        check_amount(order.order_qty, basis, limits)
        quantity = order.order_qty
    else:
        quantity = size_by_rule(rule, basis, limits)
    used = {name: _text(value) for name, value in asdict(basis).items() if value is not None}
    return Settled(Decimal(_text(quantity)), {**plan, "used": {**used, **facts.times()}})


# --- inside ---


def _plan_fixed(account: BrokerAccount, strategy: Strategy, alert: Alert, rule: SizingRule) -> Plan:
    quantity = entry_quantity(
        account,
        alert.symbol,
        alert.side,
        rule.value,
        min_qty=strategy.min_quantity,
        max_qty=strategy.max_quantity,
    )
    if strategy.min_notional is None and strategy.max_notional is None:
        return Plan(quantity)
    price, sizing = alert.price or alert.stop_px, _sizing(rule, strategy, None)
    if price is None:
        return Plan(quantity, sizing)
    instrument = instrument_of(account, alert.symbol)
    basis = Basis(price=price, multiplier=instrument.multiplier if instrument else Decimal(1))
    check_amount(quantity, basis, _limits(account, alert.symbol, alert.side, sizing))
    return Plan(quantity)


def _from_the_entry(trailing: ProtectiveExit | None) -> ProtectiveExit | None:
    """Return the distance that a trailing stop keeps, unless it begins only at some price."""
    return trailing if trailing is not None and trailing.price is None else None


def _sizing(rule: SizingRule, strategy: Strategy, stop: ProtectiveExit | None) -> Json:
    """Return what the order keeps of its rule, so that a strategy that is edited meanwhile changes nothing."""
    limits = {name: getattr(strategy, name) for name in LIMITS}
    sizing: Json = {"method": str(rule.method), "value": _text(rule.value)}
    sizing |= {name: _text(value) for name, value in limits.items() if value is not None}
    if stop is not None:
        sizing["stop"] = {name: _text(value) for name, value in asdict(stop).items() if value is not None}
    return sizing


def _basis(order: Order, facts: SizingFacts) -> Basis:
    sizing, side = order.sizing or {}, Side(order.side)
    instrument = instrument_of(order.account, order.symbol)
    if instrument is not None and facts.currency not in (None, instrument.currency):
        message = (
            f"{order.symbol} is traded in {instrument.currency}, the account is kept in {facts.currency}"
        )
        raise SizingError(SizingCode.WRONG_CURRENCY, message)
    stop = sizing.get("stop")
    return Basis(
        price=facts.price,
        multiplier=instrument.multiplier if instrument else Decimal(1),
        equity=facts.equity,
        stop_distance=stop_distance(facts.price, _stop_of(stop), side) if stop else None,
    )


def _stop_of(stop: Mapping[str, str]) -> ProtectiveExit:
    return ProtectiveExit(**{name: Decimal(value) for name, value in stop.items()})


def _limits(account: BrokerAccount, symbol: str, side: Side, sizing: Json) -> Limits:
    """Return what bounds the quantity: the narrower of what instrument and strategy allow."""
    own = {name: Decimal(sizing[name]) for name in LIMITS if name in sizing}
    instrument = instrument_of(account, symbol)
    least = (own.get("min_notional"), instrument.min_notional if instrument else None)
    return Limits(
        lot_step=lot_step(account, symbol, side),
        min_qty=max(least_quantity(account, symbol, side), own.get("min_quantity", Decimal(0))),
        max_qty=own.get("max_quantity"),
        min_notional=max((amount for amount in least if amount is not None), default=None),
        max_notional=own.get("max_notional"),
    )


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"
