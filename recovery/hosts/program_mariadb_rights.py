"""Shipped program: whether a MariaDB database can be backed up and restored, and which rights are missing.

Standard library only, Python 3.9 or newer.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import re
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import Session, Target, client, in_database, quoted, server_version
from .program_mariadb_dump import refuse_nontransactional
from .program_mariadb_globals import granted_by_pattern, granted_on_routines, pattern_matches
from .program_mariadb_structure import VERSIONED, database_made, is_broken, tables

# The history of system-versioned tables can be dumped from this version on.
HISTORY = (10, 11)
# Tables of the server that hold what belongs to a database, and are read one by one with these rights.
SERVER_TABLES = ("proc", "db", "tables_priv", "columns_priv", "procs_priv")
ON_DATABASE = ("SELECT", "SHOW VIEW", "TRIGGER", "EVENT")
# What making, filling and moving a copy takes, on the database and on what stands beside it.
TO_RESTORE = (
    *ON_DATABASE,
    *("INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "CREATE VIEW"),
    *("CREATE ROUTINE", "ALTER ROUTINE"),
)
OPTION = "GRANT OPTION"
_GRANT = re.compile(r"^GRANT (.*?) ON (?:(\*)|`((?:[^`]|``)*)`)\.(?:(\*)|`((?:[^`]|``)*)`) TO ")


def preflight(arguments: list[bytes]) -> dict[str, Any]:
    """Return warnings; raises ProgramError naming what keeps a backup from being whole."""
    target = Target(arguments[0])
    with Session(target) as session:
        version = server_version(session)
        client("mariadb", version)
        client("mariadb-dump", version)
        _require_rights(session, target)
        database_made(session, target.database)
        found = tables(session, target.database)
        by_transaction = _by_transaction(session, target.database)
        waiting = len(session.run("XA RECOVER"))
        patterns = granted_by_pattern(session, target.database)
    refuse_nontransactional(target, found)
    _refuse_what_cannot_come_back(target, found, by_transaction, version)
    warnings = [f"given by a pattern of names, so that no restore gives it: {statement}" for statement in patterns]
    if waiting:
        warnings.append(f"{waiting} prepared transactions wait: what they changed is not in the backup")
    return {"warnings": warnings}


def _by_transaction(session: Session, database: str) -> list[str]:
    """Return the tables whose history is one of transactions, which no dump holds, and not of times."""
    found = session.run(
        f"SELECT TABLE_NAME FROM information_schema.COLUMNS WHERE {in_database('TABLE_SCHEMA', database)}"
        " AND GENERATION_EXPRESSION = 'ROW START' AND DATA_TYPE = 'bigint' ORDER BY TABLE_NAME"
    )
    return [name for (name,) in found]


def _refuse_what_cannot_come_back(
    target: Target, found: list[dict[str, Any]], by_transaction: list[str], version: str
) -> None:
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
    if by_transaction:
        raise ProgramError(
            "SourceError",
            f"the history of {', '.join(by_transaction[:5])} is one of transactions, which cannot be dumped",
            "nothing was touched",
            "drop the versioning of these tables, or make ROW START and ROW END columns of type TIMESTAMP(6)",
        )


def _require_rights(session: Session, target: Target) -> None:
    """Raise ProgramError naming the first missing grant: what an account may not see is left out without a word."""
    everywhere, here, single = granted_here(session, target.database)
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


def restorable(arguments: list[bytes]) -> dict[str, Any]:
    """Return as warnings what the account that connects may not do and a restore would need; a backup needs none."""
    target = Target(arguments[0])
    copies = f"{target.database}.pulih-"
    with Session(target) as session:
        rights = granted_here(session, target.database)
        user = target.user or session.one("SELECT CURRENT_USER()")
        unkept = _unkept(session, target.database, user, rights)
        _everywhere, beside, _single = granted_here(session, f"{copies}x")
        everywhere, here, single = rights
        refused = "" if "SUPER" in everywhere else _refused_by_binlog(session, target.database)
    needed = ("PROCESS", "SET USER", *(() if target.write_binlog else ("BINLOG ADMIN",)))
    missing = [f"GRANT {right} ON *.*" for right in needed if not everywhere & {right, "SUPER"}]
    for there, name in ((here, quoted(target.database)), (beside, quoted(f"{copies}%"))):
        if any(right not in everywhere | there for right in TO_RESTORE):
            missing.append(f"GRANT ALL ON {name}.*")
    if "SELECT" not in everywhere:
        columns = {"mysql.proc": "SELECT", "mysql.db": "SELECT", "mysql.user": "SELECT (User, Host)"}
        missing += [f"GRANT {right} ON {table}" for table, right in columns.items() if table not in single]
    warnings = [f"the account {user} could not restore: {grant} TO {user}" for grant in missing]
    if unkept:
        warnings.append(f"the account {user} could not give rights on single routines again: {unkept}")
    if refused:
        how = f"SET GLOBAL log_bin_trust_function_creators = 1, or GRANT SUPER ON *.* TO {user}"
        warnings.append(f"the account {user} could not restore {refused}, as the server writes a binary log: {how}")
    return {"warnings": warnings}


def _unkept(session: Session, database: str, user: str, rights: tuple[set[str], set[str], set[str]]) -> str:
    """Return the grant that is missing to see, and to give again, the rights on a routine that a backup lacks."""
    everywhere, here, single = rights
    routines = f"SELECT 1 FROM information_schema.ROUTINES WHERE {in_database('ROUTINE_SCHEMA', database)}"
    if session.one(f"SELECT EXISTS ({routines})") != "1":
        return ""
    if "SELECT" not in everywhere and "mysql.procs_priv" not in single:
        return f"GRANT SELECT ON mysql.procs_priv TO {user}"
    if OPTION not in everywhere | here and granted_on_routines(session, database):
        return f"GRANT USAGE ON {quoted(database)}.* TO {user} WITH GRANT OPTION"
    return ""


def _refused_by_binlog(session: Session, database: str) -> str:
    """Return what of a database the server lets nobody make but who has SUPER; empty when there is no such thing."""
    if session.one("SELECT @@log_bin AND NOT @@log_bin_trust_function_creators") != "1":
        return ""
    for what, table, column, kind in (
        ("functions", "ROUTINES", "ROUTINE_SCHEMA", "ROUTINE_TYPE = 'FUNCTION'"),
        ("triggers", "TRIGGERS", "TRIGGER_SCHEMA", "TRUE"),
    ):
        found = f"SELECT 1 FROM information_schema.{table} WHERE {in_database(column, database)} AND {kind}"
        if session.one(f"SELECT EXISTS ({found})") == "1":
            return what
    return ""


def granted_here(session: Session, database: str) -> tuple[set[str], set[str], set[str]]:
    """Return the rights of the account everywhere and on the database, and the tables of the server it may read."""
    everywhere: set[str] = set()
    here: set[str] = set()
    single: set[str] = set()
    for (line,) in session.run("SHOW GRANTS"):
        match = _GRANT.match(line)
        if match is None:
            continue
        words, all_databases, name, all_tables, table = match.groups()
        rights = {word.strip() for word in words.split(",")} | ({OPTION} if line.endswith(OPTION) else set())
        if "ALL PRIVILEGES" in rights:
            rights |= {"RELOAD", "PROCESS", "SET USER", "SUPER", "BINLOG ADMIN", "LOCK TABLES", *TO_RESTORE}
        if all_databases:
            everywhere |= rights
        elif all_tables and pattern_matches(name.replace("``", "`"), database):
            here |= rights
        elif all_tables and name == "mysql" and "SELECT" in rights:
            single |= {f"mysql.{each}" for each in (*SERVER_TABLES, "user")}
        elif table and words.startswith("SELECT"):
            single.add(f"{name}.{table}")
    return everywhere, here, single
