"""The manifest: what a set consists of, where its data came from, and how it was proven. Signed, and put last."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from recovery.canonical import canonical_json
from recovery.errors import SetError
from recovery.stream import PartDigests

FORMAT = 1
MANIFEST = "manifest.json"
SIGNATURE = "manifest.json.sig"
ROLES = ("data", "globals", "quality")


@dataclass(frozen=True)
class Part:
    """One file of a set. `cipher_sha256` and `cipher_size` are None for a part that is stored unencrypted."""

    file: str
    role: str
    plain_sha256: str
    plain_size: int
    cipher_sha256: str | None = None
    cipher_size: int | None = None

    @classmethod
    def encrypted(cls, file: str, role: str, digests: PartDigests) -> "Part":
        """Given the digests that encryption returned, return the part."""
        return cls(file, role, digests.plain_sha256, digests.plain_size, digests.cipher_sha256, digests.cipher_size)

    @classmethod
    def plain(cls, file: str, role: str, content: bytes) -> "Part":
        """Given the content of a part that is stored as it is, return the part."""
        return cls(file, role, hashlib.sha256(content).hexdigest(), len(content))

    @property
    def stored_sha256(self) -> str:
        """SHA-256 of the bytes in the store."""
        return self.plain_sha256 if self.cipher_sha256 is None else self.cipher_sha256

    @property
    def stored_size(self) -> int:
        """Number of bytes in the store."""
        return self.plain_size if self.cipher_size is None else self.cipher_size

    @property
    def digests(self) -> PartDigests:
        """All four digests of an encrypted part. Raises SetError for one that is not."""
        if self.cipher_sha256 is None or self.cipher_size is None:
            raise _wrong(f"the part {self.file} is not encrypted")
        return PartDigests(self.plain_sha256, self.plain_size, self.cipher_sha256, self.cipher_size)

    def to_json(self) -> dict[str, Any]:
        """Return the plain form that the manifest holds."""
        cipher = None
        if self.cipher_sha256 is not None:
            cipher = {"sha256": self.cipher_sha256, "size": self.cipher_size}
        plain = {"sha256": self.plain_sha256, "size": self.plain_size}
        return {"file": self.file, "role": self.role, "plain": plain, "cipher": cipher}

    @classmethod
    def from_json(cls, data: Any) -> "Part":
        """Given the plain form, return the part. Raises SetError when it is not exactly one."""
        _require_keys(data, {"file", "role", "plain", "cipher"}, "a part")
        file, role = data["file"], data["role"]
        if not _is_file_name(file) or file in (MANIFEST, SIGNATURE):
            raise _wrong(f"{file!r} cannot be the file of a part")
        if role not in ROLES:
            raise _wrong(f"the part {file} has the unknown role {role!r}")
        plain = _digest_of(data["plain"], file)
        cipher = (None, None) if data["cipher"] is None else _digest_of(data["cipher"], file)
        return cls(file, role, *plain, *cipher)


@dataclass(frozen=True)
class Manifest:
    """A backup set as it was stored. Times are UTC ISO 8601 text; `moment` is when the dump began."""

    backup_id: str
    name: str
    application: str
    component: str
    kind: str
    unit: str
    moment: str
    procedure_id: str
    schedule_number: str
    release: str
    parts: tuple[Part, ...]
    tools: dict[str, str]
    target: dict[str, Any]
    snapshot: dict[str, Any]
    fingerprint: dict[str, Any]
    verdict: str
    recipients: list[str]
    retention_until: str
    warnings: list[str]

    def part(self, role: str) -> Part:
        """Given a role, return the part that has it. Raises SetError."""
        for part in self.parts:
            if part.role == role:
                return part
        raise _wrong(f"the set {self.name} has no part with the role {role!r}")

    def to_bytes(self) -> bytes:
        """Return the canonical JSON that is signed and stored; equal manifests give equal bytes."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return canonical_json({**values, "format": FORMAT, "parts": [part.to_json() for part in self.parts]})

    @property
    def sha256(self) -> str:
        """SHA-256 of the stored manifest: by it forms, the catalog and approvals name exactly this set."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Manifest":
        """Given a stored manifest, return it. Raises SetError when it is not exactly one of this format.

        Verify its signature first: this checks form, not origin.
        """
        data = _parse(content)
        expected = {field.name for field in fields(cls)}
        _require_keys(data, expected | {"format"}, "the manifest")
        values = {name: data[name] for name in expected}
        for name, is_right, what in _TYPES:
            if not is_right(values[name]):
                raise _wrong(f"the field {name} of the manifest is no {what}")
        if not isinstance(data["parts"], list):
            raise _wrong("the field parts of the manifest is no list")
        manifest = cls(**{**values, "parts": tuple(Part.from_json(part) for part in data["parts"])})
        _require_whole(manifest)
        # Anything that reads the same but is written otherwise (a repeated key, a space) is not what we sign.
        try:
            canonical = manifest.to_bytes()
        except (TypeError, ValueError, RecursionError) as error:
            raise _wrong("the manifest holds what canonical JSON cannot") from error
        if canonical != content:
            raise _wrong("the manifest is not written in its canonical form")
        return manifest


def _parse(content: bytes) -> dict[str, Any]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _wrong("the manifest is no JSON") from error
    if not isinstance(data, dict) or "format" not in data:
        raise _wrong("the manifest does not say its format")
    if data["format"] != FORMAT or isinstance(data["format"], bool):
        raise SetError(
            f"the manifest has the format {data['format']!r} and this release reads format {FORMAT}",
            state="the set was not read",
            hint="use the release that wrote it, or a newer one; RESTORE.md tells how to restore without any",
        )
    return data


def _require_keys(data: Any, expected: set[str], what: str) -> None:
    if not isinstance(data, dict):
        raise _wrong(f"{what} is no JSON object")
    if missing := sorted(expected - data.keys()):
        raise _wrong(f"{what} lacks {', '.join(missing)}")
    if unknown := sorted(data.keys() - expected):
        raise _wrong(f"{what} has the unknown {', '.join(unknown)}")


def _require_whole(manifest: Manifest) -> None:
    for what, values in (
        ("role", [part.role for part in manifest.parts]),
        ("file", [part.file for part in manifest.parts]),
    ):
        if len(set(values)) != len(values):
            raise _wrong(f"two parts of the set have the same {what}")
    for role in ("data", "quality"):
        manifest.part(role)
    for part in manifest.parts:
        # Only the verdict may lie in a store unencrypted: it holds no data, and people read it without a key.
        if (part.cipher_sha256 is None) != (part.role == "quality"):
            raise _wrong(f"the part {part.file} must {'not ' if part.role == 'quality' else ''}be encrypted")


def _digest_of(data: Any, file: str) -> tuple[str, int]:
    _require_keys(data, {"sha256", "size"}, f"the digest of the part {file}")
    sha256, size = data["sha256"], data["size"]
    hexadecimal = isinstance(sha256, str) and len(sha256) == 64 and set(sha256) <= set("0123456789abcdef")
    if not hexadecimal or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _wrong(f"the digest of the part {file} is none")
    return sha256, size


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_file_name(value: Any) -> bool:
    return _is_word(value) and value.isascii() and value.isprintable() and "/" not in value and value[0] != "."


def _is_time(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).utcoffset() is not None
    except (TypeError, ValueError):
        return False


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _are_tools(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


_TYPES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    *((name, _is_word, "text") for name in ("backup_id", "application", "component", "kind", "procedure_id")),
    *((name, _is_file_name, "name") for name in ("name", "unit")),
    *((name, _is_text, "text") for name in ("schedule_number", "release", "verdict")),
    *((name, _is_time, "time with a time zone") for name in ("moment", "retention_until")),
    *((name, _is_object, "JSON object") for name in ("target", "snapshot", "fingerprint")),
    *((name, _are_texts, "list of texts") for name in ("recipients", "warnings")),
    ("tools", _are_tools, "object of texts"),
)


def _wrong(message: str) -> SetError:
    return SetError(message, state="the set was not used", hint="take the copy in the other store, or an older backup")
