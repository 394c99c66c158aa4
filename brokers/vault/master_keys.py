"""Master keys: they wrap data keys. Here RSA-4096 key files; a cloud KMS would be another ``Wrapper``.

The public half lies beside the private one in ``VAULT_KEYS_DIR``: ``<purpose>.pub`` and ``<purpose>.key``. A process
that must not open a purpose does not get its private file.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from django.conf import settings

from brokers.vault.record import Purpose, VaultError

RSA_BITS = 4096
OAEP = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)


class Wrapper(Protocol):
    """Wraps data keys; ``key_version`` names the master key, without a dot."""

    @property
    def key_version(self) -> str: ...

    def wrap(self, data_key: bytes) -> bytes: ...


class Unwrapper(Protocol):
    """Unwraps data keys that the ``Wrapper`` of the same purpose has wrapped."""

    def unwrap(self, wrapped_key: bytes, key_version: str) -> bytes:
        """Return the data key. Raises ``VaultError``."""
        ...


class PublicKeyFile:
    """The wrapping half of a local master key."""

    def __init__(self, path: Path) -> None:
        key = serialization.load_pem_public_key(_read(path))
        if not isinstance(key, rsa.RSAPublicKey):
            raise VaultError(f"{path.name} is not an RSA public key")
        self._key = key
        self.key_version = _version_of(key)

    def wrap(self, data_key: bytes) -> bytes:
        return self._key.encrypt(data_key, OAEP)


class PrivateKeyFile:
    """The unwrapping half of a local master key."""

    def __init__(self, path: Path) -> None:
        key = serialization.load_pem_private_key(_read(path), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise VaultError(f"{path.name} is not an RSA private key")
        self._key = key
        self._version = _version_of(key.public_key())

    def unwrap(self, wrapped_key: bytes, key_version: str) -> bytes:
        if key_version != self._version:
            raise VaultError(
                f"the record was sealed with the master key {key_version[:20]}, which is not here"
            )
        try:
            return self._key.decrypt(wrapped_key, OAEP)
        except ValueError:
            raise VaultError("the record's data key does not unwrap: it was changed") from None


@lru_cache(maxsize=8)
def wrapper(purpose: Purpose, directory: Path) -> Wrapper:
    """Return the wrapping half of the purpose's master key. Raises ``VaultError``."""
    return PublicKeyFile(directory / f"{purpose}.pub")


@lru_cache(maxsize=8)
def unwrapper(purpose: Purpose, directory: Path) -> Unwrapper:
    """Return the unwrapping half, where this process may have it. Raises ``VaultError``."""
    if purpose not in settings.VAULT_OPEN_PURPOSES:
        raise VaultError(f"this process may not open secrets for {purpose}")
    return PrivateKeyFile(directory / f"{purpose}.key")


def create_master_key(purpose: Purpose, directory: Path) -> bool:
    """Write a new master key unless there is one; return whether one was written."""
    private_path = directory / f"{purpose}.key"
    if private_path.exists():
        return False
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    private_path.touch(mode=0o600)
    private_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (directory / f"{purpose}.pub").write_bytes(public)
    return True


def _version_of(key: rsa.RSAPublicKey) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"local-{hashlib.sha256(der).hexdigest()[:12]}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VaultError(f"the vault's key {path.name} cannot be read: {error.strerror}") from None
