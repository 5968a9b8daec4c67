"""What every kind of source offers: a dump of one snapshot, a copy beside the live data, an atomic swap."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

from recovery.errors import ConfigurationError, SetError

LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?")
# Parts of a structure that are not compared as equal; see Fingerprint.
AT_LEAST = "at least"
VERSIONS = "extension versions"
Liveness = Literal["old", "new", "unknown"]
Measured = Callable[[int, int], None]


@dataclass(frozen=True)
class Fingerprint:
    """What a source holds, in numbers and digests: equal fingerprints mean equal content. Holds no data values.

    `objects`: per table, or per first-level directory, at least "rows" and "digest". `structure`: what lives outside
    of the rows. `totals`: "objects", "rows" and "bytes".

    A server's database has a part AT_LEAST in its structure, with numbers that only grow: sequences stand outside of
    every snapshot. A part VERSIONS, which backups of earlier releases lack, names what the server installed in its own
    version: the judge warns of another one. Its "bytes" are files with what was deleted, too; they say how much room a
    copy needs.
    """

    kind: str
    objects: dict[str, dict[str, Any]]
    structure: dict[str, Any]
    totals: dict[str, int]

    def differences(self, other: "Fingerprint") -> list[str]:
        """Return one sentence for each thing in which `other` differs from this one; an empty list means equal.

        This one is what is expected, `other` what was found.
        """
        if self.kind != other.kind:
            return [f"the kind is {other.kind} and not {self.kind}"]
        found = [f"object {name!r} is missing" for name in sorted(self.objects.keys() - other.objects.keys())]
        found += [f"object {name!r} was not expected" for name in sorted(other.objects.keys() - self.objects.keys())]
        for name in sorted(self.objects.keys() & other.objects.keys()):
            found += _object_differences(name, self.objects[name], other.objects[name])
        found += _named_differences("", self.compared_structure(), other.compared_structure())
        for name, number in sorted(self.structure.get(AT_LEAST, {}).items()):
            seen = other.structure.get(AT_LEAST, {}).get(name)
            if seen is None or seen < number:
                found.append(f"structure: {name!r} stands at {seen} and not at {number} or later")
        for key in sorted(self.compared_totals().keys() | other.compared_totals().keys()):
            if self.totals.get(key) != other.totals.get(key):
                found.append(f"the total of {key} is {other.totals.get(key)} and not {self.totals.get(key)}")
        return found

    def compared_structure(self) -> dict[str, Any]:
        """Return the part of the structure that is equal wherever the content is."""
        return {name: value for name, value in self.structure.items() if name not in (AT_LEAST, VERSIONS)}

    def compared_totals(self) -> dict[str, int]:
        """Return the totals that are equal wherever the content is."""
        files = {"bytes"} if AT_LEAST in self.structure else set()
        return {name: value for name, value in self.totals.items() if name not in files}

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the manifest and the catalog."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Fingerprint":
        """Given what `to_json` returned, return the fingerprint. Raises SetError when it is anything else."""
        parts = [data.get(name) for name in ("objects", "structure", "totals")]
        if not isinstance(data.get("kind"), str) or not all(isinstance(part, dict) for part in parts):
            raise SetError(
                "the fingerprint is not one that this release wrote",
                state="nothing was compared with it",
                hint="restore with the release that the manifest names",
            )
        return cls(data["kind"], data["objects"], data["structure"], data["totals"])


def _object_differences(name: str, expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    if expected.get("rows") != found.get("rows"):
        return [f"object {name!r} has {found.get('rows')} rows and not {expected.get('rows')}"]
    differing = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    return [f"object {name!r} has other content ({', '.join(differing)})"] if differing else []


def _named_differences(prefix: str, expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    differences: list[str] = []
    for key in sorted(expected.keys() | found.keys()):
        name = f"{prefix} {key!r}".strip() if prefix else key
        if key not in found:
            differences.append(f"structure: {name} is missing")
        elif key not in expected:
            differences.append(f"structure: {name} was not expected")
        elif isinstance(expected[key], dict) and isinstance(found[key], dict):
            differences += _named_differences(name, expected[key], found[key])
        elif expected[key] != found[key]:
            differences.append(f"structure: {name} differs")
    return differences


@dataclass(frozen=True)
class Dump:
    """What is known about a dump that came to its end: fingerprint and data are of one snapshot.

    `server_globals`: what a database server keeps outside of the database and a copy needs, as SQL; else empty.
    """

    fingerprint: Fingerprint
    snapshot: dict[str, Any]
    tools: dict[str, str]
    warnings: tuple[str, ...]
    plain_suffix: str
    server_globals: bytes = b""


class DumpStream(Protocol):
    """The bytes of a dump."""

    def readinto(self, buffer: memoryview | bytearray) -> int:
        """Fill `buffer` as far as one read does; return the number of bytes, 0 at the end."""

    def finish(self) -> Dump:
        """After the last byte: return what was dumped. Raises when the dump failed; then the bytes are worthless."""


class LoadStream(Protocol):
    """Takes the bytes of a dump and makes a copy of them."""

    def write(self, data: bytes | memoryview) -> int:
        """Take all of `data`; return its length."""

    def finish(self) -> None:
        """After the last byte: return when the copy is complete and on disk."""


class Source(Protocol):
    """One component: a database or a directory tree."""

    kind: str
    extension: str
    # Threads that zstd gets of its own: none where the dump keeps a core busy, two where compressing takes longest.
    compression_threads: int

    def identify(self) -> dict[str, Any]:
        """Return what tells this source from every other: machine, path, kind. Compared before a swap."""

    def preflight(self) -> list[str]:
        """Return warnings; raises SourceMissingError, SourceLockedError or SourceCorruptError when no dump can be."""

    def size(self) -> int:
        """Return the bytes that the live source takes, for disk checks."""

    def free_space(self) -> int:
        """Return the bytes that are free where copies beside it would go."""

    def dump(self) -> AbstractContextManager[DumpStream]:
        """Dump one snapshot; leaving without `finish` stops it."""

    def beside(self, label: str) -> str:
        """Return the name of the copy with this label next to the live data."""

    def load(self, copy: str, server_globals: bytes = b"") -> AbstractContextManager[LoadStream]:
        """Make a copy, which must not exist yet; leaving without `finish` leaves nothing behind.

        `server_globals` is what the dump gave beside its bytes.
        """

    def check(self, copy: str | None = None) -> list[str]:
        """Return what the source's own checker finds wrong with a copy, or with the live data; empty means sound."""

    def fingerprint(self, copy: str | None = None, measured: Measured | None = None) -> Fingerprint:
        """Return the fingerprint of a copy, or of the live data.

        `measured` is told how many objects of how many are done, by kinds of sources that measure one by one.
        """

    def quiet(self) -> dict[str, Any]:
        """Return the proof that no process has it open; raises SourceBusyError naming the processes."""

    def ties(self) -> list[str]:
        """Return what will keep any copy from going live, a sentence each; asked while the service still runs."""

    def unloadable(self, made: dict[str, Any]) -> list[tuple[str, str]]:
        """Given a backup's facts, return why it could not be loaded beside the live data now, each with what to do."""

    def prepare_swap(self, copy: str) -> dict[str, Any]:
        """Return a receipt with the identities of live data and copy, before anything moves."""

    def swap(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """Make the copy live; the old data stays. Idempotent: finishes what a killed call began."""

    def swap_back(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """Make the old data live again; the copy stays. Idempotent."""

    def live_is(self, receipt: dict[str, Any]) -> Liveness:
        """Return which data is live."""

    def safety_copy(self, receipt: dict[str, Any]) -> str:
        """Return the name of the old data after the swap."""

    def discard(self, copy: str) -> None:
        """Remove a copy with all that belongs to it. Idempotent; refuses any name that is no copy of this source."""

    def copies(self) -> list[str]:
        """Return all copies that lie beside the live data."""

    def scratch(self, directory: Path) -> "Source":
        """Return a source of the same kind on this machine, living inside a private directory: for proof."""

    def close(self) -> None:
        """End what a scratch source keeps running for its copies; before its directory is removed. Idempotent."""

    def judge_url(self, copy: str, directory: Path) -> str:
        """Return a read-only SQLAlchemy URL for the judge; what it needs beside the copy is put in `directory`."""


def beside_name(path: str, label: str) -> str:
    """Given the live path and a label, return the copy's path: same directory, so that a rename can swap them.

    Raises ConfigurationError when the label has other characters than a-z, 0-9 and inner hyphens.
    """
    if not LABEL.fullmatch(label):
        raise ConfigurationError(f"{label!r} cannot be the label of a copy", hint="use a-z, 0-9 and inner hyphens")
    live = PurePosixPath(path)
    return str(live.with_name(f".{live.name}.pulih-{label}"))


def is_copy_name(path: str, name: str) -> bool:
    """Tell whether `name` is the path of a copy of the live data at `path`, as `beside_name` makes them."""
    prefix = beside_name(path, "x")[:-1]
    return name.startswith(prefix) and LABEL.fullmatch(name[len(prefix) :]) is not None
