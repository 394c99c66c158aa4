"""Open a strategy's signing key: the one kind of secret that web may open."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from brokers.vault.master_keys import unwrapper
from brokers.vault.record import Binding, Purpose, SealedRecord


def open_signing_key(text: str, binding: Binding) -> bytes:
    """Return the key in the clear. Raises ``VaultError``, also for a record of any other purpose."""
    return _open(text, binding, settings.VAULT_KEYS_DIR)


@lru_cache(maxsize=1024)
def _open(text: str, binding: Binding, directory: Path) -> bytes:
    record = SealedRecord.from_text(text)
    data_key = unwrapper(Purpose.WEBHOOK, directory).unwrap(record.wrapped_key, record.key_version)
    return record.decrypt(data_key, binding)
