"""The way of a backup from dump to verdict, in one process, so that a test can put something bad in at any place."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recovery.crypto import generate_identity, read_identity
from recovery.procedures.backup.b2_verify import judge_copy
from recovery.quality.verdict import Verdict
from recovery.sources.base import Fingerprint, Source
from recovery.stream import PartDigests, decrypt, encrypt

SECRET, RECIPIENT = generate_identity()
IDENTITY = read_identity(SECRET.encode(), "of the tests")
MOMENT = "2026-11-20T15:00:03.000000+00:00"
PIECE = 1 << 20

# What did not pass: name of the check and its object.
Failed = tuple[str, str]


@dataclass(frozen=True)
class Original:
    """A dump, and the fingerprint that was taken of the same snapshot."""

    source: Source
    plain: bytes
    expected: Fingerprint
    server_globals: bytes = b""


def dump_of(source: Source) -> Original:
    """Dump a source into memory."""
    buffer, plain = memoryview(bytearray(PIECE)), io.BytesIO()
    with source.dump() as stream:
        while count := stream.readinto(buffer):
            plain.write(buffer[:count])
        dump = stream.finish()
    return Original(source, plain.getvalue(), dump.fingerprint, dump.server_globals)


def load(original: Original, directory: Path, plain: bytes | None = None) -> tuple[Source, str]:
    """Load a dump, or other bytes in its place, into a scratch copy."""
    scratch = original.source.scratch(directory)
    copy = scratch.beside("proof")
    if plain is None and scratch.kind == "sqlite":
        # What loading comes to, without two programs for each of many cases.
        Path(copy).write_bytes(original.plain)
        return scratch, copy
    content = memoryview(original.plain if plain is None else plain)
    with scratch.load(copy) as stream:
        for position in range(0, len(content), PIECE):
            stream.write(content[position : position + PIECE])
        stream.finish()
    return scratch, copy


def judge_loaded(scratch: Source, copy: str, expected: Fingerprint, directory: Path) -> Verdict:
    """Judge a scratch copy as step 2 of a backup and the rehearsal of a restore do."""
    return judge_copy(scratch, copy, expected, "", MOMENT, directory)


def judged(
    original: Original, directory: Path, sabotage: Callable[[Path], object] | None = None, plain: bytes | None = None
) -> Verdict:
    """Load a dump, let something happen to the copy, and return the verdict."""
    scratch, copy = load(original, directory, plain)
    if sabotage is not None:
        sabotage(Path(copy))
    return judge_loaded(scratch, copy, original.expected, directory)


def encrypted(plain: bytes, path: Path) -> PartDigests:
    """Encrypt bytes as step 1 does."""
    return encrypt(io.BytesIO(plain).readinto, path, [RECIPIENT])


def decrypted(path: Path, digests: PartDigests, write: Callable[[memoryview], Any]) -> None:
    """Decrypt a file as step 2 does."""
    with path.open("rb", buffering=0) as stored:
        decrypt(stored.readinto, write, IDENTITY, digests)


def failed(verdict: Verdict) -> set[Failed]:
    """The checks that failed."""
    return {(check.name, check.object) for check in verdict.checks if check.counts_as == "fail"}


def named(cases: Iterable[Any], quick: Iterable[str]) -> list[Any]:
    """Cases as parameters of a test: all are slow but a sample, which is tried every time."""
    sample = set(quick)
    return [pytest.param(case, id=case.name, marks=() if case.name in sample else pytest.mark.slow) for case in cases]
