"""The vault's key pairs: one per purpose, X25519, in files that only the desk's user can read."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from django.conf import settings


class Purpose(StrEnum):
    """What a sealed secret is for; each purpose has a key pair of its own."""

    BROKER = "broker"  # broker credentials: opened by the trader's worker only
    WEBHOOK = "webhook"  # a strategy's signing key: opened by web


class VaultError(Exception):
    """The vault cannot seal or open this: a key is missing, not allowed here, or the record is not ours."""


@dataclass(frozen=True, slots=True)
class KeyFiles:
    private: Path
    public: Path


def key_files(purpose: Purpose) -> KeyFiles:
    directory = settings.VAULT_KEYS_DIR
    return KeyFiles(directory / f"{purpose}.key", directory / f"{purpose}.pub")


def key_id(public_key: X25519PublicKey) -> str:
    """Return the first 8 hex digits of the public key's SHA-256: which key sealed a record."""
    digest = Hash(SHA256())
    digest.update(public_key.public_bytes_raw())
    return digest.finalize().hex()[:8]


def create_keys(purpose: Purpose) -> bool:
    """Write a new key pair for ``purpose`` unless there is one; return whether one was written."""
    files = key_files(purpose)
    if files.private.exists():
        return False
    files.private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private_key = X25519PrivateKey.generate()
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.private.touch(mode=0o600)
    files.private.write_bytes(pem)
    files.public.write_bytes(
        private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return True


@lru_cache(maxsize=8)
def load_public_key(path: Path) -> X25519PublicKey:
    key = serialization.load_pem_public_key(_read(path))
    if not isinstance(key, X25519PublicKey):
        raise VaultError(f"{path.name} is not an X25519 public key")
    return key


@lru_cache(maxsize=8)
def load_private_key(path: Path) -> X25519PrivateKey:
    key = serialization.load_pem_private_key(_read(path), password=None)
    if not isinstance(key, X25519PrivateKey):
        raise VaultError(f"{path.name} is not an X25519 private key")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VaultError(f"the vault's key {path.name} cannot be read: {error.strerror}") from None
