"""A store in a directory: a disk, a NAS mount. Objects are files; nothing is ever overwritten or half there."""

import contextlib
import errno
import hashlib
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from recovery.durable import NewFile, sync_directory, write_error
from recovery.errors import ObjectExistsError, ObjectMissingError, ObjectTooLargeError, StoreError
from recovery.points import reached
from recovery.settings import StoreSettings
from recovery.stores.base import TEMPORARY, ObjectInfo, check_key
from recovery.stores.directory_reading import StoredFile, pieces, read_exactly, reading, unreadable, unremovable
from recovery.stores.directory_space import require_space

# Read for the group, so that an account that copies off-site or drills can be let in without ever being able to
# write; nothing for others, because forms hold names. Who is in the group is the operator's choice (setgid on top).
FILE_MODE = 0o640
DIRECTORY_MODE = 0o750

# Named here, because inside the class `list` is its method.
Names = list[str]
Chain = list[Path]

_UNTOUCHED = "nothing was written"


class DirectoryStore:
    """Keeps objects below `path`/`prefix`. The directory itself must exist: when a mount is missing, a store that
    makes its own directory would fill the system's disk and report success."""

    def __init__(self, settings: StoreSettings) -> None:
        self.name = settings.name
        self._title = settings.title
        self._path = Path(settings.path)
        self._root = self._path / settings.prefix

    def put_file(self, key: str, path: Path) -> str:
        """Given a key and a local file, put its bytes under the key, durably; read them back, return their SHA-256."""
        with reading(path) as descriptor:
            self._put(key, os.fstat(descriptor).st_size, lambda: pieces(descriptor, str(path)))
        read = hashlib.sha256()
        with self._open(key) as descriptor:
            for piece in pieces(descriptor, f"{key} in the store {self.name}"):
                read.update(piece)
        return read.hexdigest()

    def put_bytes(self, key: str, data: bytes) -> None:
        """Given a key and bytes, put them under the key, durably. See Store for what a repeat does."""
        self._put(key, len(data), lambda: iter([data]))

    @contextlib.contextmanager
    def open(self, key: str, *, sha256: str = "") -> Iterator[StoredFile]:
        """Given a key, open its object for reading. Raises ObjectMissingError."""
        with self._open(key) as descriptor:
            yield StoredFile(descriptor, f"{key} in the store {self.name}")

    def read(self, key: str, *, limit: int = 16 << 20, sha256: str = "") -> bytes:
        """Given a key, return its object's bytes. Raises ObjectTooLargeError when there are more than `limit`."""
        with self._open(key) as descriptor:
            if os.fstat(descriptor).st_size > limit:
                raise ObjectTooLargeError(
                    f"{key} in the store {self.name} has more than the {limit} bytes that it may have",
                    state="it was not read",
                    hint="somebody put an object there by hand",
                )
            return b"".join(pieces(descriptor, f"{key} in the store {self.name}"))

    def exists(self, key: str) -> bool:
        """Given a key, return whether an object is there."""
        try:
            with self._open(key):
                return True
        except ObjectMissingError:
            return False

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Given the beginning of a key, yield every object whose key begins so, ordered by key."""
        self._require_directory()
        folder = prefix.rpartition("/")[0]
        if folder:
            check_key(folder)
        found = [
            ObjectInfo(key, status.st_size)
            for key, status in self._walk(self._root / folder)
            if key.startswith(prefix) and not key.rpartition("/")[2].startswith(TEMPORARY)
        ]
        yield from sorted(found, key=lambda info: info.key)

    def location(self, key: str) -> str:
        """Given a key, return where its object lies, as printed on forms."""
        check_key(key)
        path = str(self._root / key)
        return f"{self._title}: {path}" if self._title else path

    def check(self) -> None:
        """Return when an object could be put now; raises StoreError with the reason."""
        self._make_directory(self._root)
        temporary = self._root / _temporary_name()
        with self._temporary(temporary, iter([b"pulih"])):
            # Write-once rests on hard links, which some file systems (FAT, some network mounts) do not have.
            probe = self._root / _temporary_name()
            self._link(temporary, probe)
            probe.unlink()

    def sweep(self, older_than_seconds: float) -> Names:
        """Given an age, remove what interrupted puts older than that left behind, and return its names."""
        self._require_directory()
        limit = time.time() - older_than_seconds
        abandoned = [
            key
            for key, status in self._walk(self._root)
            # A put that is still writing keeps its file's time fresh.
            if key.rpartition("/")[2].startswith(TEMPORARY) and status.st_mtime < limit
        ]
        for key in abandoned:
            try:
                (self._root / key).unlink(missing_ok=True)
            except OSError as error:
                raise write_error(error, key, state="it still lies in the store and harms nothing") from error
        return sorted(abandoned)

    def protect(self, key: str, until: str) -> str:
        """Given a key and a moment, return "none": no file system keeps its own root from removing a file."""
        with self._open(key):
            return "none"

    def lacks_lock(self, key: str, until: str) -> str:
        """Given a key and a moment, return "": where nothing can be locked, no lock is missing."""
        with self._open(key):
            return ""

    def removable(self, key: str) -> str:
        """Given a key, return "": nothing locks a file. Raises StoreReadOnlyError when the account cannot remove it."""
        check_key(key)
        self._require_directory()
        folder = (self._root / key).parent
        # Asked of the system and not of the mode: a read-only mount refuses root, too.
        if not folder.is_dir() or os.access(folder, os.W_OK | os.X_OK):
            return ""
        # No lock, whose end one could wait for.
        raise unremovable(folder, f"the store {self.name}")

    def remove(self, key: str) -> None:
        """Given a key, remove its object, durably, and its folder when nothing else is in it."""
        check_key(key)
        self._require_directory()
        path = self._root / key
        try:
            path.unlink(missing_ok=True)
            reached("store: object removed")
            if path.parent != self._root:
                path.parent.rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY):
                raise write_error(error, key, state="it is still in the store") from error
        folder = path.parent
        while not folder.is_dir():
            folder = folder.parent
        sync_directory(folder)

    def _put(self, key: str, size: int, content: Callable[[], Iterator[bytes]]) -> None:
        check_key(key)
        self._require_directory()
        target = self._root / key
        if os.path.lexists(target) or not self._put_new(target, size, content):
            # Another put it, or a killed try of ours did: it counts when it holds our bytes.
            self._require_same(key, content())
        self._sync_directories(target.parent)
        reached("store: object put")

    def _put_new(self, target: Path, size: int, content: Callable[[], Iterator[bytes]]) -> bool:
        require_space(self._path, f"the store {self.name}", target.name, size)
        self._make_directory(target.parent)
        temporary = target.parent / _temporary_name()
        with self._temporary(temporary, content()):
            try:
                # Linking never replaces: of two who put the same key at once, one gets here second.
                self._link(temporary, target)
            except FileExistsError:  # pragma: no cover - a race, which the test of several processes brings about
                return False
            reached("store: object linked")
        return True

    def _require_same(self, key: str, content: Iterator[bytes]) -> None:
        what, same = f"{key} in the store {self.name}", False
        # Somebody's link, pipe or directory is no object, and has its name all the same.
        if not os.path.islink(self._root / key):  # noqa: PTH114 — Path.is_symlink() raises when the disk is broken
            with contextlib.suppress(ObjectMissingError), self._open(key) as descriptor:
                same = all(read_exactly(descriptor, len(piece), what) == piece for piece in content)
                same = same and not read_exactly(descriptor, 1, what)
        if not same:
            raise ObjectExistsError(
                f"{what} already holds something else",
                state="what was there is untouched and nothing was written",
                hint="nothing is ever overwritten; find out what it is before it is moved away by hand",
            )

    @contextlib.contextmanager
    def _temporary(self, temporary: Path, content: Iterator[bytes]) -> Iterator[None]:
        with NewFile(temporary, FILE_MODE) as file:
            file.set_mode(FILE_MODE)
            for piece in content:
                file.write(piece)
            file.sync()
            file.forget_pages()
        try:
            yield
        finally:
            temporary.unlink(missing_ok=True)

    def _link(self, temporary: Path, target: Path) -> None:
        try:
            os.link(temporary, target)
        except FileExistsError:  # pragma: no cover - a race, which the test of several processes brings about
            raise
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
                raise write_error(error, str(target), state=_UNTOUCHED) from error
            raise StoreError(
                f"the store {self.name} cannot give a file its name without replacing another ({error.strerror})",
                state=_UNTOUCHED,
                hint="put the store on a file system that has hard links, such as ext4, XFS or NFS",
            ) from error

    @contextlib.contextmanager
    def _open(self, key: str) -> Iterator[int]:
        check_key(key)
        self._require_directory()
        missing = ObjectMissingError(
            f"{key} is not in the store {self.name}",
            state="nothing was read",
            hint="look at the mount, and whether somebody moved it; the other store may hold it",
        )
        try:
            # Not through a link, and not waiting for a pipe's other end: an object is a plain file of this store.
            descriptor = os.open(self._root / key, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise missing from None
        except OSError as error:
            raise unreadable(error, f"{key} in the store {self.name}") from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise missing
            yield descriptor
        finally:
            os.close(descriptor)

    def _walk(self, folder: Path) -> Iterator[tuple[str, os.stat_result]]:
        def fail(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                raise unreadable(error, f"the store {self.name}")

        for directory, _, files in os.walk(folder, onerror=fail):
            for file in files:
                path = os.path.join(directory, file)
                try:
                    yield os.path.relpath(path, self._root), os.lstat(path)
                except FileNotFoundError:  # pragma: no cover - a race: a temporary file that got its name since
                    continue

    def _require_directory(self) -> None:
        if not self._path.is_dir():
            raise StoreError(
                f"the directory {self._path} of the store {self.name} is not there",
                state=_UNTOUCHED,
                hint="mount it, or make it once by hand: a store that made it would hide a missing mount",
            )

    def _make_directory(self, folder: Path) -> None:
        self._require_directory()
        for directory in self._chain(folder):
            try:
                directory.mkdir(DIRECTORY_MODE)
                directory.chmod(DIRECTORY_MODE)  # whatever the umask
                reached("store: directory made")
            except FileExistsError:
                if not directory.is_dir():
                    raise ObjectExistsError(
                        f"{directory} is an object of the store {self.name} and cannot hold others",
                        state=_UNTOUCHED,
                        hint="somebody put a file where a directory belongs: find out who, and move it away",
                    ) from None
            except OSError as error:
                raise write_error(error, str(directory), state=_UNTOUCHED) from error

    def _sync_directories(self, folder: Path) -> None:
        # All of them every time: one that another process has made just now may not be on the disk yet.
        for directory in reversed([self._path, *self._chain(folder)]):
            sync_directory(directory)

    def _chain(self, folder: Path) -> Chain:
        """Given a folder, return every directory below the store's own down to it, in the order of making them."""
        below = folder.relative_to(self._path).parts
        return [self._path.joinpath(*below[: depth + 1]) for depth in range(len(below))]


def _temporary_name() -> str:
    return TEMPORARY + uuid.uuid4().hex
