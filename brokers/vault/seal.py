"""Seal a secret. This half needs public keys only, and cannot open what it has sealed."""

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from brokers.vault.master_keys import wrapper
from brokers.vault.record import NONCE_BYTES, Binding, SealedRecord


def seal(secret: bytes, binding: Binding) -> str:
    """Encrypt ``secret`` with a data key of its own (AES-256-GCM), bound to its place; return the record as text.

    Raises ``VaultError`` where the purpose's public key is missing.
    """
    master = wrapper(binding.purpose, settings.VAULT_KEYS_DIR)
    data_key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(NONCE_BYTES)
    ciphertext = AESGCM(data_key).encrypt(nonce, secret, binding.associated_data(master.key_version))
    return SealedRecord(master.key_version, master.wrap(data_key), nonce, ciphertext).to_text()
