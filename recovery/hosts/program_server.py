"""Shipped program: what the programs of all database servers share. Standard library only, Python 3.9 or newer."""

# Names are found and looked at in directories that others write to.
# ruff: noqa: PTH208

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

# What a killed call left behind holds a password. A call that runs holds its own, and connects more than once.
LEFT_BEHIND_SECONDS = 3600
# Database servers refuse to run as root.
UNPRIVILEGED = "nobody"
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def begin(prefix: str, password_file: str, written: Callable[[str], str]) -> dict[str, Any]:
    """Keep what came on stdin in a private directory: {"password": … or null, "request": …}.

    `written` gives the text of the file with the password, as the engine's clients read it.
    """
    _sweep(prefix)
    given = json.loads(sys.stdin.buffer.read())
    directory = tempfile.mkdtemp(prefix=prefix)
    if given["password"] is not None:
        _write_private(os.path.join(directory, password_file), written(given["password"]))
    _write_private(os.path.join(directory, "request"), json.dumps(given["request"]))
    return {"directory": directory}


def hold(directory: str) -> None:
    """Keep the private directory from being swept away, as long as this program runs; an empty name is none."""
    if directory:
        # Never closed: the lock goes with the program, however it ends.
        fcntl.flock(os.open(directory, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_SH)


def end(prefix: str, arguments: list[bytes]) -> dict[str, Any]:
    """Remove the private DIRECTORY."""
    directory = os.fsdecode(arguments[0])
    if os.path.basename(directory).startswith(prefix):
        shutil.rmtree(directory, ignore_errors=True)
    return {}


def tell_count(done: int, total: int) -> None:
    """Say on stdout how many objects of how many are measured."""
    os.write(1, b"%d %d\n" % (done, total))


def free_bytes(place: str) -> int | None:
    """Return the bytes that are free where a server keeps its data, or None when that cannot be seen from here."""
    # Usually closed to others, its parent is not: the same file system, unless one is mounted right there.
    while place and place != "/":
        try:
            found = os.statvfs(place)
        except PermissionError:
            place = os.path.dirname(place)
            continue
        except FileNotFoundError:
            break
        return found.f_bavail * found.f_frsize
    return None


def unprivileged(directory: bytes, last_signal: int) -> Callable[[], None]:
    """Return what a server calls before it begins: never root, and ended by a signal when this program dies.

    Whatever it starts has no more rights than it, either: a copy's own functions may start programs, and sudo or
    another program that changes its account would let them out. The directory becomes the server's.
    """
    import ctypes  # here, since it costs more than most calls take

    library = ctypes.CDLL(None)
    account = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None
    if account is not None:
        os.chown(directory, account.pw_uid, account.pw_gid)

    def become() -> None:
        if account is not None:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        if library.prctl(PR_SET_NO_NEW_PRIVS, *(ctypes.c_ulong(each) for each in (1, 0, 0, 0))) != 0:
            raise OSError("the server for the proof cannot be kept from getting more rights")
        # After the change of account, which takes it back: killed as this program is, the server must not stay.
        library.prctl(PR_SET_PDEATHSIG, last_signal)

    return become


def _sweep(prefix: str) -> None:
    parent = tempfile.gettempdir()
    for name in os.listdir(parent):
        if not name.startswith(prefix):
            continue
        path = os.path.join(parent, name)
        found = os.lstat(path)
        if found.st_uid == os.geteuid() and found.st_mtime < time.time() - LEFT_BEHIND_SECONDS and not _is_held(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_held(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False  # gone meanwhile
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _write_private(path: str, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
