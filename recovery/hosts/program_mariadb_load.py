"""Shipped program: make a copy of a MariaDB database out of a dump. Standard library only, Python 3.9 or newer."""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import (
    NEVER_IDLE,
    QUIETLY,
    Session,
    Target,
    client,
    complaints,
    environment,
    in_database,
    literal,
    program,
    quoted,
    server_version,
)
from .program_mariadb_control import begin, read, write
from .program_mariadb_dump import END, PIECE, SANDBOX
from .program_mariadb_errors import explained
from .program_mariadb_globals import granted
from .program_mariadb_lent import claim
from .program_mariadb_making import drop, make, names_database, with_callers
from .program_mariadb_structure import dressed, listed, objects

# Beside a copy stands, while tables move, an empty database with this at the end of its name.
MIDDLE = "~"
LONGEST_NAME = 64
ZONES = "/usr/share/zoneinfo"
ZONE = re.compile(r"[\w+-]+(?:/[\w+-]+)*")
FIRST_LINES = (b"-- MariaDB dump ", b"/*!", b"/*M!")


def load(arguments: list[bytes]) -> dict[str, Any]:
    """Make the database COPY out of the dump on stdin: tables, rows, and all that is outside of them."""
    target, copy = Target(arguments[0]), os.fsdecode(arguments[1])
    with open(os.path.join(target.private, "request"), encoding="utf-8") as file:
        request = json.load(file)
    needed, scratch = request["globals"], request["scratch"]
    if len(copy + MIDDLE) > LONGEST_NAME:
        raise ProgramError(
            "ConfigurationError",
            f"the name of the copy {copy} is longer than MariaDB allows ({LONGEST_NAME} characters)",
            "nothing was touched",
            "rename the database to at most 42 characters",
        )
    with Session(target, changing=True) as session:
        path, tool = client("mariadb", server_version(session))
        if request.get("proof"):
            claim(session, copy, request["proof"], needed["database"])
        elif scratch:
            session.run(dressed(copy, needed["database"], "CREATE"))
        else:
            _require_accounts(session, needed["definers"])
            _require_new(session, copy)
            session.run(dressed(copy, needed["database"], "CREATE"))
            begin(session, copy)
    _fill(target, path, copy, _whole(_stdin()))
    if scratch:
        _add_zones(target, path, needed["objects"])
        # The very text with which somebody restores who has no other program.
        _fill(target, path, copy, [request["text"].encode("utf-8", "surrogateescape")])
        with Session(target) as session:
            _require_rights(session, copy, needed["grants"])
    else:
        with Session(target, copy, changing=True) as session:
            _make_objects(session, copy, needed["objects"])
            _refresh_statistics(session, copy)
    return {"tools": {"mariadb": tool}}


def _add_zones(target: Target, path: str, things: list[dict[str, Any]]) -> None:
    """Let a new server know the time zones in which events are written down."""
    for zone in sorted({str(thing["zone"]) for thing in things if "zone" in thing}):
        if zone == "SYSTEM" or zone.startswith(("+", "-")) or _knows(target, zone):
            continue
        file = pathlib.Path(ZONES, zone)
        if not ZONE.fullmatch(zone) or not file.is_file():
            raise ProgramError(
                "SourceError",
                f"an event is written down in the time zone {zone}, which is not known where backups are proven",
                "nothing was proven",
                "install Debian's packages tzdata and tzdata-legacy there",
            )
        argv = [program("mariadb-tzinfo-to-sql"), str(file), zone]
        made = subprocess.run(argv, stdout=subprocess.PIPE, check=True, env=environment()).stdout
        _fill(target, path, "mysql", [made])


def _knows(target: Target, zone: str) -> bool:
    with Session(target) as session:
        return session.one(f"SELECT CONVERT_TZ('2000-01-01', '+00:00', {literal(zone)}) IS NOT NULL") == "1"


def keep(arguments: list[bytes]) -> dict[str, Any]:
    """Mark a completely loaded copy as whole."""
    target, copy = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, changing=True) as session:
        if read(session, copy) is not None:
            write(session, copy, {"state": "whole"})
    return {}


def discard(arguments: list[bytes]) -> dict[str, Any]:
    """Drop a copy, complete or not."""
    target, copy = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, changing=True) as session:
        require_empty(session, copy + MIDDLE)
        for name in (copy + MIDDLE, copy):
            session.run(f"DROP DATABASE IF EXISTS {quoted(name)}")
    return {}


def abandon(arguments: list[bytes]) -> dict[str, Any]:
    """Drop what a load left that did not come to its end; a complete copy stays."""
    target, copy = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, changing=True) as session:
        if exists(session, copy) and is_half(session, copy):
            session.run(f"DROP DATABASE IF EXISTS {quoted(copy)}")
    return {}


def list_copies(arguments: list[bytes]) -> dict[str, Any]:
    """List databases whose names begin with PREFIX."""
    target, prefix = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target) as session:
        found = [row[0] for row in session.run("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA")]
        return {"names": sorted(name for name in found if name.startswith(prefix))}


def exists(session: Session, name: str) -> bool:
    """Say whether there is such a database."""
    return bool(session.run(f"SELECT 1 FROM information_schema.SCHEMATA WHERE {in_database('SCHEMA_NAME', name)}"))


def is_half(session: Session, copy: str) -> bool:
    """Say whether a copy was begun and never ended."""
    known = read(session, copy)
    return known.get("state") == "loading" if known else not listed(session, copy)


def require_empty(session: Session, name: str) -> None:
    """Raise ProgramError when a database through which tables only pass holds one."""
    if listed(session, name):
        raise ProgramError(
            "SwapError",
            f"the database {name} is not empty, as it must be between two swaps",
            "nothing was changed",
            "look at it before anything else: nothing of ours leaves tables there",
        )


def _require_new(session: Session, copy: str) -> None:
    if not exists(session, copy):
        return
    if not is_half(session, copy):
        raise ProgramError(
            "ConflictError",
            f"the copy {copy} exists already",
            "it was not changed",
            "a restore left it or is at work: `pulih show` says which; once that is closed, drop it by hand",
        )
    session.run(f"DROP DATABASE {quoted(copy)}")


def _require_accounts(session: Session, definers: list[str]) -> None:
    there = {
        f"{quoted(user)}@{quoted(host)}" if host else quoted(user)
        for user, host in session.run("SELECT User, Host FROM mysql.user")
    }
    missing = sorted(set(definers) - there)
    if missing:
        raise ProgramError(
            "SourceError",
            f"the server lacks accounts in whose name objects of the backup work: {', '.join(missing)}",
            "nothing was changed",
            "create them (the backup's globals.sql has the statements), and try again",
        )


def _require_rights(session: Session, database: str, grants: list[dict[str, str]]) -> None:
    there = {grant["statement"] for grant in granted(session, database)}
    wanted = {grant["statement"] for grant in grants}
    if there != wanted:
        raise ProgramError(
            "SourceCorruptError",
            f"the statements of the globals do not give the rights that the backup lists: {len(there ^ wanted)} differ",
            "nothing was kept",
            "back up again; if it stays so, compare the accounts in the backup's globals.sql with the server's",
        )


def _make_objects(session: Session, copy: str, things: list[dict[str, Any]]) -> None:
    """Make what is outside of tables. What names the live database waits until the copy is live, under that name.

    So does a view whose account has rights on the live database alone: of this one the server shows it otherwise.
    """
    waiting = with_callers(things, [thing for thing in things if names_database(thing, session.target.database)])
    statuses = {thing["name"]: thing["status"] for thing in things if thing["kind"] == "event"}
    write(session, copy, {"events": statuses, "waiting": waiting})
    make(session, copy, [thing for thing in things if thing not in waiting], live=False)
    shown = objects(session, copy, listed(session, copy))
    powerless = {thing["name"] for thing in shown if thing["kind"] == "view" and names_database(thing, copy)}
    if powerless:
        late = [thing for thing in things if thing["kind"] == "view" and thing["name"] in powerless]
        late = with_callers(things, [*waiting, *late])
        write(session, copy, {"waiting": late})
        for thing in late:
            if thing not in waiting:
                drop(session, thing)


def _refresh_statistics(session: Session, copy: str) -> None:
    # A copy that goes live without statistics would be slow until they are made.
    names = [quoted(table["name"]) for table in listed(session, copy) if table["type"] == "BASE TABLE"]
    if names:
        session.run(f"ANALYZE NO_WRITE_TO_BINLOG TABLE {', '.join(names)}")


def _fill(target: Target, path: str, copy: str, content: Iterable[bytes]) -> None:
    """Let the client run a text in a database. Without --force it ends at the first error."""
    argv = [path, *target.options(), *QUIETLY, "--max-allowed-packet=1G", f"--init-command={_settings(target)}"]
    with complaints() as said:
        filling = subprocess.Popen(
            [*argv, f"--database={copy}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=environment(),
        )
        assert filling.stdin is not None  # noqa: S101 - a pipe
        try:
            for chunk in content:
                filling.stdin.write(chunk)
            filling.stdin.close()
        except BrokenPipeError:
            pass  # it has ended, and says why
        except BaseException:
            filling.kill()
            raise
        finally:
            code = filling.wait()
        said.seek(0)
        text = said.read().decode(errors="replace")
    if code != 0 or "ERROR" in text:
        raise explained(text, target, copy, loading=True)


def _settings(target: Target) -> str:
    logged = "" if target.write_binlog else ", sql_log_bin = 0"
    # Tables of old servers have options that a strict one refuses; the fingerprint shows whether one was lost.
    idle = ", ".join(f"{name} = {value}" for name, value in NEVER_IDLE.items())
    settings = f"{idle}, max_statement_time = 0, lock_wait_timeout = {target.seconds()}, innodb_strict_mode = 0"
    return f"SET SESSION {settings}{logged}"


def _stdin() -> Iterator[bytes]:
    while chunk := os.read(sys.stdin.fileno(), PIECE):
        yield chunk


def _whole(content: Iterable[bytes]) -> Iterator[bytes]:
    """Pass a dump on; raises ProgramError when it is none, or not a whole one."""
    tail, begun = b"", False
    for chunk in content:
        if not begun:
            begun = True
            if not chunk.startswith(FIRST_LINES):
                raise _no_dump("is no dump of MariaDB")
            chunk = SANDBOX.sub(b"", chunk)
        tail = (tail + chunk[-len(END) - 1 :])[-len(END) - 1 :]
        yield chunk
    if not tail.endswith(b"\n" + END):
        raise _no_dump("ends before its end")


def _no_dump(how: str) -> ProgramError:
    return ProgramError(
        "SourceCorruptError", f"the content of the backup {how}", "nothing was kept", "take an older backup"
    )
