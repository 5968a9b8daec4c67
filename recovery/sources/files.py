"""Directory trees: dumped as a tar stream that is measured as it passes, swapped by an exchange of names.

A tree has no snapshot: what changes while tar reads is reported in the dump's warnings. File flags (chattr), birth
times and sockets are not in a tar archive and so not in the backup.
"""

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from recovery.errors import (
    ConfigurationError,
    ConflictError,
    SourceBusyError,
    SourceError,
    SourceMissingError,
    SwapError,
)
from recovery.hosts.base import Argument, Host
from recovery.points import reached
from recovery.sources.base import DumpStream, Fingerprint, Liveness, LoadStream, Measured, beside_name, is_copy_name
from recovery.sources.tar_streams import CHUNK, ENVIRONMENT, LEFT_OUT, TreeDump, TreeLoad, create, extract, version
from recovery.sources.tree import Listener, TreeFold
from recovery.sources.tree_place import require_tree

# Reading or removing a whole tree takes as long as it is large; this only ends what hangs.
LONG = 24 * 3600.0
PART = "~"
NOTHING = "-"


class FilesSource:
    """One directory tree on a host."""

    kind = "files"
    extension = "tar"
    compression_threads = 2

    def __init__(self, host: Host, path: str, *, lock_timeout: float = 30) -> None:
        clean = posixpath.normpath(path)
        if clean == "/" or not clean.startswith("/") or clean.startswith("//") or ".." in path.split("/"):
            raise ConfigurationError(
                f"{path!r} cannot be a component of kind files",
                state="nothing was touched",
                hint="give the absolute path of a directory, without '..', and not the root of the file system",
            )
        self.host = host
        self.path = clean
        self.lock_timeout = lock_timeout

    def identify(self) -> dict[str, Any]:
        """See Source.identify."""
        return {"machine": self.host.identity(), "kind": self.kind, "path": self.path}

    def preflight(self) -> list[str]:
        """See Source.preflight. A mount point is refused: its names cannot be exchanged, and tar would leave it out."""
        found = self.inspect(self.path)
        require_tree(self.path, found)
        warnings = []
        if not found["privileged"]:  # pragma: no cover - another account, which a test plays in a process of its own
            warnings.append(
                "Pulih's account on the host is not root: owners, groups and security attributes are not proven"
            )
        if not found["parent_writable"]:
            warnings.append(f"Pulih's account on the host cannot write beside {self.path}: it cannot restore it")
        return warnings

    def inspect(self, path: str) -> dict[str, Any]:
        """Return what stands under a path, which mount points are in it, and what this account may do there."""
        return self._call("inspect", path)

    def size(self) -> int:
        """See Source.size. Bytes on disk: holes do not count, hard links count once."""
        # Status 1 is what vanishes while du looks; this is an estimate.
        completed = self.host.run(["du", "-s", "--block-size=1", "--", self.path], ok=(0, 1), timeout=LONG)
        number = completed.stdout.partition(b"\t")[0]
        if not number.isdigit():
            raise SourceMissingError(
                f"the size of {self.path} cannot be measured",
                state="nothing was touched",
                hint="see whether the directory is there and whether Pulih's account may read it",
            )
        return int(number)

    def free_space(self) -> int:
        """See Source.free_space."""
        return int(self.host.call("system", "space", posixpath.dirname(self.path))["free"])

    @contextmanager
    def dump(self) -> Iterator[DumpStream]:
        """See Source.dump."""
        with self._reading(self.path) as stream:
            yield stream

    @contextmanager
    def _reading(self, path: str, listener: Listener | None = None) -> Iterator[TreeDump]:
        found = self.inspect(path)
        require_tree(path, found)
        tools = {"tar": version(self.host)}
        fold = TreeFold(owners=found["privileged"], listener=listener)
        with self.host.stream(create(path), ok=(0, 1), env=ENVIRONMENT) as output:
            yield TreeDump(output, fold, tools, lambda: self._unchanged(path, found))

    def _unchanged(self, path: str, before: dict[str, Any]) -> None:
        after = self.inspect(path)
        require_tree(path, after)
        if after["inode"] != before["inode"]:
            raise SourceError(
                f"{path} was replaced while it was read",
                state="what was read counts for nothing",
                hint="back up again when nobody exchanges it",
            )

    def beside(self, label: str) -> str:
        """See Source.beside."""
        return beside_name(self.path, label)

    @contextmanager
    def load(self, copy: str, server_globals: bytes = b"") -> Iterator[LoadStream]:
        """See Source.load. Until `finish` the tree stands under another name, so a half copy is never taken for one."""
        self._own(copy)
        found = self.inspect(copy)
        if found["exists"]:
            raise ConflictError(
                f"the copy {copy} exists already",
                state="it was not changed",
                hint="a restore left it or is at work: `pulih show` says which; once that is closed, remove it by hand",
            )
        if not found["parent_exists"]:
            raise SourceMissingError(
                f"the directory in which {self.path} belongs is not there",
                state="nothing was loaded",
                hint="mount or make it, with the owner that it had, then continue",
            )
        version(self.host)
        part = copy + PART
        stream = None
        try:
            self._call("make", part, limit=LONG)
            with self.host.feed(extract(part, privileged=found["privileged"]), env=ENVIRONMENT) as program:
                stream = TreeLoad(program, lambda: self._call("keep", part, copy, limit=LONG))
                yield stream
        finally:
            if stream is None or not stream.kept:
                self._call("remove", part, limit=LONG)

    def check(self, copy: str | None = None) -> list[str]:
        """See Source.check. A tree has no checker of its own: only its fingerprint tells whether it is sound."""
        return []

    def fingerprint(self, copy: str | None = None, measured: Measured | None = None) -> Fingerprint:
        """See Source.fingerprint; all is measured by one call."""
        return self._measure(copy)

    def _measure(self, copy: str | None, listener: Listener | None = None) -> Fingerprint:
        if copy:
            self._own(copy)
        with self._reading(copy or self.path, listener) as stream:
            buffer = memoryview(bytearray(CHUNK))
            while stream.readinto(buffer):
                pass
            dump = stream.finish()
        changed = [warning for warning in dump.warnings if not warning.endswith(LEFT_OUT)]
        if copy and changed:
            raise SourceBusyError(
                f"the copy {copy} changed while it was measured: {changed[0]}",
                state="nothing is known about it",
                hint="find out which program writes into it",
            )
        return dump.fingerprint

    def quiet(self) -> dict[str, Any]:
        """See Source.quiet. "proven" is false when this account may not look into every process."""
        found = self._call("in_use", self.path)
        names = [f"{holder['name']} (pid {holder['pid']})" for holder in found["holders"]]
        names += [f"{holder['name']} (pid {holder['pid']}, which sees it mounted)" for holder in found["mounted"]]
        if names:
            raise SourceBusyError(
                f"{self.path} is still in use by {', '.join(names)}",
                state="nothing was changed",
                hint="stop these programs, then continue",
            )
        return {**found, "proven": found["unreadable"] == 0}

    def ties(self) -> list[str]:
        """See Source.ties: nothing holds on to a tree but programs, and those are stopped."""
        return []

    def unloadable(self, made: dict[str, Any]) -> list[tuple[str, str]]:
        """See Source.unloadable: a tree goes wherever tar writes."""
        return []

    def prepare_swap(self, copy: str) -> dict[str, Any]:
        """See Source.prepare_swap."""
        self._own(copy)
        old, new = self.inspect(self.path), self.inspect(copy)
        if not new["exists"] or new["kind"] != "directory":
            raise SwapError(
                f"there is no copy at {copy}",
                state="nothing was moved",
                hint="somebody removed it: find out who, then begin a new restore",
            )
        require_tree(copy, new)
        if old["exists"]:
            require_tree(self.path, old)
        return {"kind": self.kind, "live": self.path, "copy": copy, "old": _identity(old), "new": _identity(new)}

    def swap(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """See Source.swap."""
        old, new = self._checked(receipt)
        return {"live": "new", **self._call("move", self.path, receipt["copy"], old, new)}

    def swap_back(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """See Source.swap_back."""
        old, new = self._checked(receipt)
        return {"live": "old", **self._call("move", self.path, receipt["copy"], new, old)}

    def live_is(self, receipt: dict[str, Any]) -> Liveness:
        """See Source.live_is."""
        old, new = self._checked(receipt)
        live = self.inspect(self.path)
        inode = str(live["inode"]) if live["exists"] else NOTHING
        return "old" if inode == old else "new" if inode == new else "unknown"

    def safety_copy(self, receipt: dict[str, Any]) -> str:
        """See Source.safety_copy; empty when there was no old data."""
        return str(receipt["copy"]) if receipt["old"]["exists"] else ""

    def discard(self, copy: str) -> None:
        """See Source.discard."""
        self._own(copy)
        self._call("remove", copy, limit=LONG)
        self._call("remove", copy + PART, limit=LONG)

    def copies(self) -> list[str]:
        """See Source.copies. A half copy that a killed load left is listed under the name it would have got."""
        prefix = posixpath.basename(beside_name(self.path, "x"))[:-1]
        names = self._call("names", posixpath.dirname(self.path), prefix)["names"]
        return sorted({name.removesuffix(PART) for name in names if is_copy_name(self.path, name.removesuffix(PART))})

    def scratch(self, directory: Path) -> "FilesSource":
        """See Source.scratch."""
        from recovery.hosts.local import LocalHost

        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FilesSource(LocalHost("scratch"), str(directory / "data"), lock_timeout=self.lock_timeout)

    def close(self) -> None:
        """See Source.close. Nothing runs for a copy."""

    def judge_url(self, copy: str, directory: Path) -> str:
        """See Source.judge_url: a listing of the tree, table `berkas`, written while the tree is read."""
        from recovery.sources.listing import Listing

        path = directory / "listing.sqlite"
        with Listing(path) as listing:
            self._measure(copy, listing.add)
        return f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true"

    def _call(self, verb: str, *arguments: Argument, limit: float = 120) -> dict[str, Any]:
        reached(f"files: before {verb}")
        result = self.host.call("files", verb, *arguments, timeout=limit)
        reached(f"files: after {verb}")
        return result

    def _own(self, copy: str) -> None:
        if not is_copy_name(self.path, copy):
            raise ConfigurationError(f"{copy} is no copy of {self.path}", state="nothing was touched")

    def _checked(self, receipt: dict[str, Any]) -> tuple[str, str]:
        if receipt["kind"] != self.kind or receipt["live"] != self.path:
            raise ConfigurationError(f"the receipt is not one of {self.path}", state="nothing was touched")
        self._own(receipt["copy"])
        old = receipt["old"]
        return (str(old["inode"]) if old["exists"] else NOTHING), str(receipt["new"]["inode"])


def _identity(found: dict[str, Any]) -> dict[str, Any]:
    return {key: found[key] for key in ("exists", "device", "inode") if key in found}
