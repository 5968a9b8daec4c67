"""Shipped program: making a copy of a SQLite database live, and undoing it. Standard library only, Python 3.9 or newer.

Every function looks at what is there, by inode, and does what is missing: a call that was killed at any instant is
finished by calling again. Device numbers are not compared, since they may change with a restart of the machine.
"""

# Names are bytes here, which pathlib does not take.
# ruff: noqa: PTH101, PTH116

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import Any

from .program_error import ProgramError
from .program_sqlite_content import SIDE_FILES, connect, explain, journal_mode
from .program_system import exchange, look, rename, sync_directories, sync_path

# Middle of the names under which side files of a database that cannot be opened wait beside its copy: those of the old
# data during a swap, those of the new data when the swap was undone.
ASIDE = b".aside"
UNDONE = b".undone"
TIMEOUT = 5.0


def prepare(live: bytes, copy: bytes) -> dict[str, Any]:
    """Return the receipt of a swap: both names and what stands under them now. Nothing is moved."""
    old, new = look(live), look(copy)
    if not new["exists"] or new["kind"] != "file":
        raise _failed(f"there is no copy at {os.fsdecode(copy)}", "nothing was moved")
    new["journal_mode"] = journal_mode(copy)
    if old["exists"]:
        if old["kind"] != "file" or old["links"] > 1:
            raise _failed(
                f"{os.fsdecode(live)} is a link or has other names, which a swap would leave behind",
                "nothing was moved",
                "name the file itself in the inventory, and give it one name only",
            )
        old["journal_mode"] = _remembered_mode(live)
    receipt = {"kind": "sqlite", "live": os.fsdecode(live), "copy": os.fsdecode(copy), "old": old, "new": new}
    if live_is(receipt) != "old":
        raise _failed("live data and copy are the same file", "nothing was moved")
    return receipt


def live_is(receipt: dict[str, Any]) -> str:
    """Return "old", "new" or "unknown": which data stands under the live name."""
    live, copy = (_inode(os.fsencode(receipt[name])) for name in ("live", "copy"))
    old, new = receipt["old"].get("inode"), receipt["new"]["inode"]
    if old != new:
        if live == old and copy in (new, None):
            return "old"
        if live == new and copy in (old, None):
            return "new"
    return "unknown"


def swap(receipt: dict[str, Any]) -> dict[str, Any]:
    """Make the copy live. The service is stopped; the old data stays under the name of the copy."""
    live, copy = os.fsencode(receipt["live"]), os.fsencode(receipt["copy"])
    state = live_is(receipt)
    if state == "unknown" or (state == "old" and _inode(copy) is None):
        raise _unknown(receipt)
    if state == "old":
        _refuse_side_files(copy)
        settled = _settle(live, copy, ASIDE) if receipt["old"]["exists"] else _set_aside(live, copy, ASIDE)
        _adopt(live, copy, receipt["old"])
        # An application would apply a WAL of the old data to the new file and read the old rows again, and
        # integrity_check would call that sound. So nothing of the old data may stand beside the live name now.
        _refuse_side_files(live)
        sync_path(copy)
        if receipt["old"]["exists"]:
            exchange(live, copy)
        else:
            rename(copy, live)
    else:
        settled = "before"
    # Also when an earlier call moved it: it may have died before this.
    sync_directories(live)
    return {"live": "new", "old_side_files": settled}


def swap_back(receipt: dict[str, Any]) -> dict[str, Any]:
    """Make the old data live again, with its side files and its journal mode; the new data becomes the copy again."""
    live, copy = os.fsencode(receipt["live"]), os.fsencode(receipt["copy"])
    state = live_is(receipt)
    if state == "unknown" or (state == "new" and receipt["old"]["exists"] and _inode(copy) is None):
        raise _unknown(receipt)
    if state == "new":
        # The application may have written to the new data before it was judged ill.
        _settle(live, copy, UNDONE)
        _refuse_side_files(live)
        if receipt["old"]["exists"]:
            exchange(live, copy)
        else:
            rename(live, copy)
    _bring_back(live, copy)
    if receipt["old"].get("journal_mode") == "wal" and _remembered_mode(live) == "delete":
        with closing(connect(live, TIMEOUT)) as connection:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    sync_directories(live)
    return {"live": "old"}


def _settle(path: bytes, copy: bytes, middle: bytes) -> str:
    """Let a database stand in its file alone. One that SQLite cannot open keeps its side files, moved aside."""
    # Once begun, moving aside is finished: SQLite must not open a database of which half the side files are gone.
    if any(look(copy + middle + side)["exists"] for side in SIDE_FILES) or not _remembered_mode(path):
        return _set_aside(path, copy, middle)
    try:
        with closing(connect(path, TIMEOUT)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # rolls a hot journal back
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            # By way of TRUNCATE, which is what makes SQLite delete a journal that mode PERSIST left behind.
            modes = [connection.execute(f"PRAGMA journal_mode={mode}").fetchone()[0] for mode in ("TRUNCATE", "DELETE")]
    except sqlite3.DatabaseError as error:
        if explain(error, path).report["error"] != "SourceCorruptError":
            raise
        return _set_aside(path, copy, middle)
    if busy or modes[-1] != "delete":
        raise ProgramError(
            "SourceBusyError",
            f"{os.fsdecode(path)} is still in use, so it cannot leave WAL mode",
            "nothing was moved",
            "stop every program that has it open",
        )
    sync_path(path)
    return "written into the file"


def _set_aside(path: bytes, copy: bytes, middle: bytes) -> str:
    moved = [side for side in SIDE_FILES if look(path + side)["exists"]]
    for side in moved:
        rename(path + side, copy + middle + side)
    return "moved aside" if moved else "none"


def _bring_back(live: bytes, copy: bytes) -> None:
    for side in SIDE_FILES:
        if look(copy + ASIDE + side)["exists"]:
            rename(copy + ASIDE + side, live + side)


def _adopt(live: bytes, copy: bytes, old: dict[str, Any]) -> None:
    """Give the copy the owner, mode and attributes (access lists, labels) of the old data."""
    if not old["exists"]:
        # Nothing to take them from: the directory's owner is the application's, as it creates its files there.
        directory = os.stat(os.path.dirname(live))
        os.chown(copy, directory.st_uid, directory.st_gid)
        os.chmod(copy, 0o640)
        return
    os.chown(copy, old["uid"], old["gid"])
    os.chmod(copy, old["mode"])
    for name in os.listxattr(live):
        os.setxattr(copy, name, os.getxattr(live, name))


def _refuse_side_files(path: bytes) -> None:
    left = [os.fsdecode(path + side) for side in SIDE_FILES if look(path + side)["exists"]]
    if left:
        raise _failed(
            f"{', '.join(left)} would be taken for a part of another database",
            "nothing was exchanged",
            "find out which program opened that database, and call again",
        )


def _remembered_mode(path: bytes) -> str:
    """Return the journal mode that the file remembers, or "" when it is no database or not there."""
    try:
        return journal_mode(path)
    except ProgramError as error:
        if error.report["error"] in ("SourceCorruptError", "SourceMissingError"):
            return ""
        raise


def _inode(path: bytes) -> int | None:
    found = look(path)
    return int(found["inode"]) if found["exists"] else None


def _unknown(receipt: dict[str, Any]) -> ProgramError:
    return _failed(
        f"{receipt['live']} and {receipt['copy']} are not the files of the receipt",
        "nothing was moved",
        "somebody replaced one of them; look at both before anything else",
    )


def _failed(message: str, state: str, hint: str = "") -> ProgramError:
    return ProgramError("SwapError", message, state, hint)
