"""Keys: age recipients and identities for the data, Ed25519 for the signature that makes a set trustworthy."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pyrage import IdentityError, RecipientError, x25519

from recovery.errors import ConfigurationError, KeyMissingError, SignatureError

SIGNATURE_SIZE = 64
UNTOUCHED = "nothing was read or written with it"


def generate_identity() -> tuple[str, str]:
    """Return a new age identity (AGE-SECRET-KEY-1…, a secret) and its recipient (age1…, public)."""
    identity = x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def read_identity(text: bytes, name: str) -> Any:
    """Given the text of an age identity file (as age-keygen writes it, comments allowed) and the name by which
    messages call it, return the identity.

    Raises KeyMissingError when there is not exactly one identity in it, or it is none. No part of the text is shown.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith(b"#")]
    if len(lines) != 1:
        raise KeyMissingError(
            f"{name} holds {len(lines)} age identities instead of one",
            state=UNTOUCHED,
            hint="give it the one line AGE-SECRET-KEY-1… that age-keygen wrote",
        )
    try:
        return x25519.Identity.from_str(lines[0].decode("ascii"))
    except (IdentityError, UnicodeDecodeError):
        # The cause is dropped on purpose: its text could carry a piece of the secret into a log.
        raise KeyMissingError(
            f"{name} holds no age identity",
            state=UNTOUCHED,
            hint="give it the one line AGE-SECRET-KEY-1… that age-keygen wrote",
        ) from None


def recipient_of(identity: Any) -> str:
    """Given an identity, return its recipient (age1…), which is public and may stand in messages."""
    return str(identity.to_public())


def read_recipients(recipients: Sequence[str]) -> list[Any]:
    """Given age recipients as text, return them for encryption. Raises ConfigurationError for none or a bad one."""
    if not recipients:
        raise ConfigurationError("no age recipient is configured", state="nothing was encrypted")
    parsed = []
    for text in recipients:
        try:
            parsed.append(x25519.Recipient.from_str(text))
        except RecipientError as error:
            raise ConfigurationError(
                f"{text[:12]!r}… is no age recipient",
                state="nothing was encrypted",
                hint="write the line age1… that age-keygen printed as the public key",
            ) from error
    return parsed


def generate_signing_key() -> bytes:
    """Return a new Ed25519 private key as PEM (PKCS 8, unencrypted: the file's mode guards it)."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass(frozen=True)
class Signer:
    """Signs manifests and ledger heads. `fingerprint` is what the escrow sheet carries."""

    _key: Ed25519PrivateKey

    @classmethod
    def from_pem(cls, text: bytes, name: str) -> "Signer":
        """Given a private key as PEM and its name for messages, return a signer. Raises KeyMissingError."""
        try:
            key = serialization.load_pem_private_key(text, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise _no_key(f"{name} holds no private key") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise _no_key(f"{name} holds a private key of another kind than Ed25519")
        return cls(key)

    def sign(self, data: bytes) -> bytes:
        """Given bytes, return their raw signature of 64 bytes (RFC 8032)."""
        return self._key.sign(data)

    @property
    def public_pem(self) -> bytes:
        """The public key as PEM, the form that `openssl pkeyutl -verify -pubin` reads."""
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def fingerprint(self) -> str:
        """`SHA256:` and the SHA-256 of the raw 32-byte public key, in hexadecimal."""
        return _fingerprint(self._key.public_key())


def public_fingerprint(public_pem: bytes) -> str:
    """Given a public key as PEM, return its fingerprint as Signer.fingerprint does. Raises KeyMissingError."""
    return _fingerprint(_public_key(public_pem))


def verify_signature(public_pem: bytes, data: bytes, signature: bytes) -> None:
    """Given a trusted public key, bytes and a raw signature, return when the signature is that key's on those bytes.

    Raises SignatureError when it is not and KeyMissingError when the public key is none.
    """
    key = _public_key(public_pem)
    try:
        key.verify(signature, data)
    except InvalidSignature:
        raise SignatureError(
            f"the signature is not one of the key {_fingerprint(key)}",
            state="nothing that it covers can be trusted",
            hint="compare the key's fingerprint with the escrow sheet; if it is right, take another copy of the set",
        ) from None


def _public_key(public_pem: bytes) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(public_pem)
    except (ValueError, UnsupportedAlgorithm):
        raise _no_key("the public key that should verify the signature is no key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key("the public key that should verify the signature is of another kind than Ed25519")
    return key


def _fingerprint(key: Ed25519PublicKey) -> str:
    return "SHA256:" + hashlib.sha256(key.public_bytes_raw()).hexdigest()


def _no_key(message: str) -> KeyMissingError:
    return KeyMissingError(message, state=UNTOUCHED, hint="make one with `openssl genpkey -algorithm ed25519`")
