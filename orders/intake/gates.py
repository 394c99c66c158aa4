"""The gates between an authentic request and the record: may this trader place this order now?

Terms and a verified account apply to every order; paused, allowed symbols and limits to entries only, so that
nothing meant for entries ever blocks an exit.
"""

from collections.abc import Sequence
from decimal import Decimal

from brokers.catalog import capabilities_of
from brokers.models import BrokerAccount
from brokers.types import PositionEffect, Side
from orders.intake.alert import Alert
from orders.intake.fields import FieldCode, FieldError
from orders.intake.order_request import OrderRequest
from orders.intake.problem import Problem, ProblemError, ProblemType
from orders.intake.ticks import Purpose, round_price
from orders.models import Strategy, Trader
from orders.protection import Protection, protection_of, unplaceable
from orders.services.instruments import (
    UNSUPPORTED_MULTIPLIER,
    instrument_of,
    is_catalogue_complete,
    multiplier_words,
)


def pass_gates(strategy: Strategy, accounts: Sequence[BrokerAccount], alert: Alert) -> None:
    """Check the alert against its strategy, trader and accounts. Raises ``ProblemError``."""
    check_terms(getattr(strategy.user, "trader", None))
    check_accounts(accounts)
    if alert.is_exit:
        return
    if strategy.paused:
        raise ProblemError(Problem(ProblemType.STRATEGY_PAUSED, "The strategy is paused; exits still go."))
    if strategy.allowed_symbols and alert.symbol not in strategy.allowed_symbols:
        detail = f"{alert.symbol} is not among the strategy's allowed symbols."
        raise ProblemError(Problem(ProblemType.SYMBOL_NOT_ALLOWED, detail))
    protection = protection_of(alert, places_targets=strategy.places_targets)
    quantity = alert.quantity or strategy.default_quantity
    check_protection(accounts, protection, quantity, ProblemType.INVALID_ALERT)
    for account in accounts:
        check_instrument(account, alert, ProblemType.INVALID_ALERT)


def check_protection(
    accounts: Sequence[BrokerAccount],
    protection: Protection | None,
    quantity: Decimal | None,
    problem: ProblemType,
) -> None:
    """Refuse protective exits that a broker cannot place: never trade without what was asked for.

    Raises ``ProblemError`` of this type, with an error for each field.
    """
    if protection is None:
        return
    for account in accounts:
        refused = unplaceable(protection, capabilities_of(account.broker), quantity)
        if refused:
            errors = [FieldError(name, FieldCode.NOT_ALLOWED, why) for name, why in refused.items()]
            raise ProblemError(
                Problem(problem, f"{account.label} cannot place these protective exits.", errors)
            )


def check_terms(trader: Trader | None) -> Trader:
    """Return the trader, once the terms are accepted. Raises ``ProblemError``."""
    if trader is None or trader.terms_accepted_at is None:
        raise ProblemError(Problem(ProblemType.TERMS_NOT_ACCEPTED, "Accept the terms of the desk first."))
    return trader


def check_accounts(accounts: Sequence[BrokerAccount]) -> None:
    """Refuse where there is no account, or one that is not verified. Raises ``ProblemError``."""
    if not accounts:
        raise ProblemError(Problem(ProblemType.NO_ACCOUNT, "There is no broker account to trade."))
    for account in accounts:
        if account.verified_at is None:
            detail = f"The account {account.label} has not been verified."
            raise ProblemError(Problem(ProblemType.ACCOUNT_NOT_VERIFIED, detail))


def check_instrument(account: BrokerAccount, asked: Alert | OrderRequest, kind: ProblemType) -> None:
    """Refuse an entry that the account's broker is known not to take; it costs no round trip as a rule.

    What its catalogue does not tell is left to the broker, and so is every exit. Raises ``ProblemError``.
    """
    if asked.position_effect == PositionEffect.CLOSE:
        return
    refusal = _refusal(account, asked)
    if refusal is not None:
        field, code, reason, message = refusal
        errors = [FieldError(field, code, message)]
        raise ProblemError(Problem(kind, f"{message}.", errors, extra={"reason": reason}))


def _refusal(account: BrokerAccount, asked: Alert | OrderRequest) -> tuple[str, FieldCode, str, str] | None:
    symbol, instrument = asked.symbol, instrument_of(account, asked.symbol)
    if instrument is None:
        if not is_catalogue_complete(account):
            return None
        return "symbol", FieldCode.UNKNOWN, "UNKNOWN_SYMBOL", f"{account.label} has no symbol {symbol}"
    if not instrument.tradable:
        message = f"{symbol} cannot be traded at {account.label}"
        return "symbol", FieldCode.NOT_ALLOWED, "NOT_TRADABLE", message
    if instrument.multiplier != 1:
        return "symbol", FieldCode.NOT_ALLOWED, UNSUPPORTED_MULTIPLIER, multiplier_words(symbol)
    if asked.side == Side.SELL and not instrument.shortable:
        message = f"{symbol} cannot be sold short at {account.label}"
        return "symbol", FieldCode.NOT_ALLOWED, "NOT_SHORTABLE", message
    if asked.price is not None and asked.side == Side.BUY:
        tick = instrument.tick_at(asked.price)
        if not round_price(asked.price, tick, side=Side.BUY, purpose=Purpose.LIMIT):
            return "price", FieldCode.OUT_OF_RANGE, "BELOW_TICK", f"a price of {symbol} is {tick:f} at least"
    return None
