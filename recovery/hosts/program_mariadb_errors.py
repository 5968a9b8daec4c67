"""Shipped program: what a MariaDB client or mariadb-dump said, as errors that an operator can treat.

Standard library only, Python 3.9 or newer. No value of the data is ever told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .program_error import ProgramError

if TYPE_CHECKING:
    from .program_mariadb_client import Target

# A value may have lines of its own that look like any of these, but it comes behind the words of the program itself.
_CLIENT = re.compile(r"^ERROR (\d+) \(\w+\)(?: at line \d+)?: (.*)", re.MULTILINE)
_DUMPING = (
    re.compile(r"^\S+: [Gg]ot error: (\d+): \"?(.*?)\"? when ", re.MULTILINE),
    re.compile(r"^\S+: [Ee]rror (\d+): (.*?)(?: when dumping .*)?$", re.MULTILINE),
)
_DUMPING_AFTER = re.compile(
    r"^\S+: Couldn't execute '.*?': (?P<message>.*?) \((?P<code>\d+)\)$", re.DOTALL | re.MULTILINE
)
_PROGRAM = re.compile(r"^(?:(?:\S*/)?(?:mariadb|mysql)[\w-]*: |ERROR\b).*", re.MULTILINE)
# Not the apostrophe of a word. What follows is told by no rule: values with quotation marks are not quoted again.
_QUOTED = re.compile(r"(?<!\w)[\"'].*", re.DOTALL)
# Messages of these codes quote names and accounts, all others may quote values of the data.
_NAMING = {1040, 1044, 1045, 1046, 1049, 1142, 1143, 1146, 1153, 1227, 1305, 1356, 1370, 1698, 2002, 2003, 2005, 2013}
ROOM = "raise max_allowed_packet on the server, where a row is longer than it takes (1G is the most there is)"


def explained(said: str, target: Target, database: str, *, loading: bool = False) -> ProgramError:
    """Given what a client or mariadb-dump said, return the error that an operator can treat."""
    code, message = _told(said)
    if code not in _NAMING:
        message = _QUOTED.sub("…", message)
    kind, hint = _by_code(code, target)
    if loading and code in (2006, 2013):
        # A server that is sent too much closes the connection and often says no more.
        hint = f"{hint}; if it does, {ROOM}"
    name = database or target.database
    return ProgramError(kind, f"the database {name} on {target.place()}: {message}", "nothing was changed", hint)


def _told(said: str) -> tuple[int, str]:
    found = [match for match in (pattern.search(said) for pattern in (_CLIENT, *_DUMPING)) if match]
    told = [(match.start(), int(match.group(1)), match.group(2).strip()) for match in found]
    after = _DUMPING_AFTER.search(said)
    if after:
        told.append((after.start(), int(after["code"]), after["message"]))
    if told:
        return min(told)[1:]
    other = _PROGRAM.search(said)
    return 0, other.group(0).strip() if other else "the program ended without a word"


def _by_code(code: int, target: Target) -> tuple[str, str]:
    user = target.user or "Pulih's account on the host"
    if code in (1205, 1213, 3024):
        return "SourceLockedError", "let what holds the lock finish, or allow more time (lock_timeout)"
    if code in (1044, 1142, 1143, 1227, 1370):
        return "SourceError", f"give {user} the rights that docs/mariadb.md names"
    if code in (1045, 1698):
        return (
            "SourceError",
            "check user and password; without a password only an account of the host with that name gets in",
        )
    if code == 1049:
        return "SourceMissingError", "correct the name in the inventory, or restore the database"
    if code == 1153:
        return "SourceError", ROOM
    if code in (2002, 2003, 2005, 2006, 2013, 1053):
        return "SourceError", "see whether the server runs and listens there"
    if code in (1040, 1203, 1226):
        return "SourceError", "wait until connections are free, or raise max_connections"
    if code in (1021, 1114, 1041):
        return "StoreFullError", "make room where the server keeps its data"
    if code == 1412:
        return "SourceError", "somebody changed a table meanwhile; run it again"
    if code in (1034, 1035, 1194, 1195, 1712, 1932):
        return "SourceCorruptError", "the server's files are damaged: repair them, or restore an earlier backup"
    return "SourceError", ""
