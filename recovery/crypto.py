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
    lines = _identity_lines(text)
    if len(lines) != 1:
        raise KeyMissingError(
            f"{name} holds {len(lines)} age identities instead of one",
            state=UNTOUCHED,
            hint="give it the one line AGE-SECRET-KEY-1… that age-keygen wrote",
        )
    return _parsed_identity(lines[0], name)


def read_identities(text: bytes, name: str) -> list[Any]:
    """As read_identity, for a file that holds several of them, the newest first: those before a rotation stay in it."""
    lines = _identity_lines(text)
    if not lines:
        raise KeyMissingError(
            f"{name} holds no age identity", state=UNTOUCHED, hint="give it the line AGE-SECRET-KEY-1… of age-keygen"
        )
    return [_parsed_identity(line, name) for line in lines]


def identity_that_opens(identities: Sequence[Any], recipients: Sequence[str], name: str) -> Any:
    """Given the identities that are held, the recipients of what is to be opened and the name by which messages call
    the identities, return the one that opens it.

    Raises KeyMissingError when none does.
    """
    for identity in identities:
        if recipient_of(identity) in recipients:
            return identity
    raise KeyMissingError(
        f"{name} holds no identity of {', '.join(recipients)}",
        state=UNTOUCHED,
        hint="add the identity of one of these recipients to it: that of an earlier key, or the one in escrow",
    )


def _identity_lines(text: bytes) -> list[bytes]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith(b"#")]


def _parsed_identity(line: bytes, name: str) -> Any:
    try:
        return x25519.Identity.from_str(line.decode("ascii"))
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
        raise ConfigurationError(
            "no age recipient is configured",
            state="nothing was encrypted",
            hint="set the recipients of the keys in the inventory",
        )
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
    _trusted_pem: bytes = b""

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
    def trusted_pem(self) -> bytes:
        """Public keys as PEM, one behind the other: this one, and those whose signatures count because of it."""
        return self._trusted_pem or self.public_pem

    def trusting(self, public_pems: bytes) -> "Signer":
        """Given public keys that this one vouches for (recovery/keys_succession.py), return a signer that says so."""
        return Signer(self._key, public_pems)

    @property
    def fingerprint(self) -> str:
        """`SHA256:` and the SHA-256 of the raw 32-byte public key, in hexadecimal."""
        return _fingerprint(self._key.public_key())


def public_fingerprint(public_pem: bytes) -> str:
    """Given a public key as PEM, return its fingerprint as Signer.fingerprint does. Raises KeyMissingError."""
    return _fingerprint(_public_key(public_pem))


def verify_signature(public_pem: bytes, data: bytes, signature: bytes) -> int:
    """Given trusted public keys (PEM, one or several), bytes and a raw signature, return when the signature is one of
    theirs on those bytes: the place of the key that made it, the first being 0.

    Raises SignatureError when it is not and KeyMissingError when a public key is none.
    """
    keys = [_public_key(pem) for pem in split_pem(public_pem)]
    for place, key in enumerate(keys):
        try:
            key.verify(signature, data)
        except InvalidSignature:
            continue
        return place
    earlier = f", nor of the {len(keys) - 1} that it vouches for" if len(keys) > 1 else ""
    raise SignatureError(
        f"the signature is not one of the key {_fingerprint(keys[0])}{earlier}",
        state="nothing that it covers can be trusted",
        hint="compare the key's fingerprint with the escrow sheet; if it is right, take another copy of the set",
    )


def split_pem(public_pems: bytes) -> list[bytes]:
    """Given public keys as PEM, one behind the other, return each by itself; always at least one."""
    end = b"-----END PUBLIC KEY-----"
    found = [part + end + b"\n" for part in public_pems.replace(b"\r", b"").split(end)[:-1]]
    return [part.lstrip() for part in found] or [public_pems]


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
