"""The gates between an authentic request and the record: may this trader place this order now?

Terms and a verified account apply to every order; paused, allowed symbols and limits to entries only, so that
nothing meant for entries ever blocks an exit.
"""

from collections.abc import Sequence

from brokers.models import BrokerAccount
from orders.intake.alert import Alert
from orders.intake.fields import FieldCode, FieldError
from orders.intake.problem import Problem, ProblemError, ProblemType
from orders.models import Strategy, Trader


def pass_gates(strategy: Strategy, accounts: Sequence[BrokerAccount], alert: Alert) -> None:
    """Check the alert against its strategy, trader and accounts. Raises ``ProblemError``."""
    refuse_unsupported(alert)
    check_terms(getattr(strategy.user, "trader", None))
    check_accounts(accounts)
    if alert.is_exit:
        return
    if strategy.paused:
        raise ProblemError(Problem(ProblemType.STRATEGY_PAUSED, "The strategy is paused; exits still go."))
    if strategy.allowed_symbols and alert.symbol not in strategy.allowed_symbols:
        detail = f"{alert.symbol} is not among the strategy's allowed symbols."
        raise ProblemError(Problem(ProblemType.SYMBOL_NOT_ALLOWED, detail))


def refuse_unsupported(alert: Alert) -> None:
    """Refuse protective exits as long as the desk does not place them: never trade without what was asked for."""
    asked = {
        name: getattr(alert, name)
        for name in ("stop_loss", "take_profit", "trailing")
        if getattr(alert, name) is not None
    }
    if asked:
        errors = [
            FieldError(name, FieldCode.NOT_ALLOWED, "the desk does not place protective exits yet")
            for name in asked
        ]
        raise ProblemError(
            Problem(ProblemType.INVALID_ALERT, "Protective exits are not supported yet.", errors)
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
