"""SQLite databases: dumped as an exact copy of the file while writers go on, swapped by an exchange of names.

All work is done by the shipped program on the host, with that host's SQLite. In WAL mode writers go on during a dump;
in the rollback journal modes their commits wait until it has ended.
"""

import json
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from recovery.errors import ConfigurationError, ConflictError, SourceBusyError
from recovery.hosts.base import Host, InputStream, OutputStream, last_result
from recovery.points import reached
from recovery.sources.base import (
    Dump,
    DumpStream,
    Fingerprint,
    Liveness,
    LoadStream,
    Measured,
    beside_name,
    is_copy_name,
)

# Reading a whole database takes as long as it is large; this only ends what hangs.
LONG = 24 * 3600.0
SIDE_FILES = ("-wal", "-shm", "-journal")


class SqliteSource:
    """One SQLite database file on a host."""

    kind = "sqlite"
    extension = "sqlite"
    compression_threads = 0

    def __init__(self, host: Host, path: str, *, lock_timeout: float = 30) -> None:
        self.host = host
        self.path = path
        self.lock_timeout = lock_timeout

    def identify(self) -> dict[str, Any]:
        """See Source.identify."""
        return {"machine": self.host.identity(), "kind": self.kind, "path": self.path}

    def preflight(self) -> list[str]:
        """See Source.preflight."""
        return list(self._call("preflight", self.path, self._timeout)["warnings"])

    def size(self) -> int:
        """See Source.size. Counts what is still in the WAL."""
        parts = [self._system("look", self.path + side) for side in ("", "-wal")]
        return sum(part["size"] for part in parts if part["exists"])

    def free_space(self) -> int:
        """See Source.free_space."""
        return int(self._system("space", posixpath.dirname(self.path))["free"])

    @contextmanager
    def dump(self) -> Iterator[DumpStream]:
        """See Source.dump."""
        with self.host.stream(self.host.helper("sqlite", "dump", self.path, self._timeout)) as output:
            yield _SqliteDump(output)

    def beside(self, label: str) -> str:
        """See Source.beside."""
        return beside_name(self.path, label)

    @contextmanager
    def load(self, copy: str, server_globals: bytes = b"") -> Iterator[LoadStream]:
        """See Source.load. Until `finish` the bytes stand under another name, so a half copy is never taken for one."""
        self._own(copy)
        if self._system("look", copy)["exists"]:
            raise ConflictError(
                f"the copy {copy} exists already",
                state="it was not changed",
                hint="a restore left it or is at work: `pulih show` says which; once that is closed, remove it by hand",
            )
        stream = None
        try:
            with self.host.feed(self.host.helper("sqlite", "load", copy)) as program:
                stream = _SqliteLoad(self, copy, program)
                yield stream
        finally:
            if stream is not None and not stream.kept:
                self._call("drop", copy)

    def check(self, copy: str | None = None) -> list[str]:
        """See Source.check: what `PRAGMA integrity_check` finds."""
        return list(self.examine(copy)["integrity"])

    def examine(self, copy: str | None = None) -> dict[str, Any]:
        """Return {"integrity": findings, "orphans": {"child → parent": rows}, "unchecked": names}.

        Orphans are rows without their parent row; unchecked is what only the application's own functions could check.
        """
        return self._call("check", copy or self.path, self._timeout, "copy" if copy else "live", limit=LONG)

    def fingerprint(self, copy: str | None = None, measured: Measured | None = None) -> Fingerprint:
        """See Source.fingerprint; all is measured by one call."""
        which = "copy" if copy else "live"
        return Fingerprint.from_json(self._call("fingerprint", copy or self.path, self._timeout, which, limit=LONG))

    def quiet(self) -> dict[str, Any]:
        """See Source.quiet. "proven" is false when this account may not look into every process."""
        found = self._system("holders", self.path, *(self.path + side for side in SIDE_FILES))
        if found["holders"]:
            names = ", ".join(f"{holder['name']} (pid {holder['pid']})" for holder in found["holders"])
            raise SourceBusyError(
                f"{self.path} is still open in {names}",
                state="nothing was changed",
                hint="stop these programs, then continue",
            )
        return {**found, "proven": found["unreadable"] == 0}

    def ties(self) -> list[str]:
        """See Source.ties: nothing holds on to a file but programs, and those are stopped."""
        return []

    def unloadable(self, made: dict[str, Any]) -> list[tuple[str, str]]:
        """See Source.unloadable: a file of SQLite is read by every release of it."""
        return []

    def prepare_swap(self, copy: str) -> dict[str, Any]:
        """See Source.prepare_swap."""
        self._own(copy)
        return self._call("prepare", self.path, copy)

    def swap(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """See Source.swap."""
        return self._call("swap", self._checked(receipt), limit=LONG)

    def swap_back(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """See Source.swap_back."""
        return self._call("swap_back", self._checked(receipt), limit=LONG)

    def live_is(self, receipt: dict[str, Any]) -> Liveness:
        """See Source.live_is."""
        return cast(Liveness, self._call("live_is", self._checked(receipt))["live"])

    def safety_copy(self, receipt: dict[str, Any]) -> str:
        """See Source.safety_copy; empty when there was no old data."""
        return str(receipt["copy"]) if receipt["old"]["exists"] else ""

    def discard(self, copy: str) -> None:
        """See Source.discard."""
        self._own(copy)
        self._call("drop", copy, limit=600)

    def copies(self) -> list[str]:
        """See Source.copies. A half copy that a killed load left is listed under the name it would have got."""
        names = self._call("list", beside_name(self.path, "x")[:-1])["names"]
        return sorted({name.removesuffix("~") for name in names if is_copy_name(self.path, name.removesuffix("~"))})

    def scratch(self, directory: Path) -> "SqliteSource":
        """See Source.scratch."""
        from recovery.hosts.local import LocalHost

        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SqliteSource(LocalHost("scratch"), str(directory / "data.sqlite"), lock_timeout=self.lock_timeout)

    def close(self) -> None:
        """See Source.close. Nothing runs for a copy."""

    def judge_url(self, copy: str, directory: Path) -> str:
        """See Source.judge_url."""
        path = self.host.bring(copy, directory)
        return f"sqlite:///file:{quote(path)}?mode=ro&immutable=1&uri=true"

    def keep(self, copy: str, size: int) -> None:
        """Give a completely loaded copy its name; raises unless it has exactly `size` bytes."""
        self._call("keep", copy, str(size))

    @property
    def _timeout(self) -> str:
        return str(self.lock_timeout)

    def _call(self, verb: str, *arguments: str, limit: float = 60) -> dict[str, Any]:
        reached(f"sqlite: before {verb}")
        result = self.host.call("sqlite", verb, *arguments, timeout=limit + self.lock_timeout)
        reached(f"sqlite: after {verb}")
        return result

    def _system(self, verb: str, *arguments: str) -> dict[str, Any]:
        reached(f"sqlite: before {verb}")
        return self.host.call("system", verb, *arguments)

    def _own(self, copy: str) -> None:
        if not is_copy_name(self.path, copy):
            raise ConfigurationError(f"{copy} is no copy of {self.path}", state="nothing was touched")

    def _checked(self, receipt: dict[str, Any]) -> str:
        if receipt["kind"] != self.kind or receipt["live"] != self.path:
            raise ConfigurationError(f"the receipt is not one of {self.path}", state="nothing was touched")
        self._own(receipt["copy"])
        return json.dumps(receipt)


class _SqliteDump:
    def __init__(self, output: OutputStream) -> None:
        self._output = output

    def readinto(self, buffer: memoryview | bytearray) -> int:
        return self._output.readinto(buffer)

    def finish(self) -> Dump:
        result = last_result(self._output.finish().stderr)
        return Dump(
            Fingerprint.from_json(result["fingerprint"]),
            result["snapshot"],
            result["tools"],
            tuple(result["warnings"]),
            "sqlite",
        )


class _SqliteLoad:
    def __init__(self, source: SqliteSource, copy: str, program: InputStream) -> None:
        self._source, self._copy, self._program = source, copy, program
        self._size = 0
        self.kept = False

    def write(self, data: bytes | memoryview) -> int:
        count = self._program.write(data)
        self._size += count
        return count

    def finish(self) -> None:
        self._program.finish()
        self._source.keep(self._copy, self._size)
        self.kept = True
