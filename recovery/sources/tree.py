"""The fingerprint of a directory tree: a fold over the tar stream of it, in constant memory.

Every entry gives one xxh3-128 number over all that tar restores of it; a group (a first-level directory, or "." for
what lies at the root) is their sum modulo 2^128, so that the order does not count. What only root can restore (owner,
group, security and trusted attributes) is summed apart. Finds accidents, not adversaries: against those stand the
SHA-256 of the parts and the signature.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import xxhash

from recovery.sources.base import Fingerprint
from recovery.sources.tar_entries import ATTRIBUTE, DIRECTORY, FILE, KINDS, Entry, TarEntries

# Goes into every fingerprint: another way of measuring must not look like another content.
ALGORITHM = "pulih-tree-1"
MODULUS = 1 << 128
# Above this many first-level directories the groups are joined into 256 buckets, so that a manifest stays small.
GROUP_LIMIT = 1000
SPAN = 1 << 16
ZEROS = bytes(SPAN)
PRIVILEGED = (ATTRIBUTE + b"security.", ATTRIBUTE + b"trusted.")

Listener = Callable[[Entry, bytes], None]


def shown(name: bytes) -> str:
    """Given a file name, return text that is safe to print and different for different names."""
    text = name.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


class ContentDigest:
    """Digest of a file's bytes that does not depend on where the file system keeps holes, at no cost for holes.

    Spans of 64 KiB that are all zero are not hashed but noted; a hole of a terabyte is one note.
    """

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._hash: Any = None
        self._spans = 0
        self._zero_from = -1
        self._notes: Any = None
        self._pending = bytearray()

    def whole(self, data: bytes | memoryview) -> bytes:
        """See Content.whole."""
        if len(data) <= SPAN and not ZEROS.startswith(data):
            return xxhash.xxh3_128_digest(data)
        self.update(memoryview(data))
        return self.digest()

    def update(self, data: memoryview) -> None:
        """See Content.update."""
        if self._pending:
            missing = SPAN - len(self._pending)
            self._pending += data[:missing]
            data = data[missing:]
            if len(self._pending) < SPAN:
                return
            self._whole(memoryview(bytes(self._pending)))
            self._pending.clear()
        whole = len(data) - len(data) % SPAN
        if whole:
            self._whole(data[:whole])
        if whole < len(data):
            self._pending += data[whole:]

    def skip(self, count: int) -> None:
        """See Content.skip."""
        if self._pending and count:
            fill = min(count, SPAN - len(self._pending))
            self.update(memoryview(ZEROS)[:fill])
            count -= fill
        if count >= SPAN:
            self._zero(count // SPAN)
            count %= SPAN
        if count:
            self._pending += ZEROS[:count]

    def digest(self) -> bytes:
        """See Content.digest."""
        if self._pending:
            tail = bytes(self._pending)
            if ZEROS.startswith(tail):
                self._zero(1)
            else:
                self._data(memoryview(tail), 1)
        self._end_of_zeros()
        result: bytes = self._hash.digest() if self._hash is not None else b""
        if self._notes is not None:
            result += self._notes.digest()
        self._start()
        return result

    def _whole(self, data: memoryview) -> None:
        start = 0
        for position in range(0, len(data), SPAN):
            # Compares as memcmp does: for data that is not zero it costs one look.
            if ZEROS.startswith(data[position : position + SPAN]):
                if start < position:
                    self._data(data[start:position], (position - start) // SPAN)
                self._zero(1)
                start = position + SPAN
        if start < len(data):
            self._data(data[start:], (len(data) - start) // SPAN)

    def _data(self, data: memoryview, spans: int) -> None:
        self._end_of_zeros()
        if self._hash is None:
            self._hash = xxhash.xxh3_128()
        self._hash.update(data)
        self._spans += spans

    def _zero(self, spans: int) -> None:
        if self._zero_from < 0:
            self._zero_from = self._spans
        self._spans += spans

    def _end_of_zeros(self) -> None:
        if self._zero_from < 0:
            return
        if self._notes is None:
            self._notes = xxhash.xxh3_128()
        self._notes.update(struct.pack("<QQ", self._zero_from, self._spans))
        self._zero_from = -1


class NoContent:
    """Takes content without looking at it, where only names matter."""

    def whole(self, data: bytes | memoryview) -> bytes:
        """See Content.whole."""
        return b""

    def update(self, data: memoryview) -> None:
        """See Content.update."""

    def skip(self, count: int) -> None:
        """See Content.skip."""

    def digest(self) -> bytes:
        """See Content.digest."""
        return b""


@dataclass(slots=True)
class _Group:
    rows: int = 0
    size: int = 0
    digest: int = 0
    owners: int = 0


class TreeFold:
    """Takes the tar stream of a tree in pieces and gives the fingerprint of the tree.

    With `owners` false the owners' digest is None: an account that is not root cannot restore owners, so neither side
    of a comparison may claim to know them. `listener` is called with every entry and the digest of its content.
    """

    def __init__(self, *, owners: bool = True, listener: Listener | None = None) -> None:
        self._owners = owners
        self._listener = listener
        self._groups: dict[bytes, _Group] = {}
        self._joined = False
        self._kinds = dict.fromkeys(KINDS, 0)
        self._entries = TarEntries(self._take, ContentDigest())

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next piece of the stream; it may be overwritten afterwards."""
        self._entries.feed(data)

    def finish(self) -> Fingerprint:
        """Return the fingerprint; raises SourceError when the stream is not complete."""
        self._entries.finish()
        objects: dict[str, dict[str, Any]] = {}
        for name, group in sorted(self._groups.items()):
            objects[name.decode() if self._joined else shown(name)] = {
                "rows": group.rows,
                "bytes": group.size,
                "digest": f"{group.digest % MODULUS:032x}",
                "owners": f"{group.owners % MODULUS:032x}" if self._owners else None,
            }
        totals = {
            "objects": len(objects),
            "rows": sum(group.rows for group in self._groups.values()),
            "bytes": sum(group.size for group in self._groups.values()),
        }
        kinds = {KINDS[kind]: count for kind, count in self._kinds.items() if count}
        return Fingerprint("files", objects, {"algorithm": ALGORITHM, "entries_by_type": kinds}, totals)

    def _take(self, entry: Entry, content: bytes) -> None:
        first, slash, _ = entry.path.partition(b"/")
        name = first if slash or entry.kind == DIRECTORY else b"."
        group = self._groups.get(name) if not self._joined else None
        if group is None:
            group = self._group(name)
        group.rows += 1
        group.size += entry.size
        group.digest += _number(
            entry.kind,
            entry.path,
            b"%o %d %d" % (entry.mode, entry.modified, entry.size),
            entry.link,
            entry.device,
            content,
            *[part for key, value in entry.attributes if not key.startswith(PRIVILEGED) for part in (key, value)],
        )
        group.owners += _number(
            entry.path,
            b"%d %d" % (entry.owner, entry.group),
            *[part for key, value in entry.attributes if key.startswith(PRIVILEGED) for part in (key, value)],
        )
        self._kinds[entry.kind] += 1
        if self._listener is not None:
            self._listener(entry, content if entry.kind == FILE else b"")

    def _group(self, name: bytes) -> _Group:
        if not self._joined and len(self._groups) >= GROUP_LIMIT:
            self._joined = True
            separate, self._groups = self._groups, {}
            for old, group in separate.items():
                bucket = self._groups.setdefault(_bucket(old), _Group())
                bucket.rows += group.rows
                bucket.size += group.size
                bucket.digest += group.digest
                bucket.owners += group.owners
        return self._groups.setdefault(_bucket(name) if self._joined else name, _Group())


def _bucket(name: bytes) -> bytes:
    return b"directories %02x" % (xxhash.xxh3_64_intdigest(name) & 0xFF)


def _number(*parts: bytes) -> int:
    # Lengths first: no two lists of parts may join to the same bytes.
    lengths = struct.pack(f"<{len(parts) + 1}I", len(parts), *map(len, parts))
    return xxhash.xxh3_128_intdigest(lengths + b"".join(parts))
