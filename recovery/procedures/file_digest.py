"""The SHA-256 of a file, read in constant memory."""

import hashlib
from pathlib import Path

from recovery.errors import ConfigurationError


def sha256_of_file(path: Path) -> str:
    """Given a file, return its SHA-256 in hexadecimal. Raises ConfigurationError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(
            f"the file {path} cannot be read ({error.strerror})",
            state="nothing was changed",
            hint="let the worker's account read it; look at the disk and its mount",
        ) from error
