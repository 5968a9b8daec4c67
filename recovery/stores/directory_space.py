"""Whether a directory store's file system has room for an object, asked before its bytes are written."""

import os
from pathlib import Path

from recovery.errors import StoreFullError
from recovery.stores.directory_reading import unreadable

SPARE = 1 << 20  # free beyond the object's own bytes, for directories and the file system's own records


def require_space(directory: Path, where: str, name: str, size: int) -> None:
    """Given a directory, the store's name for people, and an object's name and bytes, return when there is room for it.

    Raises StoreFullError, and StoreError when the file system does not say.
    """
    try:
        system = os.statvfs(directory)
    except OSError as error:  # pragma: no cover - a mount that breaks between two calls
        raise unreadable(error, where) from error
    free = system.f_bavail * system.f_frsize
    if system.f_blocks and free < size + SPARE:
        raise StoreFullError(
            f"{where} has {free} bytes free and {name} needs {size + SPARE}",
            state="nothing was written",
            hint="free space there or give it a larger disk",
        )
