"""Shipped program: look at, measure and check MariaDB databases. Standard library only, Python 3.9 or newer."""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import PASSWORD_FILE, Session, Target, as_option_file, client, in_database, quoted
from .program_mariadb_client import server_version as require_server
from .program_mariadb_content import fingerprint
from .program_mariadb_control import held_back, read
from .program_mariadb_dump import dump, refuse_nontransactional
from .program_mariadb_load import abandon, discard, keep, list_copies, load
from .program_mariadb_scratch import serve
from .program_mariadb_structure import VERSIONED, database_made, is_broken, tables
from .program_mariadb_swap import identity, live_is, prepare, quiet, swap, swap_back
from .program_server import begin, end, free_bytes

PRIVATE = "pulih-mariadb-"
# The history of system-versioned tables can be dumped from this version on.
HISTORY = (10, 11)
# Tables of the server that hold what belongs to a database, and are read one by one with these rights.
SERVER_TABLES = ("proc", "db", "tables_priv", "columns_priv", "procs_priv")
ON_DATABASE = ("SELECT", "SHOW VIEW", "TRIGGER", "EVENT")
_GRANT = re.compile(r"^GRANT (.*?) ON (?:(\*)|`((?:[^`]|``)*)`)\.(?:(\*)|`((?:[^`]|``)*)`) TO ")


def _preflight(arguments: list[bytes]) -> dict[str, Any]:
    target = Target(arguments[0])
    with Session(target) as session:
        version = require_server(session)
        client("mariadb", version)
        client("mariadb-dump", version)
        _require_rights(session, target)
        database_made(session, target.database)
        found = tables(session, target.database)
        waiting = len(session.run("XA RECOVER"))
    refuse_nontransactional(target, found)
    _refuse_what_cannot_come_back(target, found, version)
    if waiting:
        return {"warnings": [f"{waiting} prepared transactions wait: what they changed is not in the backup"]}
    return {"warnings": []}


def _refuse_what_cannot_come_back(target: Target, found: list[dict[str, Any]], version: str) -> None:
    broken = [table["name"] for table in found if is_broken(table)]
    if broken:
        raise ProgramError(
            "SourceError",
            f"views of the database {target.database} refer to what is not there: {', '.join(broken[:5])}",
            "nothing was touched",
            "mend them or drop them: they could not be made again",
        )
    versioned = [table["name"] for table in found if table["type"] == VERSIONED]
    if versioned and tuple(int(number) for number in version.split(".")[:2]) < HISTORY:
        raise ProgramError(
            "SourceError",
            f"the history of {', '.join(versioned[:5])} cannot be dumped from a server of version {version}",
            "nothing was touched",
            "upgrade the server to 10.11 or newer",
        )


def _require_rights(session: Session, target: Target) -> None:
    """Raise ProgramError naming the first missing grant: what an account may not see is left out without a word."""
    everywhere, here, single = _rights(session, target.database)
    user = target.user or session.one("SELECT CURRENT_USER()")
    on_database = [*ON_DATABASE, *(["LOCK TABLES"] if target.lock_nontransactional else [])]
    missing = []
    if "RELOAD" not in everywhere:
        missing.append("GRANT RELOAD ON *.*")
    lacking = [right for right in on_database if right not in everywhere | here]
    if lacking:
        missing.append(f"GRANT {', '.join(lacking)} ON {quoted(target.database)}.*")
    if "SELECT" not in everywhere:
        missing += [f"GRANT SELECT ON mysql.{name}" for name in SERVER_TABLES if f"mysql.{name}" not in single]
    if missing:
        raise ProgramError(
            "SourceError",
            f"the account {user} may not read all of the database {target.database}",
            "nothing was touched",
            "; ".join(f"{grant} TO {user}" for grant in missing),
        )


def _rights(session: Session, database: str) -> tuple[set[str], set[str], set[str]]:
    """Return the rights of the account everywhere and on the database, and the tables of the server it may read."""
    everywhere: set[str] = set()
    here: set[str] = set()
    single: set[str] = set()
    for (line,) in session.run("SHOW GRANTS"):
        match = _GRANT.match(line)
        if match is None:
            continue
        words, all_databases, name, all_tables, table = match.groups()
        rights = {word.strip() for word in words.split(",")}
        if "ALL PRIVILEGES" in rights:
            rights |= {"RELOAD", "LOCK TABLES", *ON_DATABASE}
        if all_databases:
            everywhere |= rights
        elif all_tables and _matches(name, database):
            here |= rights
        elif all_tables and name == "mysql" and "SELECT" in rights:
            single |= {f"mysql.{each}" for each in SERVER_TABLES}
        elif table and "SELECT" in rights:
            single.add(f"{name}.{table}")
    return everywhere, here, single


def _matches(pattern: str, database: str) -> bool:
    """Say whether a right on databases, whose name is a pattern, is one on this database."""
    parts = re.findall(r"\\.|.", pattern.replace("``", "`"), re.DOTALL)
    words = {"%": ".*", "_": "."}
    expression = "".join(
        re.escape(part[-1]) if part.startswith("\\") else words.get(part, re.escape(part)) for part in parts
    )
    return re.fullmatch(expression, database, re.DOTALL) is not None


def _fingerprint(arguments: list[bytes]) -> dict[str, Any]:
    target, database = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, database) as session:
        held = held_back(read(session, database))
        session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        return fingerprint(session, database, held=held)


def _check(arguments: list[bytes]) -> dict[str, Any]:
    """Let the server look through every table and index of DATABASE."""
    target, database = Target(arguments[0]), os.fsdecode(arguments[1])
    findings = []
    with Session(target, database) as session:
        for table in tables(session, database):
            if table["type"] not in ("BASE TABLE", VERSIONED):
                continue
            for _name, _verb, kind, said in session.run(f"CHECK TABLE {quoted(table['name'])}"):
                if not (kind == "status" and said == "OK") and kind != "note":
                    findings.append(f"{table['name']}: {said}")
    return {"findings": findings}


def _identify(arguments: list[bytes]) -> dict[str, Any]:
    with Session(Target(arguments[0])) as session:
        return {"system": identity(session)}


def _size(arguments: list[bytes]) -> dict[str, Any]:
    target = Target(arguments[0])
    with Session(target) as session:
        size = session.one(
            "SELECT COALESCE(SUM(COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0)), 0)"
            f" FROM information_schema.TABLES WHERE {in_database('TABLE_SCHEMA', target.database)}"
        )
        return {"size": int(size)}


def _space(arguments: list[bytes]) -> dict[str, Any]:
    target = Target(arguments[0])
    with Session(target) as session:
        free = free_bytes(session.one("SELECT @@datadir").rstrip("/"))
    if free is not None:
        return {"free": free}
    raise ProgramError(
        "SourceError",
        f"the free space of the server of {target.database} cannot be measured",
        "nothing was touched",
        "the server's data must lie on this host",
    )


VERBS: dict[str, Callable[[list[bytes]], dict[str, Any]]] = {
    "begin": lambda _arguments: begin(PRIVATE, PASSWORD_FILE, as_option_file),  # stdin
    "end": lambda arguments: end(PRIVATE, arguments),  # DIRECTORY
    "preflight": _preflight,  # TARGET
    "dump": dump,  # TARGET
    "fingerprint": _fingerprint,  # TARGET DATABASE
    "check": _check,  # TARGET DATABASE
    "identify": _identify,  # TARGET
    "size": _size,  # TARGET
    "space": _space,  # TARGET
    "load": load,  # TARGET COPY
    "keep": keep,  # TARGET COPY
    "abandon": abandon,  # TARGET COPY
    "discard": discard,  # TARGET COPY
    "copies": list_copies,  # TARGET PREFIX
    "quiet": quiet,  # TARGET
    "prepare": prepare,  # TARGET COPY
    "swap": swap,  # TARGET RECEIPT
    "swap_back": swap_back,  # TARGET RECEIPT
    "live_is": live_is,  # TARGET RECEIPT
    "serve": serve,  # DIRECTORY VERSION
}
STREAMING = ("dump", "load", "serve")
