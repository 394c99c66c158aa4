"""Seal with a public key, open with the private one: HPKE (RFC 9180), X25519, HKDF-SHA256, AES-256-GCM.

Every record is bound to its purpose and its owner: a record that is moved to another owner does not open.
A sealed record reads ``v1.<key id>.<base64url of enc and ciphertext>``.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from django.conf import settings

from brokers.vault.keys import Purpose, VaultError, key_files, key_id, load_private_key, load_public_key

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def seal(purpose: Purpose, owner: str, secret: bytes) -> str:
    """Seal ``secret`` for ``purpose``, bound to ``owner``; every process that has the public key can."""
    public_key = load_public_key(key_files(purpose).public)
    sealed = SUITE.encrypt(secret, public_key, _info(purpose, owner))
    return f"v1.{key_id(public_key)}.{urlsafe_b64encode(sealed).decode()}"


def open_sealed(purpose: Purpose, owner: str, record: str) -> bytes:
    """Open what ``seal`` made for the same purpose and owner.

    Raises ``VaultError`` where this process may not open the purpose, lacks the key, or the record is not ours.
    """
    if purpose not in settings.VAULT_OPEN_PURPOSES:
        raise VaultError(f"this process may not open secrets for {purpose}")
    private_key = load_private_key(key_files(purpose).private)
    version, _, rest = record.partition(".")
    sealed_with, _, payload = rest.partition(".")
    if version != "v1" or sealed_with != key_id(private_key.public_key()):
        raise VaultError("the record was sealed with a key that is not here")
    try:
        return SUITE.decrypt(urlsafe_b64decode(payload), private_key, _info(purpose, owner))
    except (InvalidTag, ValueError):
        raise VaultError("the record does not open: changed, or of another owner") from None


def _info(purpose: Purpose, owner: str) -> bytes:
    return f"tradingsite/{purpose}/{owner}".encode()
