"""The SHA-256 of a file, and what is said of one that cannot be read."""

import hashlib
from pathlib import Path

import pytest

from recovery.errors import ConfigurationError
from recovery.procedures.file_digest import sha256_of_file


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    """As every other program computes it."""
    (tmp_path / "surat.pdf").write_bytes(b"surat" * 100_000)
    assert hashlib.sha256(b"surat" * 100_000).hexdigest() == sha256_of_file(tmp_path / "surat.pdf")


def test_a_file_that_opens_and_does_not_read_is_named(tmp_path: Path) -> None:
    """Such as one on a disk that breaks; nothing is mapped at the beginning of this one."""
    (tmp_path / "surat.pdf").symlink_to("/proc/self/mem")
    with pytest.raises(ConfigurationError) as caught:
        sha256_of_file(tmp_path / "surat.pdf")
    assert str(caught.value) == (
        f"the file {tmp_path}/surat.pdf cannot be read (Input/output error); nothing was changed\n"
        "HINT: let the worker's account read it; look at the disk and its mount"
    )
