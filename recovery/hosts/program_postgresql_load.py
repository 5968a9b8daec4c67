"""Shipped program: make a copy of a PostgreSQL database out of a dump. Standard library only, Python 3.9 or newer."""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from .program_error import ProgramError
from .program_postgresql_client import MAINTENANCE, Session, Target, client, explained, literal, quoted
from .program_postgresql_globals import assigned, require_given

# A copy has this at the end of its name until it is complete, so that a half one is never taken for a whole one.
PART = "~"
TEMPLATE = "template0"
# From version 15 on a database has a provider of its locale: the system's library, ICU, or (from 17 on) the server.
PROVIDERS = 15
PROVIDER_NAMES = {"c": "libc", "i": "icu", "b": "builtin"}
LONGEST_NAME = 63
# Building indexes takes most of the time. In kB, for the one session that loads.
WORK_MEMORY_KB = 256 * 1024


def load(arguments: list[bytes]) -> dict[str, Any]:
    """Make the database COPY~ out of the archive on stdin: owner, encoding, rights and settings as in the backup."""
    target, copy = Target(arguments[0]), os.fsdecode(arguments[1])
    if len((copy + PART).encode()) > LONGEST_NAME:
        raise ProgramError(
            "ConfigurationError",
            f"the name of the copy {copy} is longer than PostgreSQL allows ({LONGEST_NAME} bytes)",
            "nothing was touched",
            "rename the database to at most 42 bytes",
        )
    with open(os.path.join(target.private, "request"), encoding="utf-8") as file:
        request = json.load(file)
    needed, scratch = request["globals"], request["scratch"]
    database, part = needed["database"], copy + PART
    with Session(target, MAINTENANCE) as session:
        version = int(session.one("SELECT current_setting('server_version_num')::int"))
        _require_version(needed["server version"], version)
        path, tool_version = client("pg_restore", version)
        if "text" in request:
            # The very text with which somebody restores who has no other program.
            session.run(request["text"])
            require_given(session, needed)
        elif scratch:
            for statement in needed["statements"]:
                session.run(statement)
        _require_roles(session, needed["roles"])
        if session.run(f"SELECT to_jsonb(oid::text) FROM pg_database WHERE datname = {literal(copy)}"):
            raise ProgramError(
                "ConflictError",
                f"the copy {copy} exists already",
                "it was not changed",
                "a restore left it or is at work: `pulih show` says which; once that is closed, drop it by hand",
            )
        session.run(_drop(part))
        # The room was measured where the live database lies; and there it stays, when the copy has its name.
        tablespace = "" if scratch else _tablespace(session, target.database)
        session.run(create(part, database, version, tablespace))
    with Session(target, part) as session:
        if not needed["has public"]:
            session.run("DROP SCHEMA public")
    _fill(target, path, part, scratch)
    with Session(target, part) as session:
        if not scratch:
            # A copy that goes live without statistics would be slow until they are made.
            session.run("ANALYZE")
        for statement in _dress(part, database):
            session.run(statement)
    return {"tools": {"pg_restore": tool_version}}


def keep(arguments: list[bytes]) -> dict[str, Any]:
    """Give a completely loaded copy its name."""
    target, copy = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, MAINTENANCE) as session:
        session.run(f"ALTER DATABASE {quoted(copy + PART)} RENAME TO {quoted(copy)}")
    return {}


def discard(arguments: list[bytes]) -> dict[str, Any]:
    """Drop a copy, complete or not."""
    target, copy = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, MAINTENANCE) as session:
        for name in (copy, copy + PART):
            session.run(_drop(name))
    return {}


def abandon(arguments: list[bytes]) -> dict[str, Any]:
    """Drop what a load left that did not come to its end; a complete copy stays."""
    target, copy = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, MAINTENANCE) as session:
        session.run(_drop(copy + PART))
    return {}


def list_copies(arguments: list[bytes]) -> dict[str, Any]:
    """List databases whose names begin with PREFIX."""
    target, prefix = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, MAINTENANCE) as session:
        query = f"SELECT to_jsonb(datname) FROM pg_database WHERE starts_with(datname, {literal(prefix)})"
        return {"names": sorted(session.run(query))}


def _drop(name: str) -> str:
    # By force: the server may not have noticed yet that the loading program is gone.
    return f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)"


def _require_version(made_by: int, version: int) -> None:
    """Definitions are compared in the words of the server, which change from one major version to the next."""
    if made_by // 10000 != version // 10000:
        raise ProgramError(
            "SourceError",
            f"the backup is of PostgreSQL {made_by // 10000} and the server of version {version // 10000}, so that no"
            " copy there could be proven equal",
            "nothing was loaded",
            f"restore on a server of version {made_by // 10000} and upgrade that, or by hand (RESTORE.md in the store)",
        )


def _require_roles(session: Session, roles: list[str]) -> None:
    there = set(session.run("SELECT to_jsonb(rolname) FROM pg_roles"))
    missing = sorted(set(roles) - there)
    if missing:
        raise ProgramError(
            "SourceError",
            f"the server lacks roles that the backup needs: {', '.join(missing)}",
            "nothing was changed",
            "create them (the backup's globals.sql has the statements), and try again",
        )


def _tablespace(session: Session, live: str) -> str:
    """Return the tablespace of the live database; empty where a new database lies there by itself.

    Naming the one of the template would ask for a right on it that making a database there does not need.
    """
    found = session.run(
        "SELECT to_jsonb(s.spcname) FROM pg_database d JOIN pg_tablespace s ON s.oid = d.dattablespace"
        f" JOIN pg_database t ON t.datname = {literal(TEMPLATE)} AND t.dattablespace <> d.dattablespace"
        f" WHERE d.datname = {literal(live)}"
    )
    return str(found[0]) if found else ""


def create(part: str, database: dict[str, Any], version: int, tablespace: str = "") -> str:
    """Given how a database was made and the server's version number, return the statement that makes its copy."""
    words = [
        f"CREATE DATABASE {quoted(part)} TEMPLATE {TEMPLATE} OWNER {quoted(database['owner'])}",
        f"ENCODING {literal(database['encoding'])}",
        f"LC_COLLATE {literal(database['collate'])} LC_CTYPE {literal(database['ctype'])}",
    ]
    # Said always, where it can be said: the template may have another one.
    if version // 10000 >= PROVIDERS:
        words.append(f"LOCALE_PROVIDER {PROVIDER_NAMES[database['provider']]}")
    if database["provider"] == "i":
        words.append(f"ICU_LOCALE {literal(database['locale'])}")
        if "icu rules" in database:
            words.append(f"ICU_RULES {literal(database['icu rules'])}")
    if database["provider"] == "b":
        words.append(f"BUILTIN_LOCALE {literal(database['locale'])}")
    if tablespace:
        words.append(f"TABLESPACE {quoted(tablespace)}")
    return " ".join(words)


def _fill(target: Target, path: str, part: str, scratch: bool) -> None:
    argv = [path, "--exit-on-error", "--no-password", "--dbname", f"dbname={_in_conninfo(part)}"]
    if scratch:
        # A proof needs the same content, not the same disks.
        argv.append("--no-tablespaces")
    environment = target.environment(part)
    environment["PGOPTIONS"] += f" -c maintenance_work_mem={WORK_MEMORY_KB} -c synchronous_commit=off"
    with tempfile.TemporaryFile() as complaints:
        done = subprocess.run(argv, stdin=sys.stdin.buffer, stdout=complaints, stderr=complaints, env=environment)
        complaints.seek(0)
        said = complaints.read().decode(errors="replace")
    if done.returncode != 0 or "error" in said.lower():
        error = explained(said, target, part)
        if error.report["error"] == "SourceError" and _is_bad_archive(said):
            error.report["error"] = "SourceCorruptError"
        raise error


def _is_bad_archive(said: str) -> bool:
    signs = (
        "could not read from input file",
        "input file does not appear",
        "input file is too short",
        "did not find magic",
    )
    return any(sign in said for sign in signs)


def _in_conninfo(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _dress(part: str, database: dict[str, Any]) -> list[str]:
    """Return what gives the copy the rights, settings and comment that the database had."""
    name = quoted(part)
    statements = [f"REVOKE ALL ON DATABASE {name} FROM PUBLIC, {quoted(database['owner'])}"]
    for right in database["rights"]:
        grantee, privilege, grantable = _parsed(right, database["owner"])
        statements.append(f"GRANT {privilege} ON DATABASE {name} TO {grantee}{grantable}")
    if database["connection limit"] != -1:
        statements.append(f"ALTER DATABASE {name} CONNECTION LIMIT {int(database['connection limit'])}")
    if database["comment"] is not None:
        statements.append(f"COMMENT ON DATABASE {name} IS {literal(database['comment'])}")
    for role, settings in database["settings"].items():
        who = f"ALTER ROLE {quoted(role)} IN DATABASE {name}" if role else f"ALTER DATABASE {name}"
        statements += [f"{who} {assigned(setting)}" for setting in settings]
    return statements


def _parsed(right: str, owner: str) -> tuple[str, str, str]:
    """Take a right apart: "GRANTEE PRIVILEGE [grantable] by GRANTOR", where names may hold blanks."""
    for privilege in ("CREATE", "CONNECT", "TEMPORARY"):
        for words, option in ((f" {privilege} grantable by ", " WITH GRANT OPTION"), (f" {privilege} by ", "")):
            grantee, found, _grantor = right.partition(words)
            if found:
                names = {"*owner*": quoted(owner), "public": "PUBLIC"}
                return names.get(grantee, quoted(grantee)), privilege, option
    raise ProgramError(
        "SetError",
        "the rights of the database are none that this release wrote",
        "nothing was kept",
        "restore with the release that the manifest names",
    )
