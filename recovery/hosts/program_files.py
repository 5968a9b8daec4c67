"""Shipped program: what directory trees need of the machine. Standard library only, Python 3.9 or newer."""

# Names are bytes here, which pathlib does not take.
# ruff: noqa: PTH101, PTH102, PTH108, PTH112, PTH115, PTH208

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Callable
from typing import Any, NamedTuple

from .program_error import ProgramError
from .program_system import exchange, holders, look, rename, sync_directories

NOTHING = "-"


class Mount(NamedTuple):
    """One line of mountinfo (proc_pid_mountinfo(5)): `root` is the directory of the file system that is mounted."""

    device: bytes
    root: bytes
    point: bytes


def mounts(process: bytes = b"self") -> list[Mount]:
    """Return what is mounted where, as this process sees it."""
    with open(b"/proc/" + process + b"/mountinfo", "rb") as file:
        rows = [line.split(b" ") for line in file.read().splitlines()]
    return [Mount(row[2], _unescaped(row[3]), _unescaped(row[4])) for row in rows]


def _unescaped(name: bytes) -> bytes:
    for code, letter in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        name = name.replace(code, letter)
    return name


def _inside(path: bytes, tree: bytes) -> bool:
    return path == tree or path.startswith(tree.rstrip(b"/") + b"/")


def inspect(path: bytes) -> dict[str, Any]:
    """Return what stands under the name of a tree, which mount points are in it, and what this account may do."""
    parent = os.path.dirname(path)
    real = os.path.join(os.path.realpath(parent), os.path.basename(path))
    points = [mount.point for mount in mounts() if _inside(mount.point, real)]
    return {
        **look(path),
        "is_mount": real in points,
        "mounts": [os.fsdecode(point) for point in points if point != real],
        "privileged": os.geteuid() == 0,
        "parent_exists": os.path.isdir(parent),
        "parent_writable": os.access(parent, os.W_OK | os.X_OK),
    }


def in_use(path: bytes) -> dict[str, Any]:
    """Return which processes have something of the tree open, or see it mounted elsewhere.

    A bind mount (a container's volume, most often) holds on to the directory itself: after an exchange of names it
    would go on showing the old data.
    """
    result = holders([path])
    result["mounted"] = []
    real = os.path.realpath(path)
    if not os.path.isdir(real):
        return result
    here = [mount for mount in mounts() if _inside(real, mount.point)]
    if not here:  # in a changed root directory (chroot) that is no mount point
        raise ProgramError(
            "SourceError",
            f"none of the mounts that can be seen holds {os.fsdecode(real)}",
            "who else sees it mounted cannot be proven",
            "run Pulih's programs outside of the chroot, or mount its root directory onto itself",
        )
    # The longest mount point is the nearest; of several on one another the last one is on top.
    nearest = sorted(here, key=lambda mount: len(mount.point))[-1]
    tree = os.path.normpath(os.path.join(nearest.root, os.path.relpath(real, nearest.point)))
    seen = set()
    for name in os.listdir(b"/proc"):
        if not name.isdigit():
            continue
        try:
            space = os.readlink(b"/proc/" + name + b"/ns/mnt")
            if space in seen:
                continue
            held = [m.point for m in mounts(name) if m.device == nearest.device and _inside(m.root, tree)]
            with open(b"/proc/" + name + b"/comm", "rb") as file:
                title = file.read().strip().decode(errors="replace")
        except OSError:
            continue  # ended, or counted as unreadable by holders()
        seen.add(space)
        result["mounted"] += [{"pid": int(name), "name": title, "path": os.fsdecode(point)} for point in held]
    return result


def make(path: bytes) -> dict[str, Any]:
    """Make a directory that nobody else may enter; what a killed call left under this name is removed first."""
    remove(path)
    os.mkdir(path, 0o700)
    return {}


def keep(part: bytes, copy: bytes) -> dict[str, Any]:
    """Put a complete tree on disk and then give it its name, so that the name never stands for half of one."""
    import ctypes  # here, since it costs more than all the rest

    descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), part)
    finally:
        os.close(descriptor)
    rename(part, copy)
    return {}


def remove(path: bytes) -> dict[str, Any]:
    """Remove a tree without ever following a symbolic link or entering another file system. Idempotent."""
    found = look(path)
    if not found["exists"]:
        return {"removed": False}
    if found["kind"] != "directory":
        os.unlink(path)
    else:
        held = inspect(path)
        if held["is_mount"] or held["mounts"]:
            raise ProgramError(
                "SourceBusyError",
                f"something is mounted in {os.fsdecode(path)}",
                "nothing was removed",
                "unmount it, then try again",
            )
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        parent = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
        _remove_tree(parent, os.path.basename(path))
        os.close(parent)
    sync_directories(path)
    return {"removed": True}


def _remove_tree(parent: int, name: bytes) -> None:
    # One descriptor for each level and no path longer than a name: depth and renamed ancestors do not matter.
    stack = [(parent, name, *_emptied(parent, name))]
    while stack:
        above, name, directory, remaining = stack[-1]
        if remaining:
            child = remaining.pop()
            stack.append((directory, child, *_emptied(directory, child)))
            continue
        os.close(directory)
        os.rmdir(name, dir_fd=above)
        stack.pop()


def _emptied(parent: int, name: bytes) -> tuple[int, list[bytes]]:
    """Open a directory, remove all that is no directory from it, and return what remains."""
    directory = _enter(parent, name)
    remaining = []
    for child in os.listdir(directory):
        child_name = os.fsencode(child)
        if stat.S_ISDIR(os.lstat(child_name, dir_fd=directory).st_mode):
            remaining.append(child_name)
        else:
            os.unlink(child_name, dir_fd=directory)
    return directory, remaining


def _enter(parent: int, name: bytes) -> int:
    reference = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        if os.fstat(reference).st_mode & 0o700 != 0o700:
            # An owner who is not root must first give himself the right to empty it.
            os.chmod(f"/proc/self/fd/{reference}", 0o700)
        return os.open(b".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=reference)
    finally:
        os.close(reference)


def _inode(path: bytes) -> str:
    found = look(path)
    return str(found["inode"]) if found["exists"] else NOTHING


def move(first: bytes, second: bytes, first_inode: str, second_inode: str) -> dict[str, Any]:
    """Given what should stand under two names, "-" for nothing, exchange it. Idempotent.

    Device numbers are not compared, since they may change with a restart of the machine.
    """
    found = (_inode(first), _inode(second))
    if found == (second_inode, first_inode):
        # A call that was killed after its rename may not have put the names on disk.
        sync_directories(first, second)
        return {"moved": False}
    if found != (first_inode, second_inode):
        raise ProgramError(
            "SwapError",
            f"neither {os.fsdecode(first)} nor its copy is what it was when the swap was prepared",
            "nothing was moved now",
            "look which of the two directories holds the wanted data before anything else",
        )
    if NOTHING not in found:
        exchange(first, second)
    elif first_inode == NOTHING:
        rename(second, first)
    else:
        rename(first, second)
    if (_inode(first), _inode(second)) != (second_inode, first_inode):
        raise ProgramError(
            "SwapError",
            "the names were exchanged while another program renamed them too",
            "which of the two directories has which name is not known",
            "look which of the two directories holds the wanted data before anything else",
        )
    return {"moved": True}


def names(directory: bytes, prefix: bytes) -> dict[str, Any]:
    """Return the paths in a directory that begin with a prefix."""
    try:
        found = os.listdir(directory)
    except FileNotFoundError:
        found = []
    return {"names": sorted(os.fsdecode(os.path.join(directory, name)) for name in found if name.startswith(prefix))}


# What single verbs import where they need it; a process that forks for each call imports it once.
IMPORTED_LATE = ("ctypes",)

VERBS: dict[str, Callable[[list[bytes]], dict[str, Any]]] = {
    "inspect": lambda arguments: inspect(arguments[0]),  # PATH
    "in_use": lambda arguments: in_use(arguments[0]),  # PATH
    "make": lambda arguments: make(arguments[0]),  # PATH
    "keep": lambda arguments: keep(arguments[0], arguments[1]),  # PART COPY
    "remove": lambda arguments: remove(arguments[0]),  # PATH
    "move": lambda arguments: move(  # FIRST SECOND INODE INODE
        arguments[0], arguments[1], os.fsdecode(arguments[2]), os.fsdecode(arguments[3])
    ),
    "names": lambda arguments: names(arguments[0], arguments[1]),  # DIRECTORY PREFIX
}
