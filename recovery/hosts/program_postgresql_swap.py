"""Shipped program: make a copy of a PostgreSQL database live, and undo it. Standard library only, Python 3.9 or newer.

Databases are told by their numbers (OIDs), which a rename leaves alone. All renames of a swap are one transaction:
killed at any instant, all of it has happened or nothing. The first rename locks the database against new connections
until the transaction ends, so nobody slips in between.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import json
import os
from typing import Any

from .program_error import ProgramError
from .program_postgresql_client import MAINTENANCE, Session, Target, literal, quoted

MIDDLE = "~"
# Sessions are named by what an administrator looks for; the server's own cleaning workers give way by themselves.
USERS = """
SELECT jsonb_build_object('pid', pid, 'name', coalesce(nullif(application_name, ''), backend_type, 'a session'),
    'user', usename, 'address', coalesce(host(client_addr), 'local'))
FROM pg_stat_activity WHERE datname = {0} AND pid <> pg_backend_pid()
AND backend_type IS DISTINCT FROM 'autovacuum worker' AND leader_pid IS NULL ORDER BY pid
"""
TIES = """
SELECT to_jsonb(format('the replication slot %s', slot_name)) FROM pg_replication_slots WHERE database = {0}
UNION ALL SELECT to_jsonb(format('the subscription %s', s.subname)) FROM pg_subscription s
JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = {0}
UNION ALL SELECT to_jsonb(format('the prepared transaction %s of %s', gid, owner)) FROM pg_prepared_xacts
WHERE database = {0}
"""


def quiet(arguments: list[bytes]) -> dict[str, Any]:
    """Return the sessions that use the database."""
    target = Target(arguments[0])
    with Session(target, MAINTENANCE) as session:
        return {"users": session.run(USERS.format(literal(target.database)))}


def ties(arguments: list[bytes]) -> dict[str, Any]:
    """Return what no swap is done with, a sentence each: it belongs to the database and would not go with its name."""
    target = Target(arguments[0])
    with Session(target, MAINTENANCE) as session:
        found = session.run(TIES.format(literal(target.database)))
    return {"ties": [_tie(each, target.database) for each in found]}


def prepare(arguments: list[bytes]) -> dict[str, Any]:
    """Return the receipt, and close the copy to connections: nobody may change it from now on."""
    target, copy = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, MAINTENANCE) as session:
        old, new = _look(session, target.database), _look(session, copy)
        if new is None:
            raise _failed(f"there is no copy {copy}", "nothing was moved")
        _refuse_ties(session, target.database)
        session.run(f"ALTER DATABASE {quoted(copy)} ALLOW_CONNECTIONS false")
        system = session.one("SELECT to_jsonb(system_identifier::text) FROM pg_control_system()")
    return {
        "kind": "postgresql",
        "live": target.database,
        "copy": copy,
        "system": system,
        "old": {"exists": False} if old is None else {"exists": True, **old},
        "new": {"exists": True, "oid": new["oid"], "open": True},
    }


def swap(arguments: list[bytes]) -> dict[str, Any]:
    """Make the copy live; the old database gets the copy's name, closed to connections."""
    return _move(Target(arguments[0]), json.loads(arguments[1]), "old", "new")


def swap_back(arguments: list[bytes]) -> dict[str, Any]:
    """Make the old database live; the copy gets its name back, closed to connections."""
    return _move(Target(arguments[0]), json.loads(arguments[1]), "new", "old")


def live_is(arguments: list[bytes]) -> dict[str, Any]:
    """Return which of the receipt's databases is live."""
    target, receipt = Target(arguments[0]), json.loads(arguments[1])
    with Session(target, MAINTENANCE) as session:
        _require_server(session, receipt)
        return {"live": _live(session, receipt)}


def _move(target: Target, receipt: dict[str, Any], leaving: str, coming: str) -> dict[str, Any]:
    live, copy = receipt["live"], receipt["copy"]
    with Session(target, MAINTENANCE) as session:
        _require_server(session, receipt)
        if _live(session, receipt) == coming:
            return {"live": coming, "moved": False}
        _require_in_place(session, receipt, leaving, coming)
        for name in (live, copy):
            _refuse_users(session, name)
            _refuse_ties(session, name)
        statements = ["BEGIN"]
        if receipt[leaving]["exists"]:
            statements.append(f"ALTER DATABASE {quoted(live)} RENAME TO {quoted(copy + MIDDLE)}")
        if receipt[coming]["exists"]:
            opened = "true" if receipt[coming]["open"] else "false"
            statements.append(f"ALTER DATABASE {quoted(copy)} RENAME TO {quoted(live)}")
            statements.append(f"ALTER DATABASE {quoted(live)} ALLOW_CONNECTIONS {opened}")
        if receipt[leaving]["exists"]:
            statements.append(f"ALTER DATABASE {quoted(copy + MIDDLE)} RENAME TO {quoted(copy)}")
            statements.append(f"ALTER DATABASE {quoted(copy)} ALLOW_CONNECTIONS false")
        session.run(";\n".join(statements))
        if _live(session, receipt) != coming:
            raise _unknown(receipt)
        session.run("COMMIT")
    return {"live": coming, "moved": True}


def _live(session: Session, receipt: dict[str, Any]) -> str:
    found = _look(session, receipt["live"])
    for which in ("old", "new"):
        there = receipt[which]
        if (found is None and not there["exists"]) or (found and there["exists"] and found["oid"] == there["oid"]):
            return which
    return "unknown"


def _require_in_place(session: Session, receipt: dict[str, Any], leaving: str, coming: str) -> None:
    beside = _look(session, receipt["copy"])
    there = receipt[coming]
    in_place = beside["oid"] == there["oid"] if beside and there["exists"] else beside is None and not there["exists"]
    if _live(session, receipt) != leaving or not in_place:
        raise _unknown(receipt)


def _look(session: Session, name: str) -> dict[str, Any] | None:
    found = session.run(
        "SELECT jsonb_build_object('oid', oid::int8, 'open', datallowconn) FROM pg_database"
        f" WHERE datname = {literal(name)}"
    )
    return dict(found[0]) if found else None


def _require_server(session: Session, receipt: dict[str, Any]) -> None:
    system = session.one("SELECT to_jsonb(system_identifier::text) FROM pg_control_system()")
    if system != receipt["system"]:
        raise _failed(
            f"the server of {receipt['live']} is not the one of the receipt",
            "nothing was moved",
            "find out which server answers under this address before anything else",
        )


def _refuse_users(session: Session, name: str) -> None:
    users = session.run(USERS.format(literal(name)))
    if users:
        raise ProgramError(
            "SourceBusyError",
            f"the database {name} is still used by {told(users)}",
            "nothing was moved",
            "stop these programs, then continue",
        )


def told(users: list[dict[str, Any]]) -> str:
    """Return sessions as people are told of them."""
    return ", ".join(f"{each['name']} ({each['user']} from {each['address']}, pid {each['pid']})" for each in users)


def _refuse_ties(session: Session, name: str) -> None:
    found = session.run(TIES.format(literal(name)))
    if found:
        raise _failed(_tie(", ".join(found), name), "nothing was moved", "drop it, or end it, and start again")


def _tie(what: str, name: str) -> str:
    return f"{what} belongs to the database {name} and would not go with its name"


def _unknown(receipt: dict[str, Any]) -> ProgramError:
    return _failed(
        f"{receipt['live']} and {receipt['copy']} are not the databases of the receipt",
        "nothing was moved",
        "somebody replaced one of them; look at both before anything else",
    )


def _failed(message: str, state: str, hint: str = "") -> ProgramError:
    return ProgramError("SwapError", message, state, hint)
