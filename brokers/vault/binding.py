"""To what each kind of record is bound."""

import uuid

from brokers.models import BrokerAccount
from brokers.vault.record import Binding, Purpose


def credentials_binding(account: BrokerAccount) -> Binding:
    """Return the binding of an account's broker credentials."""
    return Binding(Purpose.BROKER, account.user_id, str(account.id), account.broker)


def signing_binding(user_id: int, strategy_id: uuid.UUID) -> Binding:
    """Return the binding of a strategy's signing key."""
    return Binding(Purpose.WEBHOOK, user_id, str(strategy_id))
