"""Making the keys of an installation: two age identities, the key that signs, and the one that seals secrets."""

import base64
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recovery.crypto import Signer, generate_identity, generate_signing_key, read_identities, recipient_of
from recovery.errors import KeyMissingError
from recovery.keys_files import write_new
from recovery.points import reached

ENROLMENT_BYTES = 32


@dataclass(frozen=True)
class KeyFile:
    """A key's file. `public` is its recipient or fingerprint, empty where there is none; `made` says whether it is
    new, or lay there already and was left as it is."""

    kind: str
    path: Path
    public: str
    made: bool


def _identity_file() -> bytes:
    identity, recipient = generate_identity()
    return f"# public key: {recipient}\n{identity}\n".encode()


def _enrolment_file() -> bytes:
    return base64.b64encode(os.urandom(ENROLMENT_BYTES)) + b"\n"


def _recipient(content: bytes, name: str) -> str:
    return recipient_of(read_identities(content, name)[0])


def _fingerprint(content: bytes, name: str) -> str:
    return Signer.from_pem(content, name).fingerprint


def _no_public_half(content: bytes, name: str) -> str:
    read_enrolment_key(content, name)
    return ""


# By kind: the file's name, how its content is made, and how what is public of it is read.
_KINDS: dict[str, tuple[str, Callable[[], bytes], Callable[[bytes, str], str]]] = {
    "operations": ("operations.txt", _identity_file, _recipient),
    "escrow": ("escrow.txt", _identity_file, _recipient),
    "signing": ("signing.pem", generate_signing_key, _fingerprint),
    "enrolment": ("enrolment.key", _enrolment_file, _no_public_half),
}
KINDS = tuple(_KINDS)


def make_keys(directory: Path, kinds: Sequence[str] = KINDS) -> list[KeyFile]:
    """Given a directory and kinds, make each key whose file is not there yet, and return all of them.

    Files have mode 0600 and are whole or not there at all, so that a killed call is simply repeated. Raises
    KeyMissingError for a file that lies there and holds no such key, StoreError.
    """
    from recovery.installation import private_directory

    private_directory(directory)
    return [_make(directory, kind) for kind in kinds]


def _make(directory: Path, kind: str) -> KeyFile:
    file, make, read = _KINDS[kind]
    path = directory / file
    made = not path.exists()
    if made:
        write_new(path, make())
        reached("key: made")
    return KeyFile(kind, path, read(read_file(path), str(path)), made)


def inventory_lines(keys: Sequence[KeyFile]) -> list[str]:
    """Given keys, return the lines about them for the section `keys` of the inventory."""
    lines = []
    for key in keys:
        if key.kind in ("operations", "escrow"):
            lines.append(f"{key.kind}_recipient: {key.public}")
        if key.kind == "operations":
            lines.append(f"operations_identity: file:{key.path.resolve()}")
        if key.kind in ("signing", "enrolment"):
            lines.append(f"{key.kind}_key: file:{key.path.resolve()}")
    return lines


def read_file(path: Path) -> bytes:
    """Given a key's file, return its content. Raises KeyMissingError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyMissingError(
            f"{path} cannot be read ({error.strerror})",
            state="nothing was done with it",
            hint="put the key's file there and let this account read it; nobody else",
        ) from error


def read_enrolment_key(content: bytes, name: str) -> bytes:
    """Given the text of the key that seals officials' secrets and its name, return it. Raises KeyMissingError."""
    import binascii

    try:
        key = base64.b64decode(content.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != ENROLMENT_BYTES:
        raise KeyMissingError(
            f"the enrolment key {name} is not 32 bytes of base64",
            state="no approval can be checked",
            hint="restore the key file from escrow; a new key means that every official enrols again",
        )
    return key
