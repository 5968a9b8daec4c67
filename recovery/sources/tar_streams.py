"""GNU tar as we use it: its arguments, the judgement of what it says, and the two streams around it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from recovery.errors import CommandError, ConfigurationError, SourceError
from recovery.hosts.base import Argument, Host, InputStream, OutputStream
from recovery.sources.base import Dump
from recovery.sources.tar_entries import Entry, TarEntries
from recovery.sources.tree import NoContent, TreeFold

CHUNK = 1 << 20
# In this locale tar neither converts names nor prints anything but ASCII: names arrive as the bytes they are, and a
# name with a newline cannot forge a line of its own.
ENVIRONMENT = {"LC_ALL": "C"}
# Records of 128 KiB: with tar's own 10 KiB the many short writes and reads cost half of the speed.
EVERYTHING = ("--xattrs", "--xattrs-include=*", "--numeric-owner", "--blocking-factor=256")
LEFT_OUT = " is a socket and was left out"
TOLERATED = {
    re.compile(r"tar: (.+): file changed as we read it"): "{} changed while it was read",
    re.compile(r"tar: (.+): File removed before we read it"): "{} was removed before it was read",
    re.compile(r"tar: (.+): socket ignored"): "{}" + LEFT_OUT,
}
WARNINGS_LIMIT = 200
WORTHLESS = "what was read counts for nothing; the live data was only read"


def version(host: Host) -> str:
    """Return which tar the host has; raises ConfigurationError when it is not GNU tar."""
    first = host.run(["tar", "--version"], env=ENVIRONMENT).stdout.decode(errors="replace").partition("\n")[0]
    if "GNU tar" not in first:
        raise ConfigurationError(
            f"tar on {host.name} is not GNU tar ({first[:60]!r})", state="nothing was touched", hint="install GNU tar"
        )
    return first


def create(root: str) -> list[Argument]:
    """Return the arguments that write the tree at `root` to stdout.

    Without --one-file-system, with which tar leaves out what is mounted inside, and subvolumes, with status 0 and not
    a word; what is mounted inside is refused before.
    """
    # Without access and change times, and without the process id in names, equal trees give equal streams.
    times = "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"
    return [
        *("tar", "--create", "--file=-", "--format=posix", "--sparse", "--sort=name", times, *EVERYTHING),
        *("--directory", root, "."),
    ]


def extract(directory: str, *, privileged: bool) -> list[Argument]:
    """Return the arguments that read a tree from stdin into a directory.

    An account that is not root can set neither owners nor privileged attributes, and does not try.
    """
    # Times before 1970 and after today are data here and nothing to complain about.
    options = ["--preserve-permissions", "--delay-directory-restore", "--warning=no-timestamp"]
    options += (
        ["--same-owner"]
        if privileged
        else ["--no-same-owner", "--xattrs-exclude=security.*", "--xattrs-exclude=trusted.*"]
    )
    return ["tar", "--extract", "--file=-", *EVERYTHING, *options, "--directory", directory]


def judged(stderr: str) -> tuple[str, ...]:
    """Given what a tar that ended with status 0 or 1 said, return warnings; raises SourceError for any other line."""
    warnings = []
    for line in filter(None, stderr.split("\n")):
        if line == "tar: Exiting with failure status due to previous errors":
            continue
        for pattern, sentence in TOLERATED.items():
            if found := pattern.fullmatch(line):
                warnings.append(sentence.format(found[1]))
                break
        else:
            raise incomplete(stderr)
    if len(warnings) > WARNINGS_LIMIT:
        warnings[WARNINGS_LIMIT:] = [f"and {len(warnings) - WARNINGS_LIMIT} more"]
    return tuple(warnings)


def incomplete(stderr: str, otherwise: str = "") -> SourceError:
    """Return the error for a tree that tar could not read whole; `otherwise` when tar gave no reason itself."""
    lines = [line for line in stderr.split("\n") if line and not any(p.fullmatch(line) for p in TOLERATED)]
    reasons = [line for line in lines if not line.startswith("tar: Exiting with failure status")]
    reason = reasons[0][:300] if reasons else otherwise
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    hint = "read the reason, remove it and dump again"
    if "Permission denied" in reason:
        hint = "give Pulih's account on the host the right to read everything in the tree, or take the file out of it"
    return SourceError(f"the tree could not be read completely: {reason}{more}", state=WORTHLESS, hint=hint)


class TreeDump:
    """The tar stream of a tree, measured as it passes."""

    def __init__(
        self, output: OutputStream, fold: TreeFold, tools: dict[str, str], unchanged: Callable[[], None]
    ) -> None:
        self._output, self._fold, self._tools, self._unchanged = output, fold, tools, unchanged
        self._started = _now()

    def readinto(self, buffer: memoryview | bytearray) -> int:
        """See DumpStream.readinto."""
        count = self._output.readinto(buffer)
        if count:
            # Here and not in a thread of its own: handing over a copy cost more time than the two cores gained by it.
            self._fold.feed(memoryview(buffer)[:count])
        return count

    def finish(self) -> Dump:
        """See DumpStream.finish."""
        try:
            completed = self._output.finish()
        except CommandError as error:
            raise incomplete(error.stderr, error.message) from error
        warnings = judged(completed.stderr.decode(errors="replace"))
        fingerprint = self._fold.finish()
        # Only now: whatever was mounted or exchanged while tar read is seen by this look too.
        self._unchanged()
        changed = sum(not warning.endswith(LEFT_OUT) for warning in warnings)
        snapshot = {"from": self._started, "until": _now(), "changed_meanwhile": changed}
        return Dump(fingerprint, snapshot, self._tools, warnings, "tar")


class TreeLoad:
    """Takes a tar stream; every member's name is checked before tar sees it."""

    def __init__(self, program: InputStream, keep: Callable[[], Any]) -> None:
        self._program, self._keep = program, keep
        self._entries = TarEntries(_ignore, NoContent())
        self.kept = False

    def write(self, data: bytes | memoryview) -> int:
        """See LoadStream.write."""
        self._entries.feed(data)
        try:
            return self._program.write(data)
        except CommandError as error:
            raise _not_written(error.stderr, error.message) from error

    def finish(self) -> None:
        """See LoadStream.finish."""
        self._entries.finish()
        try:
            completed = self._program.finish()
        except CommandError as error:
            raise _not_written(error.stderr, error.message) from error
        if completed.stderr.strip():
            raise _not_written(completed.stderr.decode(errors="replace"), "")
        self._keep()
        self.kept = True


def _not_written(stderr: str, otherwise: str) -> SourceError:
    reasons = [line for line in stderr.split("\n") if line and not line.startswith("tar: Exiting with failure status")]
    reason = reasons[0][:300] if reasons else otherwise
    full = any(sign in stderr for sign in ("No space left", "Wrote only", "Disk quota"))
    return SourceError(
        f"the copy could not be written: {reason}",
        state="the live data was not touched; what was written of the copy is removed",
        hint="make room on that file system" if full else "read the reason and remove it",
    )


def _ignore(entry: Entry, content: bytes) -> None:
    """Names were checked when the entry was cut; nothing else is wanted of it."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
