"""Shipped program: what both sides of a swap have outside of tables: written down, dropped, made again.

Standard library only, Python 3.9 or newer. A routine that the other side has too is replaced and never dropped: with it
would go every right on it, of all accounts.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import Session, Target, quoted
from .program_mariadb_control import write
from .program_mariadb_globals import granted_on_routines
from .program_mariadb_load import exists
from .program_mariadb_making import PACKAGES, create, drop, make, names_database
from .program_mariadb_rights import granted_here
from .program_mariadb_structure import broken_views, database_made, dressed, listed, objects

OTHER = {"old": "new", "new": "old"}
ROUTINES = ("function", "procedure", "package", "package body")
# In this order they can be made.
KINDS = [*ROUTINES, "view", "trigger", "event"]


def write_down(session: Session, known: dict[str, Any], live: str, copy: str) -> list[str]:
    """Write the definitions of both sides into the copy: from now on they may be gone where they were.

    Returns warnings: which rights would not come back with them.
    """
    there, beside = known["live"], OTHER[known["live"]]
    leaving = _side(session, live) if exists(session, live) else None
    found = {f"{there} side": leaving}
    if f"{beside} side" not in known:
        # Its events were made disabled, and what names the live database was not made at all.
        side = _side(session, copy, known["events"], known["waiting"])
        # A view whose account may not read is shown with the name of its database, and cannot be made in another.
        tied = [each for each in side["objects"] if each["kind"] == "view" and names_database(each, copy)]
        if side["broken"] or tied:
            raise ProgramError(
                "SwapError",
                f"views of the copy {copy} lack what they read, or the right to: "
                + ", ".join(each["name"] for each in [*side["broken"], *tied]),
                "nothing was moved",
                "give the accounts in whose name they work their rights, then continue",
            )
        found[f"{beside} side"] = side
    coming = {**known, **found}[f"{beside} side"]
    warnings = _keep_rights(session, live, leaving, coming) if leaving and coming else []
    write(session, copy, {**found, "phase": "moving"})
    return warnings


def clear(session: Session, database: str, side: dict[str, Any] | None, *, live: bool) -> None:
    """Drop what would not go with a database's tables, or work on others; in the live one the routines stay."""
    if side is None:
        return
    session.run(f"USE {quoted(database)}")
    things = [*side["broken"], *side["objects"]]
    views = [quoted(thing["name"]) for thing in things if thing["kind"] == "view"]
    if views:
        session.run(f"DROP VIEW IF EXISTS {', '.join(views)}")
    for thing in things:
        if thing["kind"] != "view" and not (live and thing["kind"] in ROUTINES):
            drop(session, thing)


def make_again(session: Session, live: str, side: dict[str, Any], other: dict[str, Any] | None) -> list[str]:
    """Make what is outside of tables again in the live database, over what is left there of the other side.

    Returns warnings: which rights could not be given again.
    """
    session.run(f"USE {quoted(live)}")
    for thing in _lost(other, side):
        drop(session, thing)
    session.run(dressed(live, side["database"], "ALTER"))
    make(session, live, side["objects"], live=True)
    for thing in side["broken"]:
        _try(session.target, live, thing)
    return _give_rights(session, live, side)


def _side(
    session: Session,
    database: str,
    statuses: dict[str, str] | None = None,
    waiting: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    session.run(f"USE {quoted(database)}")
    there = listed(session, database)
    invalid = broken_views(session, database, there)
    found: list[dict[str, Any]] = []
    broken: list[dict[str, Any]] = []
    for thing in objects(session, database, there):
        (broken if thing["kind"] == "view" and thing["name"] in invalid else found).append(thing)
    for thing in found:
        if thing["kind"] == "event":
            thing["status"] = (statuses or {}).get(thing["name"], thing["status"])
    things = sorted([*found, *(waiting or [])], key=lambda thing: KINDS.index(thing["kind"]))
    return {"database": database_made(session, database), "objects": things, "broken": broken}


def _lost(leaving: dict[str, Any] | None, coming: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the routines of a side that the other one lacks; their names know no case."""
    kept = {(thing["kind"], thing["name"].lower()) for thing in coming["objects"]}
    return [
        thing
        for thing in (leaving["objects"] if leaving else [])
        if thing["kind"] in ROUTINES and (thing["kind"], thing["name"].lower()) not in kept
    ]


def _keep_rights(session: Session, live: str, leaving: dict[str, Any], coming: dict[str, Any]) -> list[str]:
    """Let a side know the rights that go with those of its routines that must be dropped."""
    lost = {
        (thing["kind"], thing["name"].lower()): f"{thing['kind']} {thing['name']}" for thing in _lost(leaving, coming)
    }
    if not lost:
        return []
    everywhere, _here, single = granted_here(session, live)
    if "SELECT" not in everywhere and "mysql.procs_priv" not in single:
        user = session.target.user or session.one("SELECT CURRENT_USER()")
        return [
            f"the other data of {live} lacks {', '.join(lost.values())}; whatever rights accounts have on them go with"
            f" them, and the account {user} cannot see which: GRANT SELECT ON mysql.procs_priv TO {user}"
        ]
    rights = granted_on_routines(session, live)
    leaving["rights"] = [grant["statement"] for kind, name, grant in rights if (kind, name) in lost]
    return []


def _give_rights(session: Session, live: str, side: dict[str, Any]) -> list[str]:
    if not side.get("rights"):
        return []
    there = {grant["statement"] for _kind, _name, grant in granted_on_routines(session, live)}
    warnings = []
    for statement in side["rights"]:
        if statement in there:
            continue
        try:
            # A session ends at its first error.
            with Session(session.target, changing=True) as giving:
                giving.run(f"SET SESSION sql_mode = '{PACKAGES}'")
                giving.run(statement)
        except ProgramError as error:
            warnings.append(f"a right could not be given again ({error.report['message']}): {statement}")
    return warnings


def _try(target: Target, database: str, view: dict[str, Any]) -> None:
    """Make a view again that did not work before: it lacks a right, or what it reads, and then nobody misses it."""
    with suppress(ProgramError), Session(target, database, changing=True) as session:
        create(session, view, live=True)
