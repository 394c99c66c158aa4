"""Open broker credentials: in the trader's worker and nowhere else. Web cannot import this module."""

import json
from typing import Any

from django.conf import settings

from brokers.models import BrokerAccount
from brokers.vault.binding import credentials_binding
from brokers.vault.master_keys import Unwrapper, unwrapper
from brokers.vault.record import Purpose, SealedRecord, VaultError


def load_master_key() -> Unwrapper:
    """Load the master key ahead of its first use: checking an RSA key takes 200 ms. Raises ``VaultError``."""
    return unwrapper(Purpose.BROKER, settings.VAULT_KEYS_DIR)


def open_credentials(account: BrokerAccount) -> dict[str, str]:
    """Return the account's credentials in the clear. Raises ``VaultError``."""
    record = SealedRecord.from_text(account.sealed_credentials)
    data_key = load_master_key().unwrap(record.wrapped_key, record.key_version)
    credentials: Any = json.loads(record.decrypt(data_key, credentials_binding(account)))
    if not isinstance(credentials, dict):
        raise VaultError("the record holds no credentials")
    return credentials
