"""Shipped program: look at, dump and load PostgreSQL databases. Standard library only, Python 3.9 or newer."""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from .program_error import ProgramError
from .program_postgresql_client import MAINTENANCE, Session, Target, client, explained, literal
from .program_postgresql_content import fingerprint, positions
from .program_postgresql_globals import server_globals
from .program_postgresql_load import abandon, discard, keep, list_copies, load
from .program_postgresql_rights import preflight, restorable
from .program_postgresql_scratch import serve
from .program_postgresql_swap import live_is, prepare, quiet, swap, swap_back, ties
from .program_server import begin, end, free_bytes, tell_count

PRIVATE = "pulih-postgresql-"

# What the server knows now beside what the snapshot shows: a table is found by its name, and its rows in its files.
REPLACED = """
SELECT to_jsonb(format('%I.%I', n.nspname, c.relname)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.oid >= 16384
AND (pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode
     OR c.oid::regclass::text <> format('%I.%I', n.nspname, c.relname))
ORDER BY 1
"""


def _begin(_arguments: list[bytes]) -> dict[str, Any]:
    return begin(PRIVATE, "pgpass", _as_pass_file)


def _end(arguments: list[bytes]) -> dict[str, Any]:
    return end(PRIVATE, arguments)


def _as_pass_file(password: str) -> str:
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:*:{escaped}\n"


def _dump(arguments: list[bytes]) -> dict[str, Any]:
    target = Target(arguments[0])
    with Session(target, target.database) as session:
        version = int(session.one("SELECT current_setting('server_version_num')::int"))
        path, tool_version = client("pg_dump", version)
        # Before the snapshot: sequences stand outside of it and go on, so the dump has at least these.
        at_least = positions(session)
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        exported = session.one("SELECT to_jsonb(pg_export_snapshot())")
        at = datetime.now(timezone.utc).isoformat(timespec="microseconds")  # noqa: UP017 - Python 3.9
        position = session.one(
            "SELECT to_jsonb(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
            " ELSE pg_current_wal_insert_lsn() END::text)"
        )
        wait = f"--lock-wait-timeout={round(target.lock_timeout * 1000)}"
        # No compression of its own: it is ten times slower than ours.
        argv = [path, "--format=custom", "--compress=0", "--no-subscriptions", f"--snapshot={exported}", wait]
        # As the bytes are: another encoding than the database's own may not have them all, or check what has none.
        argv += ["--no-password", f"--encoding={session.one('SELECT to_jsonb(getdatabaseencoding())')}"]
        with (
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(argv, stdout=1, stderr=complaints, env=target.environment(target.database)) as dump,
        ):
            try:
                content = fingerprint(session)
                dump.wait()
            finally:
                dump.kill()
            complaints.seek(0)
            said = complaints.read().decode(errors="replace")
        if dump.returncode != 0:
            raise explained(said, target, target.database)
        _require_same_tables(session, content["objects"])
        outside = server_globals(session)
        session.run("COMMIT")
        server = session.one("SELECT to_jsonb(current_setting('server_version'))")
    content["structure"]["at least"] = at_least
    return {
        "fingerprint": content,
        "globals": outside,
        "snapshot": {"at": at, "position": position},
        "tools": {"postgresql": server.partition(" ")[0], "pg_dump": tool_version},
        "warnings": [line for line in said.splitlines() if line.strip()],
    }


def _require_same_tables(session: Session, measured: dict[str, Any]) -> None:
    """Raise ProgramError when a measured table is not the one of the snapshot, or lies in other files.

    No snapshot keeps the rows of a table that was emptied, rewritten or exchanged before it was locked: archive and
    fingerprint would both hold it without them, and agree (PostgreSQL's manual, "Caveats" of concurrency control).
    Measuring has locked every table until its transaction ends, so what is the same now was the same all the time.
    VACUUM FULL and CLUSTER keep the rows and are refused with the rest: their new files look no different.
    """
    replaced = [name for name in session.run(REPLACED) if name in measured]
    if replaced:
        raise ProgramError(
            "SourceError",
            f"{', '.join(replaced[:5])} in the database {session.database} was emptied, rewritten or replaced while it"
            " was dumped",
            "the dump is worthless",
            "run it again, at a time when no job does so (TRUNCATE, ALTER TABLE, DROP TABLE, VACUUM FULL, CLUSTER)",
        )


def _fingerprint(arguments: list[bytes]) -> dict[str, Any]:
    target, database = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, database) as session:
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return fingerprint(session, tell_count)


def _identify(arguments: list[bytes]) -> dict[str, Any]:
    target = Target(arguments[0])
    with Session(target, MAINTENANCE) as session:
        # As text: JSON numbers of other programs are not that long.
        return {
            "system": session.one("SELECT to_jsonb(system_identifier::text) FROM pg_control_system()"),
            "series": [session.one("SELECT current_setting('server_version_num')::int / 10000")],
        }


def _size(arguments: list[bytes]) -> dict[str, Any]:
    target = Target(arguments[0])
    with Session(target, MAINTENANCE) as session:
        found = session.run(
            f"SELECT to_jsonb(pg_database_size(oid)) FROM pg_database WHERE datname = {literal(target.database)}"
        )
    return {"size": found[0] if found else 0}


def _space(arguments: list[bytes]) -> dict[str, Any]:
    target = Target(arguments[0])
    with Session(target, MAINTENANCE) as session:
        place = session.one(
            "SELECT to_jsonb(coalesce((SELECT nullif(pg_tablespace_location(dattablespace), '') FROM pg_database"
            f" WHERE datname = {literal(target.database)}), current_setting('data_directory', true)))"
        )
    free = free_bytes(place)
    if free is not None:
        return {"free": free}
    raise ProgramError(
        "SourceError",
        f"the free space of the server of {target.database} cannot be measured",
        "nothing was touched",
        "the server's data must lie on this host, and the restoring role needs pg_read_all_settings",
    )


VERBS: dict[str, Callable[[list[bytes]], dict[str, Any]]] = {
    "begin": _begin,  # stdin
    "end": _end,  # DIRECTORY
    "preflight": preflight,  # TARGET
    "restorable": restorable,  # TARGET
    "dump": _dump,  # TARGET
    "fingerprint": _fingerprint,  # TARGET DATABASE
    "identify": _identify,  # TARGET
    "size": _size,  # TARGET
    "space": _space,  # TARGET
    "load": load,  # TARGET COPY
    "keep": keep,  # TARGET COPY
    "abandon": abandon,  # TARGET COPY
    "discard": discard,  # TARGET COPY
    "copies": list_copies,  # TARGET PREFIX
    "quiet": quiet,  # TARGET
    "ties": ties,  # TARGET
    "prepare": prepare,  # TARGET COPY
    "swap": swap,  # TARGET RECEIPT
    "swap_back": swap_back,  # TARGET RECEIPT
    "live_is": live_is,  # TARGET RECEIPT
    "serve": serve,  # DIRECTORY FIRST_ROLE VERSION
}
STREAMING = ("dump", "fingerprint", "load", "serve")
