"""One sealed record: what it is bound to, how it is written down, and the cipher around it."""

import json
from base64 import b64decode, urlsafe_b64encode
from dataclasses import asdict, dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = "v1"
NONCE_BYTES = 12


class Purpose(StrEnum):
    """What a secret is for; each purpose has a master key of its own."""

    BROKER = "broker"  # broker credentials, opened by the trader's worker only
    WEBHOOK = "webhook"  # a strategy's signing key, opened by web


class VaultError(Exception):
    """The vault cannot seal or open this: a key is missing or not allowed here, or the record is not ours."""


@dataclass(frozen=True, slots=True)
class Binding:
    """To what a record belongs. A record that is moved to another place does not open there."""

    purpose: Purpose
    user_id: int
    account: str  # the account's id, or the strategy's
    broker: str = ""

    def associated_data(self, key_version: str) -> bytes:
        """Return what the cipher authenticates besides the secret."""
        return json.dumps({**asdict(self), "key_version": key_version}, sort_keys=True).encode()


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """``v1.<key version>.<wrapped data key>.<nonce>.<ciphertext>``, the last three in base64url."""

    key_version: str
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes

    def to_text(self) -> str:
        parts = (self.wrapped_key, self.nonce, self.ciphertext)
        return ".".join([FORMAT, self.key_version, *(urlsafe_b64encode(part).decode() for part in parts)])

    @classmethod
    def from_text(cls, text: str) -> "SealedRecord":
        """Read a record. Raises ``VaultError``."""
        try:
            version, key_version, *parts = text.split(".")
            wrapped_key, nonce, ciphertext = (
                b64decode(part, altchars=b"-_", validate=True) for part in parts
            )
        except ValueError:
            raise VaultError("this is no sealed record") from None
        if version != FORMAT:
            raise VaultError(f"the record's format is not {FORMAT}")
        return cls(key_version, wrapped_key, nonce, ciphertext)

    def decrypt(self, data_key: bytes, binding: Binding) -> bytes:
        """Open the secret. Raises ``VaultError`` where the record was changed or belongs elsewhere."""
        try:
            return AESGCM(data_key).decrypt(
                self.nonce, self.ciphertext, binding.associated_data(self.key_version)
            )
        except (InvalidTag, ValueError):
            raise VaultError("the record does not open: changed, or bound to something else") from None
