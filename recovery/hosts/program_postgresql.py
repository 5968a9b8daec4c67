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
from .program_postgresql_client import MAINTENANCE, OLDEST_SERVER, Session, Target, client, explained, literal
from .program_postgresql_content import fingerprint, positions, server_globals
from .program_postgresql_load import abandon, discard, keep, list_copies, load
from .program_postgresql_scratch import serve
from .program_postgresql_swap import live_is, prepare, quiet, swap, swap_back
from .program_server import begin, end, free_bytes

PRIVATE = "pulih-postgresql-"

# The whole data is read or written by whoever may do all of this.
MISSING_RIGHTS = """
SELECT jsonb_build_object(
    'user', current_user,
    'all powerful', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
    'schemas', (SELECT coalesce(jsonb_agg(nspname ORDER BY nspname), '[]') FROM pg_namespace n
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT has_schema_privilege(n.oid, 'USAGE')),
    'tables', (SELECT coalesce(jsonb_agg(format('%I.%I', n.nspname, c.relname) ORDER BY n.nspname, c.relname), '[]')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
        AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(c.oid, 'SELECT')
                 WHEN c.relkind IN ('r', 'p') THEN NOT has_table_privilege(c.oid, 'SELECT') ELSE false END),
    'hidden', (SELECT coalesce(jsonb_agg(c.oid::regclass::text ORDER BY c.relname), '[]') FROM pg_class c
        WHERE c.relrowsecurity AND row_security_active(c.oid)),
    'large objects', (SELECT count(*) FROM pg_largeobject_metadata m
        WHERE NOT pg_has_role(m.lomowner, 'USAGE') AND NOT current_setting('lo_compat_privileges')::bool
        AND NOT EXISTS (SELECT 1 FROM aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'
            AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))),
    'mappings', (SELECT count(*) FROM pg_user_mappings),
    'prepared', (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()),
    'extensions', (SELECT coalesce(jsonb_agg(format('%s is at version %s, and a restore installs %s', e.extname,
            e.extversion, a.default_version) ORDER BY e.extname), '[]') FROM pg_extension e
        JOIN pg_available_extensions a ON a.name = e.extname WHERE a.default_version <> e.extversion),
    'invalid', (SELECT coalesce(jsonb_agg(i.indexrelid::regclass::text ORDER BY c.relname), '[]') FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid AND c.relkind = 'i'))
"""


def _begin(_arguments: list[bytes]) -> dict[str, Any]:
    return begin(PRIVATE, "pgpass", _as_pass_file)


def _end(arguments: list[bytes]) -> dict[str, Any]:
    return end(PRIVATE, arguments)


def _as_pass_file(password: str) -> str:
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:*:{escaped}\n"


def _preflight(arguments: list[bytes]) -> dict[str, Any]:
    target = Target(arguments[0])
    with Session(target, target.database) as session:
        version = int(session.one("SELECT current_setting('server_version_num')::int"))
        if version // 10000 < OLDEST_SERVER:
            raise ProgramError(
                "SourceError",
                f"the server of {target.database} is of version {version // 10000}",
                "nothing was touched",
                f"only PostgreSQL {OLDEST_SERVER} and newer are backed up; upgrade the server",
            )
        client("pg_dump", version)
        # Rows that a policy hides would be left out without a word; asked as if policies held.
        session.run("SET row_security = on")
        found = session.one(MISSING_RIGHTS)
    _require_rights(target, found)
    warnings = [*found["extensions"]]
    warnings += [f"the index {name} is not valid, so that no backup holds it" for name in found["invalid"]]
    if found["prepared"]:
        warnings.append(f"{found['prepared']} prepared transactions wait: what they changed is not in the backup")
    return {"warnings": warnings}


def _require_rights(target: Target, found: dict[str, Any]) -> None:
    role = found["user"]
    if found["all powerful"]:
        return
    for missing, what, hint in (
        ([*found["schemas"], *found["tables"]], "read", f"GRANT pg_read_all_data TO {role}"),
        (found["hidden"], "see all rows of", f"ALTER ROLE {role} BYPASSRLS"),
        (
            [f"{found['large objects']} large objects"] if found["large objects"] else [],
            "read",
            f"GRANT SELECT ON LARGE OBJECT … TO {role}, or ALTER ROLE {role} SUPERUSER",
        ),
        (
            [f"the options of {found['mappings']} user mappings"] if found["mappings"] else [],
            "read",
            f"only a superuser may: ALTER ROLE {role} SUPERUSER",
        ),
    ):
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise ProgramError(
                "SourceError",
                f"the role {role} may not {what} {', '.join(missing[:5])}{more} in the database {target.database}",
                "nothing was touched",
                hint,
            )


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
        argv = [path, "--format=custom", "--compress=0", f"--snapshot={exported}", wait, "--no-password"]
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


def _fingerprint(arguments: list[bytes]) -> dict[str, Any]:
    target, database = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, database) as session:
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return fingerprint(session)


def _identify(arguments: list[bytes]) -> dict[str, Any]:
    target = Target(arguments[0])
    with Session(target, MAINTENANCE) as session:
        # As text: JSON numbers of other programs are not that long.
        return {"system": session.one("SELECT to_jsonb(system_identifier::text) FROM pg_control_system()")}


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
    "preflight": _preflight,  # TARGET
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
    "prepare": prepare,  # TARGET COPY
    "swap": swap,  # TARGET RECEIPT
    "swap_back": swap_back,  # TARGET RECEIPT
    "live_is": live_is,  # TARGET RECEIPT
    "serve": serve,  # DIRECTORY FIRST_ROLE VERSION
}
STREAMING = ("dump", "load", "serve")
