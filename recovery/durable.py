"""Writing files so that they are there whole after a power cut, or not at all."""

import errno
import os
from pathlib import Path
from types import TracebackType

from recovery.errors import ConflictError, StoreError, StoreFullError, StoreReadOnlyError
from recovery.points import reached

REMOVED = "the unfinished file was removed"
SYNCED_EVERY = 1 << 25  # bytes


class NewFile:
    """A new file that is removed again when the body of its `with` raises. Never opens an existing one."""

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        self.path = path
        self._mode = mode
        self._descriptor = -1
        self._unsynced = 0

    def __enter__(self) -> "NewFile":
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            self._descriptor = os.open(self.path, flags, self._mode)
        except FileExistsError as error:
            raise ConflictError(
                f"{self.path} already exists", state="it was left as it is", hint="remove it or take another name"
            ) from error
        except OSError as error:
            raise write_error(error, str(self.path), state="nothing was written") from error
        reached("new file: created")
        return self

    def write(self, data: memoryview | bytes) -> None:
        """Given bytes, write all of them. Raises StoreFullError, StoreReadOnlyError or StoreError."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            self._unsynced += len(data)
            if self._unsynced >= SYNCED_EVERY:
                # While others still compute: at the end the disk would be waited for by all.
                os.fdatasync(self._descriptor)
                self._unsynced = 0
        except OSError as error:
            raise write_error(error, str(self.path), state=REMOVED) from error

    def set_mode(self, mode: int) -> None:
        """Given permission bits, set exactly those, whatever the umask. Raises as write."""
        try:
            os.fchmod(self._descriptor, mode)
        except OSError as error:  # pragma: no cover - a file system that takes files and no permission bits
            raise write_error(error, str(self.path), state=REMOVED) from error

    def sync(self) -> None:
        """Return when what was written is on the disk. Raises as write."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:  # pragma: no cover - a disk that breaks just then
            raise write_error(error, str(self.path), state=REMOVED) from error

    def forget_pages(self) -> None:
        """After `sync`: let the system drop its copy in memory, so that reading back reads the disk."""
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Forgotten before it is closed: a thread that still writes must not meet another file with this number.
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)
        if error is not None:
            self._remove(error)
            return
        try:
            reached("new file: written")
            sync_directory(self.path.parent)
        except BaseException as failure:
            self._remove(failure)
            raise

    def _remove(self, reason: BaseException) -> None:
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:  # pragma: no cover - a disk that breaks, or turns read-only, between two calls
            raise write_error(error, str(self.path), state="the unfinished file still lies there") from reason


def remove_file(path: Path) -> None:
    """Given a file, remove it if it is there. Raises as NewFile.write."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(error, str(path), state="it still lies there") from error


def sync_directory(path: Path) -> None:
    """Given a directory, return when the names in it are on the disk. Raises StoreError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise write_error(error, str(path), state="its newest names may be lost in a power cut") from error


def write_error(error: OSError, what: str, *, state: str) -> StoreError:
    """Given the system's error while writing `what` and the state of the data, return the error to raise."""
    reason = error.strerror or str(error)
    # EFBIG comes from a file size limit, EDQUOT from a quota: to the operator both are a place that is full.
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreFullError(
            f"no space is left for {what} ({reason})", state=state, hint="free space there or give it a larger disk"
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreReadOnlyError(
            f"{what} cannot be written ({reason})",
            state=state,
            hint="let the worker's account write there; mount it read-write",
        )
    return StoreError(f"{what} cannot be written ({reason})", state=state, hint="look at the disk and its mount")
