"""Shipped program: make a copy of a MariaDB database live, and undo it. Standard library only, Python 3.9 or newer.

All tables of both sides move in one RENAME TABLE, which is whole or nothing even when the server dies. Views, triggers,
routines and events cannot move: their definitions are written down in the copy first, then they are dropped on both
sides, and made again behind the tables. Whatever was interrupted, the next call goes on from what is written there.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import json
import os
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import Session, Target, literal, quoted
from .program_mariadb_control import LIVE, mark_live, read, write
from .program_mariadb_load import MIDDLE, exists, require_empty
from .program_mariadb_rights import granted_here
from .program_mariadb_sides import OTHER, clear, make_again, write_down
from .program_mariadb_structure import listed

# Whoever is in the database, and whoever was given rights on it and is connected without having chosen any.
USERS = """
SELECT JSON_OBJECT('pid', p.ID, 'name', IF(p.COMMAND LIKE 'Slave%', 'replication', p.COMMAND), 'user', p.USER,
    'address', IF(p.HOST = '', 'local', p.HOST))
FROM information_schema.PROCESSLIST p WHERE p.ID <> CONNECTION_ID() AND p.COMMAND <> 'Daemon' AND (
    BINARY p.DB IN ({names}) OR p.COMMAND LIKE 'Slave%' OR (p.DB IS NULL AND
        p.USER <> SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AND p.USER IN (
            SELECT d.User FROM mysql.db d WHERE BINARY d.Db IN ({patterns}))))
ORDER BY p.ID
"""


def identity(session: Session) -> str:
    """Return what tells a server from every other: where it keeps its data, on which machine."""
    # As texts: the next release may put a number into JSON as one, and is the same server.
    found = session.documents("SELECT JSON_ARRAY(@@hostname, @@datadir, @@server_id, @@port)")[0]
    return json.dumps([str(each) for each in found])


def server_uid(session: Session) -> str:
    """Return what a server makes of its network card and port, or "" from one that knows no such thing.

    It alone tells machines apart that were made of one image. It is in no receipt: a card may be another when a
    machine starts again, and old data must come back all the same. The copy that a receipt names is on no other server.
    """
    found = session.run("SHOW GLOBAL VARIABLES WHERE Variable_name = 'server_uid'")
    # "unknown" is what it says without a network card.
    return next((value for _name, value in found if value != "unknown"), "")


def quiet(arguments: list[bytes]) -> dict[str, Any]:
    """Return the sessions that use the database."""
    target = Target(arguments[0])
    with Session(target) as session:
        return {"users": _users(session, [target.database])}


def ties(arguments: list[bytes]) -> dict[str, Any]:
    """Return, a sentence each, what keeps every copy from going live."""
    target = Target(arguments[0])
    with Session(target) as session:
        return {"ties": _ties(session, target.database)}


def prepare(arguments: list[bytes]) -> dict[str, Any]:
    """Return the receipt. From now on the copy knows that it is to go live."""
    target, copy = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, changing=True) as session:
        known = read(session, copy)
        if known is None or known["state"] != "whole":
            raise _failed(f"there is no whole copy {copy}", "nothing was moved")
        _refuse_ties(session, target.database)
        there = exists(session, target.database)
        if "phase" not in known:
            write(session, copy, {"phase": "settled"})
        # Behind it, because whoever finds this mark goes by what is written down.
        mark_live(session, copy)
        system = identity(session)
    return {
        "kind": "mariadb",
        "live": target.database,
        "copy": copy,
        "system": system,
        "old": {"exists": there},
        "new": {"exists": True},
    }


def swap(arguments: list[bytes]) -> dict[str, Any]:
    """Make the copy live; the old data is in the database with the copy's name."""
    return _move(Target(arguments[0]), json.loads(arguments[1]), "new")


def swap_back(arguments: list[bytes]) -> dict[str, Any]:
    """Make the old data live; the new data is in the database with the copy's name again."""
    return _move(Target(arguments[0]), json.loads(arguments[1]), "old")


def live_is(arguments: list[bytes]) -> dict[str, Any]:
    """Return which of the receipt's data is live."""
    target, receipt = Target(arguments[0]), json.loads(arguments[1])
    with Session(target) as session:
        _require_server(session, receipt)
        known = read(session, receipt["copy"])
        return {"live": (known and known["live"]) or "unknown"}


def _move(target: Target, receipt: dict[str, Any], coming: str) -> dict[str, Any]:
    live, copy = receipt["live"], receipt["copy"]
    warnings: list[str] = []
    with Session(target, changing=True) as session:
        _require_server(session, receipt)
        known = read(session, copy)
        if known is None or known["live"] not in OTHER:
            raise _unknown(receipt)
        if known["live"] == coming and known["phase"] == "settled":
            return {"live": coming, "moved": False, "warnings": []}
        moving = known["live"] != coming
        if moving:
            _refuse_users(session, [live, copy])
            _refuse_ties(session, live)
            require_empty(session, copy + MIDDLE)
            if known["phase"] == "settled":
                warnings += write_down(session, known, live, copy)
        try:
            if moving:
                _rename(session, receipt, coming)
            which = _settle(session, receipt, warnings)
        except ProgramError:
            # A lost connection says nothing: what the server did stands in the copy.
            with Session(target, changing=True) as another:
                which = _settle(another, receipt, warnings)
            if which != coming:
                raise
    if which != coming:
        # The tables still moved when we looked, for a call that was killed.
        return _move(target, receipt, coming)
    return {"live": coming, "moved": True, "warnings": sorted(set(warnings))}


def _rename(session: Session, receipt: dict[str, Any], coming: str) -> None:
    live, copy, leaving = receipt["live"], receipt["copy"], OTHER[coming]
    middle = copy + MIDDLE
    known = read(session, copy) or {}
    clear(session, live, known[f"{leaving} side"], live=True)
    clear(session, copy, known[f"{coming} side"], live=False)
    session.run(f"CREATE DATABASE IF NOT EXISTS {quoted(live)}")
    session.run(f"CREATE DATABASE IF NOT EXISTS {quoted(middle)}")
    old = [table["name"] for table in listed(session, live)]
    new = [table["name"] for table in listed(session, copy)]
    moves = [(live, name, middle, name) for name in old]
    moves += [(copy, name, live, name) for name in new]
    moves += [(middle, name, copy, name) for name in old]
    moves.append((copy, LIVE[leaving], copy, LIVE[coming]))
    session.run("RENAME TABLE " + ", ".join(f"{quoted(*move[:2])} TO {quoted(*move[2:])}" for move in moves))


def _settle(session: Session, receipt: dict[str, Any], warnings: list[str]) -> str:
    """Make what is outside of tables again for the live data, and return which it is. The other side's waits."""
    live, copy, middle = receipt["live"], receipt["copy"], receipt["copy"] + MIDDLE
    # A server goes on moving tables when the client is dead. This waits until it has ended, and then nothing moves.
    try:
        session.run(f"CREATE DATABASE IF NOT EXISTS {quoted(middle)}")
    except ProgramError as error:
        # All that is known of them then is that we waited in vain.
        error.report["state"] = "tables may move still, all or none of them, and nobody knows which data will be live"
        raise
    require_empty(session, middle)
    session.run(f"DROP DATABASE {quoted(middle)}")
    known = read(session, copy)
    if known is None or known["live"] not in OTHER:
        raise _unknown(receipt)
    which = str(known["live"])
    side = known[f"{which} side"]
    if side is not None:
        warnings += make_again(session, live, side, known[f"{OTHER[which]} side"])
    # There was no old data: no database either, unless somebody put something into it.
    elif exists(session, live) and not listed(session, live):
        # With a database its routines go, and the rights on them stay.
        session.run(f"DROP DATABASE {quoted(live)}")
    write(session, copy, {"phase": "settled"})
    return which


def _users(session: Session, names: list[str]) -> list[dict[str, Any]]:
    everywhere, _here, _single = granted_here(session, names[0])
    if "PROCESS" not in everywhere:
        # It would be shown its own sessions alone, without a word.
        user = session.target.user or session.one("SELECT CURRENT_USER()")
        raise ProgramError(
            "SourceError",
            f"the account {user} does not see who else uses the database {names[0]}",
            "nothing was moved",
            f"GRANT PROCESS ON *.* TO {user}",
        )
    patterns = [name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%") for name in names]
    query = USERS.format(
        names=", ".join(literal(name) for name in names),
        patterns=", ".join(literal(name) for name in {*names, *patterns}),
    )
    found = [json.loads(row[0]) for row in session.run(query)]
    if not found:
        # From another database one can use tables, too; the server does not say who does.
        for name in names:
            for _database, table, *_more in session.run(f"SHOW OPEN TABLES FROM {quoted(name)} WHERE In_use > 0"):
                found.append({"pid": 0, "name": f"a session in the table {table}", "user": "?", "address": "?"})
    return found


def _refuse_users(session: Session, names: list[str]) -> None:
    users = _users(session, names)
    if users:
        told = ", ".join(f"{each['name']} ({each['user']} from {each['address']}, pid {each['pid']})" for each in users)
        raise ProgramError(
            "SourceBusyError",
            f"the database {names[0]} is still used by {told}",
            "nothing was moved",
            "stop these programs, then continue",
        )


def _refuse_ties(session: Session, database: str) -> None:
    found = _ties(session, database)
    if found:
        raise _failed(found[0], "nothing was moved", "drop these keys, and make them again after the restore")


def _ties(session: Session, database: str) -> list[str]:
    """Foreign keys of other databases would follow the old tables and not the name."""
    # Of KEY_COLUMN_USAGE the server shows an account its own tables alone. Here names stand as those of files do.
    name = f"BINARY CONVERT({literal(database)} USING filename)"
    owner, table = (
        f"CONVERT(CONVERT(BINARY SUBSTRING_INDEX(FOR_NAME, '/', {place}) USING filename) USING utf8mb4)"
        for place in (1, -1)
    )
    rows = session.run(
        f"SELECT DISTINCT CONCAT({owner}, '.', {table}) FROM information_schema.INNODB_SYS_FOREIGN"
        f" WHERE BINARY SUBSTRING_INDEX(REF_NAME, '/', 1) = {name}"
        f" AND BINARY SUBSTRING_INDEX(FOR_NAME, '/', 1) <> {name} ORDER BY 1"
    )
    names = ", ".join(row[0] for row in rows[:5])
    return [f"foreign keys of {names} point to the database {database} and would not go with its name"] if rows else []


def _require_server(session: Session, receipt: dict[str, Any]) -> None:
    if identity(session) != receipt["system"]:
        raise _failed(
            f"the server of {receipt['live']} is not the one of the receipt",
            "nothing was moved",
            "find out which server answers under this address before anything else",
        )


def _unknown(receipt: dict[str, Any]) -> ProgramError:
    return _failed(
        f"{receipt['copy']} does not say what is live under the name {receipt['live']}",
        "nothing was moved",
        "somebody changed or dropped it; look at both before anything else",
    )


def _failed(message: str, state: str, hint: str = "") -> ProgramError:
    return ProgramError("SwapError", message, state, hint)
