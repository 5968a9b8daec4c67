"""The data path: what goes in comes out, memory stays flat, and every damage and every failure is told apart."""

import hashlib
import io
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.crypto import generate_identity, read_identity
from recovery.errors import (
    ConfigurationError,
    ConflictError,
    DigestError,
    KeyMissingError,
    SourceLockedError,
    StoreFullError,
    StoreReadOnlyError,
)
from recovery.stream import PartDigests, decrypt, encrypt
from tests.testbed.only_root import mounted

SECRET, RECIPIENT = generate_identity()
IDENTITY = read_identity(SECRET.encode(), "the operations identity")
ESCROW_SECRET, ESCROW_RECIPIENT = generate_identity()
MEBIBYTE = 1 << 20


def encrypted(data: bytes, directory: Path, **options: Any) -> tuple[bytes, PartDigests]:
    path = directory / "part"
    digests = encrypt(io.BytesIO(data).readinto, path, [RECIPIENT, ESCROW_RECIPIENT], **options)
    stored = path.read_bytes()
    path.unlink()
    return stored, digests


def decrypted(stored: bytes, digests: PartDigests, identity: Any = IDENTITY) -> bytes:
    target = bytearray()
    decrypt(io.BytesIO(stored).readinto, target.extend, identity, digests)
    return bytes(target)


def sample(size: int) -> bytes:
    """Half random, half text: compresses as real data does, and spans several age chunks."""
    random = Random(size)
    return b"".join(random.randbytes(500) + b"a line of text " * 34 for _ in range(size // 1000 + 1))[:size]


def stream_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("stream-")]


class Trickle:
    """A source that gives as little at a time as it was told to, as a pipe may."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.rest, self.sizes, self.turn = memoryview(data), sizes, 0

    def readinto(self, buffer: memoryview) -> int:
        size = min(self.sizes[self.turn % len(self.sizes)], len(buffer), len(self.rest))
        self.turn += 1
        buffer[:size] = self.rest[:size]
        self.rest = self.rest[size:]
        return size


@settings(max_examples=25, deadline=None)
@given(
    data=st.binary(max_size=5000),
    repeats=st.sampled_from([1, 3, 700]),
    sizes=st.lists(st.integers(1, 400_000), min_size=1, max_size=4),
    taken=st.sampled_from([1 << 30, 70_001]),
    threads=st.sampled_from([0, 1]),
)
def test_any_data_in_any_pieces_comes_back_equal(
    data: bytes, repeats: int, sizes: list[int], taken: int, threads: int
) -> None:
    data, target = data * repeats, bytearray()

    def take_some(block: memoryview) -> int:
        target.extend(block[:taken])
        return min(taken, len(block))

    with TemporaryDirectory() as name:
        path = Path(name) / "part"
        digests = encrypt(Trickle(data, [*sizes, MEBIBYTE]).readinto, path, [RECIPIENT], threads=threads)
        stored = path.read_bytes()
    decrypt(Trickle(stored, [*sizes, MEBIBYTE]).readinto, take_some, IDENTITY, digests)
    assert bytes(target) == data
    assert digests == PartDigests(
        hashlib.sha256(data).hexdigest(), len(data), hashlib.sha256(stored).hexdigest(), len(stored)
    )


def test_data_larger_than_every_buffer_together_comes_back_equal(tmp_path: Path) -> None:
    data = sample(24 * MEBIBYTE + 17)
    stored, digests = encrypted(data, tmp_path)
    assert decrypted(stored, digests) == data


def test_the_plain_programs_read_what_we_write(tmp_path: Path) -> None:
    data = sample(300_000)
    stored, _ = encrypted(data, tmp_path)
    (tmp_path / "key").write_text(ESCROW_SECRET)
    opened = subprocess.run(["age", "-d", "-i", "key"], input=stored, cwd=tmp_path, capture_output=True, check=True)
    assert subprocess.run(["zstd", "-d"], input=opened.stdout, capture_output=True, check=True).stdout == data


def test_we_read_what_the_plain_programs_write() -> None:
    data = sample(300_000)
    packed = subprocess.run(["zstd", "-19", "-c"], input=data, capture_output=True, check=True).stdout
    stored = subprocess.run(["age", "-r", RECIPIENT], input=packed, capture_output=True, check=True).stdout
    digests = PartDigests(hashlib.sha256(data).hexdigest(), len(data), hashlib.sha256(stored).hexdigest(), len(stored))
    assert decrypted(stored, digests) == data


def test_the_file_is_private_and_only_there_when_it_is_whole(tmp_path: Path) -> None:
    encrypt(io.BytesIO(b"data").readinto, tmp_path / "part", [RECIPIENT])
    assert (tmp_path / "part").stat().st_mode & 0o777 == 0o600


DATA = sample(200_000)
with TemporaryDirectory() as _name:
    STORED, DIGESTS = encrypted(DATA, Path(_name))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(STORED) * 8 - 1))
def test_one_flipped_bit_anywhere_is_caught(position: int) -> None:
    damaged = bytearray(STORED)
    damaged[position // 8] ^= 1 << position % 8
    with pytest.raises(DigestError, match="the stored bytes are not those of the manifest"):
        decrypted(bytes(damaged), DIGESTS)


@pytest.mark.parametrize("position", range(0, 420, 7))
def test_one_flipped_bit_in_the_header_is_damage_and_no_wrong_key(position: int) -> None:
    damaged = bytearray(STORED)
    damaged[position] ^= 4
    with pytest.raises(DigestError, match="the stored bytes are not those of the manifest"):
        decrypted(bytes(damaged), DIGESTS)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(STORED) - 1))
def test_a_cut_anywhere_is_caught(size: int) -> None:
    with pytest.raises(DigestError, match="the stored bytes are not those of the manifest"):
        decrypted(STORED[:size], DIGESTS)


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=1, max_size=70_000))
def test_anything_appended_is_caught(extra: bytes) -> None:
    with pytest.raises(DigestError, match="there are more bytes than the"):
        decrypted(STORED + extra, DIGESTS)


def test_another_backup_of_the_same_key_is_caught_though_it_decrypts(tmp_path: Path) -> None:
    other, _ = encrypted(DATA[:-1] + b"!", tmp_path)
    with pytest.raises(DigestError, match="the stored bytes are not those of the manifest"):
        decrypted(other, DIGESTS)


def test_a_plain_digest_that_differs_is_caught_though_the_stored_bytes_match() -> None:
    with pytest.raises(DigestError, match=f"the data in them has SHA-256 {DIGESTS.plain_sha256}"):
        decrypted(STORED, replace(DIGESTS, plain_sha256="0" * 64))
    with pytest.raises(DigestError, match=f"over {len(STORED)} bytes"):
        decrypted(STORED, replace(DIGESTS, cipher_sha256="0" * 64))
    with pytest.raises(DigestError, match="whatever was written from them must be thrown away"):
        decrypted(STORED, replace(DIGESTS, plain_size=len(DATA) + 1))


def test_a_stream_with_something_behind_its_end_is_caught() -> None:
    packed = subprocess.run(["zstd", "-c"], input=DATA, capture_output=True, check=True).stdout
    for extra, words in [(b"hidden", "they do not decompress"), (packed, "they hold more than the 200000 bytes")]:
        stored = subprocess.run(["age", "-r", RECIPIENT], input=packed + extra, capture_output=True, check=True).stdout
        digests = replace(DIGESTS, cipher_sha256=hashlib.sha256(stored).hexdigest(), cipher_size=len(stored))
        with pytest.raises(DigestError, match=words):
            decrypted(stored, digests)


def test_a_stream_that_unpacks_to_more_than_was_backed_up_does_not_fill_the_target() -> None:
    packed = subprocess.run(["zstd", "-c"], input=bytes(64 * MEBIBYTE), capture_output=True, check=True).stdout
    stored = subprocess.run(["age", "-r", RECIPIENT], input=packed, capture_output=True, check=True).stdout
    digests = replace(DIGESTS, cipher_sha256=hashlib.sha256(stored).hexdigest(), cipher_size=len(stored))
    target = bytearray()
    with pytest.raises(DigestError, match="they hold more than the 200000 bytes that were backed up"):
        decrypt(io.BytesIO(stored).readinto, target.extend, IDENTITY, digests)
    assert len(target) <= digests.plain_size


def test_either_recipient_opens_and_a_stranger_does_not() -> None:
    assert decrypted(STORED, DIGESTS, read_identity(ESCROW_SECRET.encode(), "escrow")) == DATA
    secret, recipient = generate_identity()
    with pytest.raises(KeyMissingError, match=f"the identity of {recipient} opens none of the recipients"):
        decrypted(STORED, DIGESTS, read_identity(secret.encode(), "a stranger"))
    assert stream_threads() == []


def test_a_stranger_is_told_from_damage_also_when_the_data_is_larger_than_the_buffers(tmp_path: Path) -> None:
    stored, digests = encrypted(Random(3).randbytes(12 * MEBIBYTE), tmp_path)
    stranger = read_identity(generate_identity()[0].encode(), "a stranger")
    with pytest.raises(KeyMissingError, match="the stored bytes are intact and nothing was decrypted"):
        decrypted(stored, digests, stranger)
    with pytest.raises(DigestError):
        decrypted(stored[:-1], digests, stranger)


def test_an_error_of_the_source_passes_unchanged_and_leaves_no_file(tmp_path: Path) -> None:
    failure = SourceLockedError("the database is locked")
    source = io.BytesIO(sample(9 * MEBIBYTE))

    def readinto(buffer: memoryview) -> int:
        if source.tell() > 8 * MEBIBYTE:
            raise failure
        return source.readinto(buffer)

    with pytest.raises(SourceLockedError) as caught:
        encrypt(readinto, tmp_path / "part", [RECIPIENT])
    assert caught.value is failure
    assert list(tmp_path.iterdir()) == []
    assert stream_threads() == []


def test_a_source_that_gives_nothing_is_not_taken_for_one_that_ended(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError, match="the source gave neither bytes nor its end"):
        encrypt(lambda buffer: None, tmp_path / "part", [RECIPIENT])
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_reader_or_the_writer_of_decrypt_passes_unchanged() -> None:
    failure = OSError(5, "Input/output error")

    def fail(buffer: memoryview) -> int:
        raise failure

    with pytest.raises(OSError) as caught:
        decrypt(fail, lambda block: None, IDENTITY, DIGESTS)
    assert caught.value is failure
    with pytest.raises(OSError) as caught:
        decrypt(io.BytesIO(STORED).readinto, fail, IDENTITY, DIGESTS)
    assert caught.value is failure
    assert stream_threads() == []


def test_an_existing_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"precious")
    with pytest.raises(ConflictError, match="part already exists; it was left as it is"):
        encrypt(io.BytesIO(b"data").readinto, tmp_path / "part", [RECIPIENT])
    assert (tmp_path / "part").read_bytes() == b"precious"


def test_a_bad_recipient_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no age recipient; nothing was encrypted"):
        encrypt(_never, tmp_path / "part", [RECIPIENT, "age1bad"])
    assert list(tmp_path.iterdir()) == []


def _never(buffer: memoryview) -> int:
    raise AssertionError("the source was read")


def test_a_full_disk_is_named_and_leaves_no_file(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        with pytest.raises(StoreFullError, match=r"no space is left for .*/part .*; the unfinished file was removed"):
            encrypt(_endless(), disk / "part", [RECIPIENT])
        assert list(disk.iterdir()) == []
        assert stream_threads() == []


def test_a_file_size_limit_counts_as_a_full_disk(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MEBIBYTE, hard))
    try:
        with pytest.raises(StoreFullError, match=r"no space is left for .*/part \(File too large\)"):
            encrypt(_endless(), tmp_path / "part", [RECIPIENT])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def _endless() -> Callable[[memoryview], int]:
    block = Random(2).randbytes(MEBIBYTE)

    def readinto(buffer: memoryview) -> int:
        buffer[:] = block[: len(buffer)]
        return len(buffer)

    return readinto


def test_a_read_only_disk_is_named(tmp_path: Path) -> None:
    words = r"/part cannot be written \(Read-only file system\); nothing was written"
    with mounted(tmp_path / "disk", "ro") as disk, pytest.raises(StoreReadOnlyError, match=words):
        encrypt(_never, disk / "part", [RECIPIENT])


def test_an_interrupt_while_the_source_is_silent_stops_everything(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    asked = threading.Event()

    def readinto(buffer: memoryview) -> int:
        asked.set()
        return os.readv(reading, [buffer])

    def interrupt() -> None:
        asked.wait()
        os.kill(os.getpid(), signal.SIGINT)
        os.write(writing, b"late")  # in case the signal came just before the read began

    thread = threading.Thread(target=interrupt)
    # What runs in the background of a shell ignores the signal, and so do its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            encrypt(readinto, tmp_path / "part", [RECIPIENT])
    finally:
        signal.signal(signal.SIGINT, before)
    thread.join()
    os.close(reading)
    os.close(writing)
    assert list(tmp_path.iterdir()) == []
    assert stream_threads() == []


PEAK = """
import sys
from pathlib import Path
from random import Random
from recovery.stream import decrypt, encrypt
from recovery.crypto import generate_identity, read_identity
secret, recipient = generate_identity()
block, size = Random(1).randbytes(1 << 19) + bytes(1 << 19), int(sys.argv[1]) << 20
class Source:
    left = size
    def readinto(self, buffer):
        count = min(len(buffer), self.left)
        buffer[:count] = block[:count]
        self.left -= count
        return count
path = Path(sys.argv[2])
digests = encrypt(Source().readinto, path, [recipient])
with path.open("rb", buffering=0) as stored:
    decrypt(stored.readinto, len, read_identity(secret.encode(), "x"), digests)
path.unlink()
assert digests.plain_size == size
# Not getrusage: its peak is inherited from whoever started this process.
print(next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.slow
def test_four_times_the_data_takes_no_more_memory(tmp_path: Path) -> None:
    def peak(mebibytes: int) -> int:
        program = [sys.executable, "-c", PEAK, str(mebibytes), str(tmp_path / "part")]
        return int(subprocess.run(program, capture_output=True, check=True, text=True).stdout)

    small, large = peak(64), peak(256)
    assert large - small <= 10
    assert large <= 80
