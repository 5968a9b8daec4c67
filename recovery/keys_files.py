"""Key files: written whole or not at all, readable by their owner alone, and never overwritten by another key."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recovery.durable import NewFile, sync_directory, write_error
from recovery.errors import ConfigurationError, ConflictError
from recovery.points import reached
from recovery.secrets import place_of

_UNCHANGED = "every key is as it was"


def file_of(reference: str, name: str) -> Path:
    """Given the reference to a key and its name for messages, return its file. Raises ConfigurationError when Pulih
    cannot write there: it is in an environment variable or a systemd credential."""
    if not reference.startswith("file:"):
        raise ConfigurationError(
            f"the {name} {reference} is in no file that can be written",
            state=_UNCHANGED,
            hint="rotate it where its file is, with an inventory that names it as file:/…; docs/keys.md tells how",
        )
    return place_of(reference)


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Given a key file, keep other processes from changing what lies in its directory while the block runs.

    Raises ConflictError when another one is at it.
    """
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise write_error(error, str(path.parent), state=_UNCHANGED) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"somebody else changes keys in {path.parent} now", state=_UNCHANGED, hint="wait until that has ended"
            ) from error
        yield
    finally:
        os.close(descriptor)


def write_new(path: Path, content: bytes, *, like: Path | None = None) -> None:
    """Given a path, write a file of mode 0600 there, whole and on the disk, owned as `like` is when one is given.

    Raises ConflictError when something has that name, StoreError.
    """
    unfinished = _write_beside(path, content, like)
    try:
        os.link(unfinished, path)
    except FileExistsError as error:
        raise ConflictError(
            f"{path} already exists", state="it was left as it is", hint="remove it or take another name"
        ) from error
    except OSError as error:  # pragma: no cover - a disk that breaks, or turns read-only, between two calls
        raise write_error(error, str(path), state=_UNCHANGED) from error
    finally:
        unfinished.unlink(missing_ok=True)
    sync_directory(path.parent)


def replace(path: Path, content: bytes, *, like: Path) -> None:
    """Given a path, make its content another one in one instant, owned as `like` is. Raises StoreError."""
    new = _write_beside(path, content, like)
    try:
        new.replace(path)
    except OSError as error:  # pragma: no cover - a disk that breaks, or turns read-only, between two calls
        raise write_error(error, str(path), state=_UNCHANGED) from error
    reached("key: put in place")
    sync_directory(path.parent)


def _write_beside(path: Path, content: bytes, like: Path | None) -> Path:
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)  # what a killed process left
    except OSError as error:
        raise write_error(error, str(path), state=_UNCHANGED) from error
    with NewFile(unfinished) as file:
        file.write(content)
        file.sync()
    if like is not None and like.exists():
        _give_to_owner_of(unfinished, like)
    return unfinished


def _give_to_owner_of(path: Path, like: Path) -> None:
    # The worker's account must go on reading the key when root has rotated it.
    wanted, own = like.stat(), path.stat()
    try:
        if (wanted.st_uid, wanted.st_gid) != (own.st_uid, own.st_gid):
            os.chown(path, wanted.st_uid, wanted.st_gid)
        path.chmod(stat.S_IMODE(wanted.st_mode) & 0o640 | 0o600)
    except OSError as error:  # pragma: no cover - root may, and whoever else owns the file need not
        path.unlink(missing_ok=True)
        raise write_error(error, str(path), state=_UNCHANGED) from error
