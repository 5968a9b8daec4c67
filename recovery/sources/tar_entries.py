"""Reads the stream that GNU tar writes with --format=posix --sparse, as it passes, and nothing else.

Written for this one dialect because Python's tarfile is too slow for trees of small files and cannot be fed. What is
not understood is refused, never skipped: an entry that is overlooked here would be an entry that is not proven.
"""

from array import array
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

from recovery.errors import SourceError

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)
PAX_LIMIT = 16 << 20
SMALL = 1 << 16
NANOSECONDS = 10**9
FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
KINDS = {
    FILE: "file",
    HARD_LINK: "hard link",
    SYMLINK: "symlink",
    CHARACTER: "character device",
    BLOCK_DEVICE: "block device",
    DIRECTORY: "directory",
    FIFO: "fifo",
}
ATTRIBUTE = b"SCHILY.xattr."
KNOWN_RECORDS = {b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime"}
SPARSE_RECORDS = {b"GNU.sparse.major", b"GNU.sparse.minor", b"GNU.sparse.name", b"GNU.sparse.realsize"}


@dataclass(slots=True)
class Entry:
    """One member: `path` is relative, "." for the root; `modified` is in nanoseconds; `size` counts holes too."""

    kind: bytes
    path: bytes
    mode: int
    owner: int
    group: int
    modified: int
    size: int
    link: bytes
    device: bytes
    attributes: list[tuple[bytes, bytes]]


class Content(Protocol):
    """Takes the content of one file after the other."""

    def whole(self, data: bytes | memoryview) -> bytes:
        """Given all the content of one small file, return its digest: what the other three would come to."""

    def update(self, data: memoryview) -> None:
        """Take the next bytes."""

    def skip(self, count: int) -> None:
        """Take a hole: as many zero bytes."""

    def digest(self) -> bytes:
        """Return what the content was, and be ready for the next file."""


class TarEntries:
    """Cuts a stream, given in pieces of any size, into entries; calls `consume(entry, content digest)` for each."""

    def __init__(self, consume: Callable[[Entry, bytes], None], content: Content) -> None:
        self._consume = consume
        self._content = content
        self._buffer: bytes | memoryview = b""
        self._position = 0
        self._ended = False
        self._parser = self._parse()
        next(self._parser)

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next piece, which may be overwritten afterwards.

        Raises SourceError when it is not what GNU tar writes, or a member's name is hostile.
        """
        if data:
            self._parser.send(data)
            # What is left of a piece belongs to the caller; mostly nothing is, in the midst of a large file.
            self._buffer = bytes(self._buffer[self._position :])
            self._position = 0

    def finish(self) -> None:
        """Raises SourceError unless the end marker was seen: a stream that was cut off between two members has none."""
        if not self._ended:
            raise SourceError(
                "the tar stream ended before its end marker",
                state="what was read counts for nothing",
                hint="take it from another store, or dump it again",
            )

    def _parse(self) -> Generator[None, bytes | memoryview, None]:
        records: dict[bytes, bytes] = {}
        while True:
            if len(self._buffer) - self._position < BLOCK:
                yield from self._need(BLOCK)
            header = bytes(self._buffer[self._position : self._position + BLOCK])
            self._position += BLOCK
            if header == ZERO_BLOCK:
                break
            if header[257:265] != b"ustar\x0000":
                raise _strange("a header without its magic")
            kind = header[156:157]
            size = _number(header[124:135])
            if kind == b"x":
                if records or size > PAX_LIMIT:
                    raise _strange("two extended headers in a row, or one that is too large")
                yield from self._need(-(-size // BLOCK) * BLOCK)
                records = _records(bytes(self._buffer[self._position : self._position + size]))
                self._position += -(-size // BLOCK) * BLOCK
                continue
            entry = _entry(kind, header, records)
            digest = b""
            if kind == FILE:
                stored = _decimal(records[b"size"]) if b"size" in records else size
                padded = -(-stored // BLOCK) * BLOCK
                if b"GNU.sparse.major" in records:
                    yield from self._sparse(stored, entry.size)
                    digest = self._content.digest()
                elif stored <= SMALL and len(self._buffer) - self._position >= padded:
                    # Most files are small and lie whole in the buffer: one step instead of five.
                    digest = self._content.whole(self._buffer[self._position : self._position + stored])
                    self._position += padded
                else:
                    yield from self._plain(stored)
                    digest = self._content.digest()
            elif size and kind != HARD_LINK:
                raise _strange("content in a member that has none")
            self._consume(entry, digest)
            records = {}
        yield from self._need(BLOCK)
        rest = bytes(self._buffer[self._position :])
        self._ended = rest.startswith(ZERO_BLOCK)
        while True:
            # The padding of the last record; a second archive behind the first would be a part that nobody proves.
            if rest.count(0) != len(rest):
                raise _strange("data behind its end marker")
            rest = bytes((yield))

    def _need(self, count: int) -> Generator[None, bytes | memoryview, None]:
        missing = count - (len(self._buffer) - self._position)
        if missing <= 0:
            return
        while missing > 0:
            piece = yield
            missing -= len(piece)
            self._buffer = b"".join((self._buffer, piece)) if self._buffer else piece

    def _plain(self, size: int) -> Generator[None, bytes | memoryview, None]:
        yield from self._through(size)
        padding = -size % BLOCK
        if padding:
            yield from self._need(padding)
            self._position += padding

    def _through(self, size: int) -> Generator[None, bytes | memoryview, None]:
        while size:
            available = len(self._buffer) - self._position
            if available == 0:
                self._buffer = yield
                continue
            count = min(size, available)
            self._content.update(memoryview(self._buffer)[self._position : self._position + count])
            self._position += count
            size -= count

    def _sparse(self, stored: int, size: int) -> Generator[None, bytes | memoryview, None]:
        # GNU sparse format 1.0: the map stands before the data as decimal lines, padded to a block; every region of
        # the data is padded to a block too.
        taken = 0
        numbers = array("Q")
        expected = 1
        line = b""
        while len(numbers) < expected:
            yield from self._need(BLOCK)
            lines = (line + bytes(self._buffer[self._position : self._position + BLOCK])).split(b"\n")
            self._position += BLOCK
            taken += BLOCK
            line = lines.pop()
            for text in lines:
                if len(numbers) < expected:
                    numbers.append(_decimal(text))
                    expected = 1 + 2 * numbers[0]
            if expected > stored or len(line) > BLOCK:
                raise _strange("a map of holes that is larger than itself")
        position = 0
        for index in range(1, expected, 2):
            offset, length = numbers[index], numbers[index + 1]
            if offset < position or offset + length > size:
                raise _strange("a map of holes that contradicts itself")
            self._content.skip(offset - position)
            yield from self._plain(length)
            position = offset + length
            taken += -(-length // BLOCK) * BLOCK
        self._content.skip(size - position)
        if taken != -(-stored // BLOCK) * BLOCK:
            raise _strange("a map of holes that contradicts its size")


def _strange(what: str) -> SourceError:
    return SourceError(
        f"the tar stream holds {what}, which GNU tar does not write for us",
        state="what was read counts for nothing",
        hint="it was damaged or made by another program",
    )


def _number(field: bytes) -> int:
    try:
        return int(field, 8)
    except ValueError:
        raise _strange("a number that cannot be read") from None


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise _strange("a number that cannot be read")
    return int(text)


def _records(data: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        length = data[position:space]
        end = position + int(length) if space > 0 and length.isdigit() else 0
        if not space < end <= len(data) or data[end - 1] != 0x0A:
            raise _strange("an extended header that cannot be read")
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        # A record that is not known could change what the member is: one more reason to read nothing into it.
        known = key in KNOWN_RECORDS or key in SPARSE_RECORDS or key.startswith(ATTRIBUTE)
        if not equals or not known or key in records:
            raise _strange("an extended header that cannot be read")
        records[key] = value
        position = end
    return records


def _entry(kind: bytes, header: bytes, records: dict[bytes, bytes]) -> Entry:
    if kind not in KINDS:
        raise _strange(f"a member of kind {kind!a}")
    if header[345]:
        raise _strange("a name in two parts")
    path = records[b"path"] if b"path" in records else header[:100].rstrip(b"\0")
    size = 0
    if kind == FILE:
        size = _decimal(records[b"size"]) if b"size" in records else _number(header[124:135])
    if not SPARSE_RECORDS.isdisjoint(records):
        if (
            kind != FILE
            or not records.keys() >= SPARSE_RECORDS
            or (records[b"GNU.sparse.major"], records[b"GNU.sparse.minor"]) != (b"1", b"0")
        ):
            raise _strange("a sparse file in another format")
        path, size = records[b"GNU.sparse.name"], _decimal(records[b"GNU.sparse.realsize"])
    link = b""
    if kind in (HARD_LINK, SYMLINK):
        link = records[b"linkpath"] if b"linkpath" in records else header[157:257].rstrip(b"\0")
        if kind == HARD_LINK:
            link = _relative(link)
    attributes = [(key, value) for key, value in records.items() if key.startswith(ATTRIBUTE)] if records else []
    try:
        # Fixed places of the header (pax(1), ustar interchange format).
        mode, owner, group = int(header[100:107], 8), int(header[108:115], 8), int(header[116:123], 8)
        modified = int(header[136:147], 8)
    except ValueError:
        raise _strange("a number that cannot be read") from None
    if records:
        owner = _decimal(records[b"uid"]) if b"uid" in records else owner
        group = _decimal(records[b"gid"]) if b"gid" in records else group
    nanoseconds = _nanoseconds(records[b"mtime"]) if b"mtime" in records else modified * NANOSECONDS
    device = header[329:345] if kind in (CHARACTER, BLOCK_DEVICE) else b""
    return Entry(
        kind, _relative(path), mode & 0o7777, owner, group, nanoseconds, size, link, device, sorted(attributes)
    )


def _relative(path: bytes) -> bytes:
    # Our own dumps name everything from "./"; anything else could lead out of the directory into which it is loaded.
    if not path.startswith(b"./"):
        raise SourceError(
            "the tar stream holds a member that does not stand below its root",
            state="it was refused before anything of it was written",
            hint="do not load this archive: no dump of ours has such a name",
        )
    relative = path[2:].rstrip(b"/")
    if b".." in relative and b".." in relative.split(b"/"):
        raise SourceError(
            "the tar stream holds a member whose name leads out of its root",
            state="it was refused before anything of it was written",
            hint="do not load this archive: no dump of ours has such a name",
        )
    return relative or b"."


def _nanoseconds(text: bytes) -> int:
    sign = -1 if text.startswith(b"-") else 1
    seconds, _, fraction = text.removeprefix(b"-").partition(b".")
    return sign * (_decimal(seconds) * NANOSECONDS + _decimal(fraction[:9].ljust(9, b"0")))
