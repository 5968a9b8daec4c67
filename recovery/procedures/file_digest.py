"""The SHA-256 of a file, read in constant memory."""

import hashlib
from pathlib import Path


def sha256_of_file(path: Path) -> str:
    """Given a file, return its SHA-256 as 64 hexadecimal characters."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
