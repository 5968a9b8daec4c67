"""Shipped program: how views, routines, triggers and events are made, replaced and dropped.

Standard library only, Python 3.9 or newer. Their statements are put together of the plain data as which
program_mariadb_structure reads them.
"""

from __future__ import annotations

import re
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import Session, literal, quoted

# How MariaDB's character sets of clients are called here; others of its names are known by themselves.
CODECS = {
    "utf8mb4": "utf-8",
    "utf8mb3": "utf-8",
    "binary": "utf-8",
    "latin1": "cp1252",
    "latin2": "iso8859-2",
    "latin5": "iso8859-9",
    "latin7": "iso8859-13",
    "greek": "iso8859-7",
    "hebrew": "iso8859-8",
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    "ujis": "euc-jp",
    "euckr": "euc-kr",
    "sjis": "shift-jis",
    "tis620": "tis-620",
}
# The sql_mode that knows packages.
PACKAGES = "ORACLE"


def create(session: Session, thing: dict[str, Any], *, live: bool) -> None:
    """Make one object in the session's database; an event runs only in the live one. Raises ProgramError."""
    encoding = CODECS.get(thing["client"], thing["client"])
    statement = statement_of(thing, live=live)
    if thing["kind"] != "view":
        # Who drops a routine takes its rights from every account; who replaces it leaves them.
        statement = statement.replace("CREATE ", "CREATE OR REPLACE ", 1)
    try:
        statement.encode(encoding)
    except (LookupError, UnicodeEncodeError) as error:
        raise ProgramError(
            "SourceError",
            f"the {thing['kind']} {thing['name']} was made by a client with the character set {thing['client']},"
            " in which its text cannot be written",
            "nothing was kept",
            "make it again in the source, with utf8mb4",
        ) from error
    session.run(surroundings(thing))
    session.run(statement, encoding)
    session.reset()


def surroundings(thing: dict[str, Any]) -> str:
    """Return the statement that sets what an object keeps of the session that made it."""
    mode = "NO_AUTO_VALUE_ON_ZERO" if thing["mode"] is None else thing["mode"]
    zone = f", time_zone = {literal(thing['zone'])}" if "zone" in thing else ""
    return (
        f"SET SESSION sql_mode = {literal(mode)}{zone}, character_set_client = {literal(thing['client'])},"
        f" collation_connection = {literal(thing['connection'])}"
    )


def statement_of(thing: dict[str, Any], *, live: bool) -> str:
    """Return the statement that makes an object."""
    statement = str(thing["statement"])
    if thing["kind"] == "view":
        return statement.replace("CREATE ", "CREATE OR REPLACE ", 1)
    if thing["kind"] != "event":
        return statement
    words = {"ENABLED": "ENABLE", "DISABLED": "DISABLE", "SLAVESIDE_DISABLED": "DISABLE ON SLAVE"}
    status = words[thing["status"]] if live else "DISABLE"
    escaped = literal(thing["comment"]) if "NO_BACKSLASH" in thing["mode"] else escaped_literal(thing["comment"])
    return f"{statement} {status} COMMENT {escaped} DO {thing['body']}"


def placeholder(view: dict[str, Any]) -> str:
    """Return the statement that makes a view with the right columns and nothing in it: views may need each other."""
    columns = ", ".join(f"1 AS {quoted(column)}" for column in view["columns"])
    return f"CREATE OR REPLACE VIEW {quoted(view['name'])} AS SELECT {columns}"


def drop(session: Session, thing: dict[str, Any]) -> None:
    """Drop an object from the session's database, if it is there."""
    if thing["kind"].startswith("package"):
        # Servers before 11.4 know the word in this mode only.
        session.run(f"SET SESSION sql_mode = '{PACKAGES}'")
    session.run(f"DROP {thing['kind'].upper()} IF EXISTS {quoted(thing['name'])}")
    if thing["kind"].startswith("package"):
        session.reset()


def escaped_literal(text: str) -> str:
    """Return text as an SQL literal, in a session with backslash escapes."""
    return literal(text.replace("\\", "\\\\"))


def names_database(thing: dict[str, Any], database: str) -> bool:
    """Say whether an object's text names a database: made elsewhere, it would still work on that one."""
    name = re.escape(database)
    # In double quotes where the sql_mode of its day made them names.
    quotes = re.escape(database.replace('"', '""'))
    pattern = rf"(?:`{re.escape(quoted(database)[1:-1])}`|\"{quotes}\"|(?<![\w$`]){name}(?![\w$`]))\s*\."
    return re.search(pattern, statement_of(thing, live=False), re.IGNORECASE) is not None


def with_callers(things: list[dict[str, Any]], waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what waits, and every view that needs something of it, in the order in which they can be made."""
    while True:
        names = [quoted(each["name"]) for each in waiting if each["kind"] in ("function", "view", "package")]
        calling = [
            thing for thing in things if thing["kind"] == "view" and any(name in thing["statement"] for name in names)
        ]
        found = [thing for thing in things if thing in waiting or thing in calling]
        if len(found) == len(waiting):
            return found
        waiting = found


def make(session: Session, database: str, things: list[dict[str, Any]], *, live: bool) -> None:
    """Make objects in the session's database, each with the database's collation of its day."""
    now = session.one("SELECT @@collation_database")
    before = now
    views = [thing for thing in things if thing["kind"] == "view"]
    for view in _named_too_early(views):
        session.run(placeholder(view))
    for thing in things:
        if thing["collation"] != now:
            session.run(f"ALTER DATABASE {quoted(database)} COLLATE {thing['collation']}")
            now = thing["collation"]
        create(session, thing, live=live)
    if now != before:
        session.run(f"ALTER DATABASE {quoted(database)} COLLATE {before}")


def _named_too_early(views: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the views that one before them needs, or may: as an alias the name stands in a text, too."""
    return [
        view
        for place, view in enumerate(views)
        if any(quoted(view["name"]) in earlier["statement"] for earlier in views[:place])
    ]
