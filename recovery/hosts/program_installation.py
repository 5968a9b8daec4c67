"""Shipped program: keeps the other shipped programs in a private directory of the account by which a worker comes.

It is run from stdin and stands alone. Standard library only, Python 3.9 or newer. After it come eight digits of length
and {"mark", "digest", "files": name → text}; its answer is the mark and one JSON object.
"""

# It begins every connection, and pathlib takes longer to import than all of this to run.
# ruff: noqa: PTH103, PTH104, PTH111, PTH112, PTH116, PTH208

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import stat
import sys
import tempfile
import time
from typing import Any

DIRECTORY = ".cache/pulih"
TEMPORARY = "new-"
UNUSED_SECONDS = 30 * 24 * 3600.0
HALF_DONE_SECONDS = 3600.0


def install(digest: str, files: dict[str, str]) -> str:
    """Given the programs, return the directory that holds exactly them; remove what has not been used for long."""
    home = os.path.expanduser("~")
    if not os.path.isdir(home):
        raise OSError(0, f"the account has no home directory: {home} is not there")
    parent = os.path.join(home, DIRECTORY)
    os.makedirs(parent, mode=0o700, exist_ok=True)
    found = os.stat(parent)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
        raise OSError(0, f"others can write into {parent}")
    directory = os.path.join(parent, digest)
    if _digest(directory, sorted(files)) == digest:
        os.utime(directory)
    else:
        _write(parent, directory, files)
        if _digest(directory, sorted(files)) != digest:
            raise OSError(0, f"what lies in {directory} is not what was sent")
    _sweep(parent, digest)
    return directory


def _write(parent: str, directory: str, files: dict[str, str]) -> None:
    new = tempfile.mkdtemp(prefix=TEMPORARY, dir=parent)
    try:
        for name, text in files.items():
            with open(os.path.join(new, name), "w", encoding="utf-8") as file:
                file.write(text)
        if os.path.isdir(directory):
            # Damaged: out of the way in one step, since another connection may be about to use it.
            damaged = tempfile.mkdtemp(prefix=TEMPORARY, dir=parent)
            os.rename(directory, damaged)
            shutil.rmtree(damaged, ignore_errors=True)
        os.rename(new, directory)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        # Another connection may have been first; the digest tells.
        if not os.path.isdir(directory):
            raise


def _digest(directory: str, names: list[str]) -> str:
    files = {}
    try:
        for name in names:
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                files[name] = file.read()
    except (OSError, ValueError):
        return ""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _sweep(parent: str, digest: str) -> None:
    for name in os.listdir(parent):
        path = os.path.join(parent, name)
        limit = HALF_DONE_SECONDS if name.startswith(TEMPORARY) else UNUSED_SECONDS
        try:
            if name != digest and os.lstat(path).st_mtime < time.time() - limit:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            continue  # another connection swept it


def main(given: dict[str, Any]) -> None:
    """Do what was asked for, and answer."""
    answer: dict[str, Any] = {"python": sys.executable, "version": sys.version.split()[0], "host": socket.gethostname()}
    try:
        answer["directory"] = install(given["digest"], given["files"])
    except OSError as error:
        answer["reason"] = error.strerror or str(error)
    os.write(1, (given["mark"] + json.dumps(answer)).encode())


if __name__ == "__main__":
    main(json.loads(read(int(read(8)))))  # type: ignore[name-defined] # noqa: F821 - made by what runs this
