"""Shipped program: a database on a server that proofs share, told from everybody else's by a mark of its own.

Standard library only, Python 3.9 or newer.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import os
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import Session, Target, in_database, literal, quoted
from .program_mariadb_control import begin, read, write
from .program_mariadb_globals import granted, pattern_of
from .program_mariadb_structure import dressed

# The database's comment until the mark in the database itself stands: it is made by the same statement.
MARK = "pulih, proof "
RIGHTS = ("tables_priv", "columns_priv", "procs_priv")


def claim(session: Session, database: str, proof: str, made: dict[str, str]) -> None:
    """Make the database of a proof, which must not be there yet. Raises ProgramError."""
    if _comment(session, database) is not None:
        raise _taken(session, f"holds a database {database} already", "drop it there")
    if granted(session, database):
        raise _taken(session, f"has rights on a database {database}, which is not there", "revoke them there")
    session.run(dressed(database, {**made, "comment": MARK + proof}, "CREATE"))
    begin(session, database)
    write(session, database, {"proof": proof})
    session.run(dressed(database, made, "ALTER"))


def release(arguments: list[bytes]) -> dict[str, Any]:
    """Drop DATABASE and the rights on it if it belongs to the proof LABEL; anybody else's stays."""
    target, database, proof = Target(arguments[0]), os.fsdecode(arguments[1]), os.fsdecode(arguments[2])
    with Session(target, changing=True) as session:
        if _proof_of(session, database) == proof:
            # Rights stay when a database goes, and the next copy must not have them.
            names = f"{literal(database)}, {literal(pattern_of(database))}"
            session.run(f"DELETE FROM mysql.db WHERE BINARY Db IN ({names})")
            for table in RIGHTS:
                session.run(f"DELETE FROM mysql.{table} WHERE BINARY Db = {literal(database)}")
            session.run("FLUSH PRIVILEGES")
            session.run(f"DROP DATABASE {quoted(database)}")
    return {}


def proofs(arguments: list[bytes]) -> dict[str, Any]:
    """Return the label of the proof to which DATABASE belongs, if it does."""
    target, database = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target) as session:
        found = _proof_of(session, database)
        return {"labels": [found] if found else []}


def _proof_of(session: Session, database: str) -> str:
    known = read(session, database) or {}
    if "proof" in known:
        return str(known["proof"])
    comment = _comment(session, database) or ""
    return comment[len(MARK) :] if comment.startswith(MARK) else ""


def _comment(session: Session, database: str) -> str | None:
    found = session.run(
        f"SELECT SCHEMA_COMMENT FROM information_schema.SCHEMATA WHERE {in_database('SCHEMA_NAME', database)}"
    )
    return found[0][0] if found else None


def _taken(session: Session, how: str, hint: str) -> ProgramError:
    return ProgramError(
        "ConflictError",
        f"the scratch server {session.target.place()} {how}",
        "it was not changed",
        f"{hint} if nobody needs it, or name another server (scratch_server)",
    )
