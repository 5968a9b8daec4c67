"""One pass over the data: hash, compress, encrypt and hash again, in threads that pass buffers of 1 MiB.

Memory does not depend on the size of the data. The caller's own thread reads the source (encrypt) or writes the
target (decrypt), because database handles belong to a thread and an interrupt must stop exactly that.
Format of the result: zstd inside age, readable with the plain programs; see docs/format.md.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyrage
import zstandard

from recovery.channels import BUFFER_SIZE, Channel, ChannelReader, ChannelWriter, Line, whole
from recovery.crypto import read_recipients, recipient_of
from recovery.durable import NewFile
from recovery.errors import DigestError, KeyMissingError
from recovery.points import reached

WINDOW_LIMIT = 1 << 23  # largest zstd window that decrypt accepts: what levels up to 19 use; bounds its memory

ReadInto = Callable[[memoryview], int | None]


@dataclass(frozen=True)
class PartDigests:
    """Sizes and SHA-256 (hexadecimal) of a part: as the source gave it, and as it is stored."""

    plain_sha256: str
    plain_size: int
    cipher_sha256: str
    cipher_size: int

    def to_json(self) -> dict[str, Any]:
        """Return the plain form that manifests and the catalog hold."""
        return asdict(self)


def encrypt(
    readinto: ReadInto, destination: Path, recipients: Sequence[str], *, level: int = 1, threads: int = 0
) -> PartDigests:
    """Given a source, write it compressed and encrypted for the recipients to a new file of mode 0600, synced to disk.

    `threads` 0 compresses in one thread of ours, more lets zstd use that many of its own.
    Returns the digests. When anything fails the file is removed and the error raised here; an error of `readinto`
    passes unchanged. The caller must still ask the source whether it ended well before trusting the file.
    Raises ConflictError when the file exists, StoreFullError, StoreReadOnlyError, StoreError, ConfigurationError.
    """
    keys = read_recipients(recipients)
    line = Line()
    free = line.pool()
    plain: Channel[memoryview] = line.channel()
    packed: Channel[memoryview] = line.channel()
    cipher_free = line.pool()
    cipher: Channel[memoryview] = line.channel()
    plain_hash, cipher_hash = _Tally(), _Tally()

    def compress() -> None:
        chunker = zstandard.ZstdCompressor(level=level, threads=threads, write_checksum=True).chunker(
            chunk_size=BUFFER_SIZE
        )
        for block in plain:
            for chunk in chunker.compress(block):
                packed.put(memoryview(chunk))
            free.put(whole(block))
        for chunk in chunker.finish():  # type: ignore[no-untyped-call]
            packed.put(memoryview(chunk))
        packed.close()

    def seal() -> None:
        writer = ChannelWriter(cipher, cipher_free)
        # Buffered: pyrage asks for 8 KiB at a time, and holds the interpreter's lock while it encrypts.
        pyrage.encrypt_io(io.BufferedReader(ChannelReader(packed), BUFFER_SIZE), writer, keys)
        writer.finish()

    def store() -> None:
        for block in cipher:
            cipher_hash.add(block)
            file.write(block)
            cipher_free.put(whole(block))
        file.sync()

    with NewFile(destination) as file, line:
        line.start("compress", compress)
        line.start("seal", seal)
        line.start("store", store)
        while block := _fill(readinto, free.take()):
            plain_hash.add(block)
            plain.put(block)
            reached("stream: data read")
        plain.close()
        line.finish()
    return PartDigests(plain_hash.hexdigest(), plain_hash.size, cipher_hash.hexdigest(), cipher_hash.size)


def decrypt(readinto: ReadInto, write: Callable[[memoryview], Any], identity: Any, expected: PartDigests) -> None:
    """Given stored bytes, write them decrypted and decompressed, and return when all four digests matched.

    `write` gets its buffer for the time of the call only, and may take part of it (it then returns how much).
    It gets data before the last digest is known, so what it wrote counts only after this returns.
    Raises DigestError for damaged, cut, swapped or extended bytes, and KeyMissingError when the identity opens none
    of the recipients; errors of `readinto` and `write` pass unchanged.
    """
    line = Line()
    free = line.pool()
    cipher: Channel[memoryview] = line.channel()
    packed_free = line.pool()
    packed: Channel[memoryview] = line.channel()
    plain_free = line.pool()
    plain: Channel[memoryview] = line.channel()
    plain_hash, cipher_hash = _Tally(), _Tally()

    def fetch() -> None:
        while block := _fill(readinto, free.take()):
            cipher_hash.add(block)
            if cipher_hash.size > expected.cipher_size:
                raise _damaged(f"there are more bytes than the {expected.cipher_size} that were stored")
            cipher.put(block)
        cipher.close()

    def unseal() -> None:
        reader = ChannelReader(cipher, free)
        writer = ChannelWriter(packed, packed_free)
        try:
            pyrage.decrypt_io(io.BufferedReader(reader, BUFFER_SIZE), writer, [identity])
        except (pyrage.DecryptError, OSError) as error:
            # Damage in the header looks like a wrong key. Only the digest of the whole tells them apart.
            if "No matching keys found" in str(error):
                reader.skip_rest()
                if (cipher_hash.hexdigest(), cipher_hash.size) == (expected.cipher_sha256, expected.cipher_size):
                    raise KeyMissingError(
                        f"the identity of {recipient_of(identity)} opens none of the recipients",
                        state="the stored bytes are intact and nothing was decrypted",
                        hint="use the operations or the escrow identity that the manifest names",
                    ) from None
            raise _damaged("they do not decrypt") from error
        writer.finish()

    def decompress() -> None:
        unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT)
        # Across frames: what stands behind the first one must be read, and fail, rather than be left unseen.
        source: Any = ChannelReader(packed, packed_free)
        with unpacker.stream_reader(source, read_size=BUFFER_SIZE, read_across_frames=True) as reader:
            try:
                while block := _fill(reader.readinto, plain_free.take()):
                    plain.put(block)
            except zstandard.ZstdError as error:
                raise _damaged("they do not decompress") from error
        plain.close()

    with line:
        line.start("fetch", fetch)
        line.start("unseal", unseal)
        line.start("decompress", decompress)
        for block in plain:
            plain_hash.add(block)
            # Before writing: a forged stream must not fill the target's disk.
            if plain_hash.size > expected.plain_size:
                raise _damaged(f"they hold more than the {expected.plain_size} bytes that were backed up")
            _offer(write, block)
            reached("stream: data written")
            plain_free.put(whole(block))
        line.finish()
    if (cipher_hash.hexdigest(), cipher_hash.size) != (expected.cipher_sha256, expected.cipher_size):
        raise _damaged(f"their SHA-256 is {cipher_hash.hexdigest()} over {cipher_hash.size} bytes")
    if (plain_hash.hexdigest(), plain_hash.size) != (expected.plain_sha256, expected.plain_size):
        raise _damaged(f"the data in them has SHA-256 {plain_hash.hexdigest()} over {plain_hash.size} bytes")


def _damaged(how: str) -> DigestError:
    return DigestError(
        f"the stored bytes are not those of the manifest: {how}",
        state="whatever was written from them must be thrown away",
        hint="take the copy in the other store, or an older backup",
    )


class _Tally:
    """SHA-256 and size of what passed."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, block: memoryview) -> None:
        self._hash.update(block)
        self.size += len(block)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _fill(readinto: ReadInto, buffer: memoryview) -> memoryview:
    """Given a reader that may give little at a time, fill the buffer as far as there is data."""
    filled = 0
    while filled < len(buffer):
        count = readinto(buffer[filled:])
        if count is None:  # a source that must not block; taking that for the end would cut the backup short
            raise BlockingIOError("the source gave neither bytes nor its end")
        if not count:
            break
        filled += count
    return buffer[:filled]


def _offer(write: Callable[[memoryview], Any], block: memoryview) -> None:
    """Given a writer that may take only part (it says how much), offer the rest until all is taken."""
    while block:
        taken = write(block)
        block = block[len(block) if taken is None else taken :]
