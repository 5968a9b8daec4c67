"""Shipped program: look at, measure and check MariaDB databases. Standard library only, Python 3.9 or newer."""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import (
    PASSWORD_FILE,
    Session,
    Target,
    as_option_file,
    in_database,
    quoted,
    server_version,
)
from .program_mariadb_content import fingerprint
from .program_mariadb_control import held_back, read
from .program_mariadb_dump import dump, too_long
from .program_mariadb_lent import proofs, release
from .program_mariadb_load import abandon, discard, keep, list_copies, load
from .program_mariadb_rights import preflight, restorable
from .program_mariadb_scratch import serve
from .program_mariadb_structure import VERSIONED, tables
from .program_mariadb_swap import identity, live_is, prepare, quiet, server_uid, swap, swap_back, ties
from .program_server import begin, end, free_bytes, tell_count

PRIVATE = "pulih-mariadb-"


def _fingerprint(arguments: list[bytes]) -> dict[str, Any]:
    target, database = Target(arguments[0]), os.fsdecode(arguments[1])
    with Session(target, database) as session:
        held = held_back(read(session, database))
        session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        return fingerprint(session, database, held=held, tell=tell_count)


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


def _packet(arguments: list[bytes]) -> dict[str, Any]:
    """Return the warnings of a dump whose longest statement has as many bytes as LONGEST says."""
    longest = int(arguments[1])
    with Session(Target(arguments[0])) as session:
        taken = int(session.one("SELECT @@GLOBAL.max_allowed_packet"))
    return {"warnings": [too_long(longest, taken)] if longest >= taken else []}


def _identify(arguments: list[bytes]) -> dict[str, Any]:
    with Session(Target(arguments[0])) as session:
        return {
            "system": identity(session),
            "server_uid": server_uid(session),
            "series": [int(number) for number in server_version(session).split(".")[:2]],
            "runs_events": session.one("SELECT @@event_scheduler") == "ON",
        }


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
    "preflight": preflight,  # TARGET
    "restorable": restorable,  # TARGET
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
    "ties": ties,  # TARGET
    "packet": _packet,  # TARGET LONGEST
    "prepare": prepare,  # TARGET COPY
    "swap": swap,  # TARGET RECEIPT
    "swap_back": swap_back,  # TARGET RECEIPT
    "live_is": live_is,  # TARGET RECEIPT
    "release": release,  # TARGET DATABASE LABEL
    "proofs": proofs,  # TARGET DATABASE
    "serve": serve,  # DIRECTORY VERSION
}
STREAMING = ("dump", "fingerprint", "load", "serve")
