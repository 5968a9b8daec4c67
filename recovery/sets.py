"""A backup set in a store: put so that its signed manifest is the commit, and opened so that nothing is taken on trust.

Layout: <unit>/<application>/<name>/ with the encrypted data, quality.json, manifest.json and manifest.json.sig.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recovery.channels import BUFFER_SIZE
from recovery.crypto import Signer, recipient_of, verify_signature
from recovery.errors import (
    DigestError,
    KeyMissingError,
    ObjectExistsError,
    ObjectMissingError,
    ObjectTooLargeError,
    SetError,
    SignatureError,
)
from recovery.manifest import MANIFEST, SIGNATURE, Manifest, Part
from recovery.points import reached
from recovery.stores.base import Readable, Store
from recovery.stream import decrypt

logger = logging.getLogger(__name__)

LARGEST_MANIFEST = 64 << 20
LARGEST_SIGNATURE = 1024

# What Store.protect says.
WEAKEST_FIRST = ("none", "governance", "compliance")

_UNUSED = "nothing of the set was used"
_OTHER_COPY = "take the copy in the other store, or an older backup"
_UNRELIABLE = "the set must not be relied on"
_UNCOMMITTED = "the set has no signature in the store, so it does not count"


def set_prefix(unit: str, application: str, name: str) -> str:
    """Given a set's unit, application and name, return the key under which its files lie."""
    return f"{unit}/{application}/{name}"


def put_set(store: Store, prefix: str, staged: Mapping[str, Path], manifest: Manifest, signer: Signer) -> None:
    """Given staged parts and their manifest, put the set into the store.

    The parts go first and are read back; then the manifest; the signature last, because it is the commit: a set
    without it does not count. Calling again after a kill finishes it. Raises SetError when manifest, prefix and
    staged files do not belong together or the backup was not proven, DigestError when the store gives back other
    bytes, ObjectExistsError, StoreFullError, StoreReadOnlyError, StoreError.
    """
    put_copy(store, prefix, staged, manifest, signer.sign(manifest.to_bytes()), signer.trusted_pem)


def put_copy(
    store: Store,
    prefix: str,
    staged: Mapping[str, Path],
    manifest: Manifest,
    signature: bytes,
    trusted_pem: bytes,
) -> None:
    """As put_set, with the signature that the manifest has already, by one of the keys that the caller trusts."""
    _require_match(prefix, staged, manifest)
    content = manifest.to_bytes()
    for part in manifest.parts:
        key = f"{prefix}/{part.file}"
        # Of what the store gives back; downloading a large part once more would double what the step costs.
        if store.put_file(key, staged[part.file]) != part.stored_sha256:
            raise _differs(key, store, _UNCOMMITTED)
    reached("set: parts put")
    store.put_bytes(f"{prefix}/{MANIFEST}", content)
    reached("set: manifest put")
    try:
        store.put_bytes(f"{prefix}/{SIGNATURE}", signature)
    except ObjectExistsError as error:
        # The key was rotated since a try that was killed: what the one before signed is as good.
        try:
            verify_signature(trusted_pem, content, store.read(f"{prefix}/{SIGNATURE}", limit=LARGEST_SIGNATURE))
        except (SignatureError, ObjectTooLargeError):
            raise error from None
    logger.info("put the set %s into the store %s", prefix, store.name)


def protect_set(store: Store, prefix: str, manifest: Manifest) -> str:
    """Given a set that was put, keep all its objects from being removed until its retention ends.

    Returns what holds for every one of them: "compliance", "governance", or "none" where the store has no lock or
    the set is kept beyond its retention.
    Raises StoreError when the settings demand a lock and it does not hold.
    """
    files = (*(part.file for part in manifest.parts), MANIFEST, SIGNATURE)
    held = {store.protect(f"{prefix}/{file}", manifest.retention_until) for file in files}
    return next(word for word in WEAKEST_FIRST if word in held)


def read_back(store: Store, prefix: str, manifest: Manifest, public_pem: bytes | None = None) -> None:
    """Given a set that was put, read every object of it again and compare its SHA-256; with a key, the signature too.

    Raises DigestError or SignatureError for a difference, SetError for an object that is missing.
    """
    _match_parts(store, prefix, manifest)
    content, signature = _read_manifest(store, prefix, manifest.sha256)
    if content != manifest.to_bytes():
        raise _differs(f"{prefix}/{MANIFEST}", store, _UNRELIABLE)
    if public_pem is not None:
        verify_signature(public_pem, content, signature)


def open_set(
    store: Store,
    prefix: str,
    public_pem: bytes,
    *,
    application: str,
    component: str,
    manifest_sha256: str | None,
) -> "BackupSet":
    """Given where a set lies and what it must be, return it, its signature verified and its parts all there.

    Trust comes from the key that the caller holds and never from the store. Raises SignatureError, also for a manifest
    or signature too large to be one, DigestError when the manifest is another one than was recorded, SetError when the
    set is of another component, lies under another name, or lacks a part.
    """
    content, signature = _read_manifest(store, prefix, manifest_sha256 or "")
    try:
        verify_signature(public_pem, content, signature)
    except SignatureError as error:
        raise SignatureError(
            f"the manifest of {prefix} in the store {store.name} is not signed by this installation ({error.message})",
            state=_UNUSED,
            hint="compare the key's fingerprint with the escrow sheet; if it is right, the set was changed: "
            + _OTHER_COPY,
        ) from error
    manifest = Manifest.from_bytes(content)
    _require_identity(manifest, prefix, application, component)
    if manifest_sha256 is not None and hashlib.sha256(content).hexdigest() != manifest_sha256:
        raise DigestError(
            f"the manifest of {prefix} is not the one that was recorded: "
            f"its SHA-256 is {hashlib.sha256(content).hexdigest()} and not {manifest_sha256}",
            state=_UNUSED,
            hint="somebody replaced the set by another one that this installation signed; " + _OTHER_COPY,
        )
    backup_set = BackupSet(store, prefix, manifest)
    for warning in backup_set.check_parts():
        logger.warning("%s", warning)
    return backup_set


@dataclass(frozen=True)
class BackupSet:
    """A set whose manifest was verified. Open it with open_set."""

    store: Store
    prefix: str
    manifest: Manifest

    def check_parts(self) -> list[str]:
        """Return a sentence for every object that lies in the set and does not belong to it.

        Such an object is no reason to refuse a restore: nothing reads it. Raises SetError for a part that is missing
        and DigestError for one of another size.
        """
        found = {info.key.removeprefix(f"{self.prefix}/"): info.size for info in self.store.list(f"{self.prefix}/")}
        for part in self.manifest.parts:
            if part.file not in found:
                raise _missing(f"{self.prefix}/{part.file}", self.store)
            if found[part.file] != part.stored_size:
                raise DigestError(
                    f"{self.prefix}/{part.file} in the store {self.store.name} has {found[part.file]} bytes "
                    f"and not the {part.stored_size} of the manifest",
                    state=_UNUSED,
                    hint=_OTHER_COPY,
                )
        known = {part.file for part in self.manifest.parts} | {MANIFEST, SIGNATURE}
        return [
            f"{self.prefix}/{file} in the store {self.store.name} does not belong to the set"
            for file in sorted(found.keys() - known)
        ]

    def restore(self, role: str, identity: Any, write: Callable[[memoryview], Any]) -> None:
        """Given a part's role, an identity and a target, write the part's data and return when all digests matched.

        What was written counts only after this returns. Raises KeyMissingError, DigestError, StoreError.
        """
        part = self.manifest.part(role)
        digests = part.digests
        recipient = recipient_of(identity)
        if recipient not in self.manifest.recipients:
            # Said at once: finding it out from the data could mean reading all of it.
            raise KeyMissingError(
                f"the identity of {recipient} opens none of the recipients of {self.manifest.name}",
                state=_UNUSED,
                hint=f"use the identity of one of: {', '.join(self.manifest.recipients)}",
            )
        with self.store.open(f"{self.prefix}/{part.file}", sha256=part.stored_sha256) as stored:
            decrypt(stored.readinto, write, identity, digests)

    def copy(self, part: Part, write: Callable[[memoryview], Any]) -> None:
        """Given one of the set's parts and a target, write its bytes as they are stored; return when they matched.

        What was written counts only after this returns. Raises DigestError, StoreError.
        """
        with self.store.open(f"{self.prefix}/{part.file}", sha256=part.stored_sha256) as stored:
            if not _is_part(stored, part, write):
                raise _differs(f"{self.prefix}/{part.file}", self.store, _UNUSED)

    def read(self, role: str) -> bytes:
        """Given the role of a part that is stored unencrypted, return its content. Raises DigestError, SetError."""
        part = self.manifest.part(role)
        if part.cipher_sha256 is not None:
            raise SetError(f"the part {part.file} is encrypted", state=_UNUSED, hint="restore it with an identity")
        content = self.store.read(f"{self.prefix}/{part.file}", sha256=part.stored_sha256)
        if hashlib.sha256(content).hexdigest() != part.plain_sha256:
            raise _differs(f"{self.prefix}/{part.file}", self.store, _UNUSED)
        return content


def _require_match(prefix: str, staged: Mapping[str, Path], manifest: Manifest) -> None:
    # Read as a later restore will read it: what could not be opened then must not be put now.
    Manifest.from_bytes(manifest.to_bytes())
    unstored, again = "nothing was put into the store", "look at what steps 2 and 3 of this run left, and back up again"
    if manifest.verdict != "pass":
        raise SetError(f"the backup {manifest.name} has the verdict {manifest.verdict!r}", state=unstored, hint=again)
    own = set_prefix(manifest.unit, manifest.application, manifest.name)
    if prefix != own:
        raise SetError(f"the set of {own} cannot lie under {prefix}", state=unstored, hint=again)
    if staged.keys() != {part.file for part in manifest.parts}:
        raise SetError(f"the staged files of {own} are not the parts of its manifest", state=unstored, hint=again)


def _require_identity(manifest: Manifest, prefix: str, application: str, component: str) -> None:
    if (manifest.application, manifest.component) != (application, component):
        raise SetError(
            f"the set under {prefix} is of {manifest.application}/{manifest.component} "
            f"and not of {application}/{component}: it was copied from another component",
            state=_UNUSED,
            hint="take the copy in the other store, and find out who copied it",
        )
    own = set_prefix(manifest.unit, manifest.application, manifest.name)
    if own != prefix:
        raise SetError(
            f"the set under {prefix} was stored as {own}: it was copied or renamed",
            state=_UNUSED,
            hint="take the copy in the other store, and find out who copied it",
        )


def _read_manifest(store: Store, prefix: str, sha256: str) -> tuple[bytes, bytes]:
    try:
        content = store.read(f"{prefix}/{MANIFEST}", limit=LARGEST_MANIFEST, sha256=sha256)
        signature = store.read(f"{prefix}/{SIGNATURE}", limit=LARGEST_SIGNATURE)
    except ObjectMissingError as error:
        raise SetError(
            f"the set {prefix} in the store {store.name} has no signed manifest ({error.message})",
            state="it was never completed, or somebody removed it; " + _UNUSED,
            hint=_OTHER_COPY,
        ) from error
    except ObjectTooLargeError as error:  # nothing that this installation signs is that large: it is not its own
        raise SignatureError(error.message, state=_UNUSED, hint=_OTHER_COPY) from error
    return content, signature


def _match_parts(store: Store, prefix: str, manifest: Manifest) -> None:
    for part in manifest.parts:
        key = f"{prefix}/{part.file}"
        try:
            with store.open(key, sha256=part.stored_sha256) as stored:
                same = _is_part(stored, part)
        except ObjectMissingError as error:
            raise _missing(key, store) from error
        if not same:
            raise _differs(key, store, _UNRELIABLE)


def _is_part(stored: Readable, part: Part, write: Callable[[memoryview], Any] | None = None) -> bool:
    found, size, buffer = hashlib.sha256(), 0, memoryview(bytearray(BUFFER_SIZE))
    while count := stored.readinto(buffer):
        found.update(buffer[:count])
        size += count
        if write is not None:
            write(buffer[:count])
    return (found.hexdigest(), size) == (part.stored_sha256, part.stored_size)


def _missing(key: str, store: Store) -> SetError:
    return SetError(f"the part {key} is missing in the store {store.name}", state=_UNUSED, hint=_OTHER_COPY)


def _differs(key: str, store: Store, state: str) -> DigestError:
    return DigestError(
        f"{key} in the store {store.name} does not have the SHA-256 of the manifest", state=state, hint=_OTHER_COPY
    )
