"""Shipped program: what is needed of the machine itself: atomic renames, who has a file open.

Standard library only, Python 3.9 or newer.
"""

# Names are bytes here, which pathlib does not take.
# ruff: noqa: PTH115, PTH116, PTH208

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import Any

from .program_error import ProgramError

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
AT_FDCWD = -100
# The numbers of renameat2(2) for C libraries that do not offer it by name.
SYSTEM_CALLS = {"x86_64": 316, "aarch64": 276, "riscv64": 276, "ppc64le": 357, "s390x": 347}


def exchange(first: bytes, second: bytes) -> None:
    """Swap two names in one step, and put that on disk: at no instant is one of them missing."""
    _renameat2(first, second, RENAME_EXCHANGE)
    sync_directories(first, second)


def rename(old: bytes, new: bytes) -> None:
    """Rename without ever replacing anything, and put that on disk."""
    _renameat2(old, new, RENAME_NOREPLACE)
    sync_directories(old, new)


def _renameat2(first: bytes, second: bytes, flags: int) -> None:
    import ctypes  # here, since it costs more than all the rest and few verbs need it

    library = ctypes.CDLL(None, use_errno=True)
    if hasattr(library, "renameat2"):
        result = library.renameat2(AT_FDCWD, first, AT_FDCWD, second, flags)
    else:
        number = SYSTEM_CALLS[os.uname().machine]
        result = library.syscall(number, AT_FDCWD, first, AT_FDCWD, second, flags)
    if result == 0:
        return
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS):
        raise ProgramError(
            "SwapError",
            "this file system cannot exchange two names in one step",
            "nothing was moved",
            "keep the data on ext4, xfs, btrfs or another file system with RENAME_EXCHANGE",
        )
    if code == errno.EXDEV:
        raise ProgramError(
            "SwapError",
            "live data and copy are not on one file system",
            "nothing was moved",
            "see what was mounted there since the copy was made, then begin a new restore",
        )
    raise OSError(code, os.strerror(code), first)


def sync_directories(*paths: bytes) -> None:
    """Put the names of these paths on disk."""
    for directory in {os.path.dirname(path) or b"/" for path in paths}:
        sync_path(directory)


def sync_path(path: bytes) -> None:
    """Put a file's content, or a directory's names, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def look(path: bytes) -> dict[str, Any]:
    """Return what stands under a name, not following a symbolic link: {"exists": False}, or kind, identity, owner."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"exists": False}
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
    return {
        "exists": True,
        "kind": kinds.get(stat.S_IFMT(found.st_mode), "special"),
        "device": found.st_dev,
        "inode": found.st_ino,
        "size": found.st_size,
        "mode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
        "links": found.st_nlink,
    }


def holders(paths: list[bytes]) -> dict[str, Any]:
    """Return which processes have one of these files, or something inside of one of these directories, open.

    Looks at descriptors, memory maps and working directories of every process but this one. "unreadable" counts the
    processes into which this account may not look: when it is not 0, the absence of holders is not proven.
    """
    files: set[tuple[int, int]] = set()
    trees: list[bytes] = []
    for path in paths:
        try:
            found = os.stat(path)
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(found.st_mode):
            trees.append(os.path.realpath(path))
        else:
            files.add((found.st_dev, found.st_ino))
    found_holders: list[dict[str, Any]] = []
    unreadable = seen = 0
    for name in os.listdir(b"/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        process = b"/proc/" + name
        try:
            path_held = _held(process, files, trees)
        except PermissionError:
            unreadable += 1
            continue
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we looked
        seen += 1
        if path_held is not None:
            held = os.fsdecode(path_held)
            found_holders.append({"pid": int(name), "name": _process_name(process), "path": held})
    return {"holders": found_holders, "processes": seen, "unreadable": unreadable}


def _held(process: bytes, files: set[tuple[int, int]], trees: list[bytes]) -> bytes | None:
    links = [process + b"/fd/" + name for name in os.listdir(process + b"/fd")]
    # map_files: a mapping stays when its descriptor is closed.
    links += [process + b"/map_files/" + name for name in _names(process + b"/map_files")]
    if trees:
        links += [process + b"/cwd", process + b"/root"]
    for link in links:
        try:
            target = os.readlink(link)
            if any(target == tree or target.startswith(tree + b"/") for tree in trees):
                return target
            found = os.stat(link) if files and target.startswith(b"/") else None
        except (FileNotFoundError, ProcessLookupError):
            continue  # closed while we looked
        if found is not None and (found.st_dev, found.st_ino) in files:
            return target
    return None


def _names(directory: bytes) -> list[bytes]:
    try:
        return os.listdir(directory)
    except PermissionError:
        return []  # own processes without CAP_SYS_PTRACE; their descriptors were readable
    except FileNotFoundError:
        return []


def _process_name(process: bytes) -> str:
    try:
        with open(process + b"/comm", "rb") as file:
            return file.read().strip().decode(errors="replace")
    except OSError:
        return "?"


def identity() -> str:
    """Return what tells this machine from others, made for Pulih.

    The machine id itself is confidential (machine-id(5)), so a keyed digest of it is used.
    """
    import hmac  # here, since few verbs need it

    try:
        with open("/etc/machine-id", "rb") as file:
            machine = file.read().strip()
    except OSError:
        machine = b""
    return hmac.new(machine or os.uname().nodename.encode(), b"pulih host identity", "sha256").hexdigest()[:32]


def _space(arguments: list[bytes]) -> dict[str, Any]:
    found = os.statvfs(arguments[0])
    # What this account may use, without the reserve of root.
    return {"free": found.f_bavail * found.f_frsize}


def _exchange(arguments: list[bytes]) -> dict[str, Any]:
    exchange(arguments[0], arguments[1])
    return {}


def _rename(arguments: list[bytes]) -> dict[str, Any]:
    rename(arguments[0], arguments[1])
    return {}


def _sync(arguments: list[bytes]) -> dict[str, Any]:
    for path in arguments:
        sync_path(path)
    return {}


# What single verbs import where they need it; a process that forks for each call imports it once.
IMPORTED_LATE = ("ctypes", "hmac")

VERBS: dict[str, Callable[[list[bytes]], dict[str, Any]]] = {
    "exchange": _exchange,  # FIRST SECOND
    "rename": _rename,  # OLD NEW
    "sync": _sync,  # PATH…
    "look": lambda arguments: look(arguments[0]),  # PATH
    "identity": lambda _arguments: {"identity": identity()},
    "space": _space,  # PATH
    "holders": holders,  # PATH…
}
