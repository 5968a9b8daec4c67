"""Shipped program: what a MariaDB server keeps outside of a database's tables and a copy of it needs.

Standard library only, Python 3.9 or newer. Accounts and rights, how the database was made, and the objects that no
table holds: as JSON for the load, and as SQL for whoever restores with the plain client.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import json
import re
from typing import Any

from .program_mariadb_client import Session, literal, quoted
from .program_mariadb_making import CODECS, PACKAGES, placeholder, statement_of, surroundings
from .program_mariadb_structure import database_made, definer_clause, dressed

GLOBALS_MARK = "-- pulih: "
DELIMITER = "$$pulih$$"
# Everybody, from 10.11 on: listed as an account without a host, and written without quotes.
EVERYBODY = "PUBLIC"
# Columns of mysql.db whose names are not those of the right.
RIGHTS = {"Create_tmp_table": "CREATE TEMPORARY TABLES", "Delete_history": "DELETE HISTORY"}


def server_globals(session: Session, database: str, things: list[dict[str, Any]], version: str) -> str:
    """Return the globals of a database: a first line of JSON, and SQL that the plain client runs in the database."""
    grants = granted(session, database)
    definers = sorted({definer_clause(thing["definer"]) for thing in things})
    accounts = sorted({*definers, *(grant["account"] for grant in grants)} - {EVERYBODY})
    made = database_made(session, database)
    found = {
        "server version": version,
        "database": made,
        "definers": definers,
        "accounts": accounts,
        "grants": grants,
        "grants by pattern": granted_by_pattern(session, database),
        "objects": things,
    }
    lines = [GLOBALS_MARK + json.dumps(found)]
    # The comment is written as a literal without escapes, whatever the client's session would take them for.
    lines += ["SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES';", dressed(database, made, "ALTER") + ";"]
    lines += [f"{_account_made(account)};" for account in accounts]
    lines += [_plain(thing) for thing in _placed(things)]
    if any(thing["kind"].startswith("package") for thing in things):
        # Servers before 11.4 know the word in this mode only.
        lines.append(f"SET SESSION sql_mode = '{PACKAGES}';")
    # Last, because rights on routines need the routines.
    lines += [f"{grant['statement']};" for grant in grants]
    return "".join(f"{line}\n" for line in lines)


def granted(session: Session, database: str) -> list[dict[str, str]]:
    """Return the rights on a database and on what is in it, by account."""
    return sorted(
        [
            *_on_database(session, database),
            *_on_tables(session, database),
            *_on_columns(session, database),
            *(grant for _kind, _name, grant in granted_on_routines(session, database)),
        ],
        key=lambda grant: grant["statement"],
    )


def granted_by_pattern(session: Session, database: str) -> list[str]:
    """Return the rights that reach a database by a pattern of names, and so reach others, too: they are the server's,
    and no statement of the globals gives them."""
    own = (database, pattern_of(database))
    return sorted(
        grant["statement"]
        for written, grant in _on_databases(session)
        if written not in own and pattern_matches(written, database)
    )


def pattern_matches(pattern: str, database: str) -> bool:
    """Say whether a right on databases, whose name is a pattern, is one on this database."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    words = {"%": ".*", "_": "."}
    expression = "".join(
        re.escape(part[-1]) if part.startswith("\\") else words.get(part, re.escape(part)) for part in parts
    )
    return re.fullmatch(expression, database, re.DOTALL) is not None


def pattern_of(database: str) -> str:
    """Return what means this database alone where names of databases are patterns."""
    return database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


def _on_database(session: Session, database: str) -> list[dict[str, str]]:
    own = (database, pattern_of(database))
    return [grant for written, grant in _on_databases(session) if written in own]


def _on_databases(session: Session) -> list[tuple[str, dict[str, str]]]:
    names = [row[0] for row in session.run("SHOW COLUMNS FROM mysql.db LIKE '%priv'")]
    fields = ", ".join(quoted(name) for name in names)
    found = []
    for user, host, written, *answers in session.documents(
        f"SELECT JSON_ARRAY(User, Host, Db, {fields}) FROM mysql.db"
    ):
        rights = [_right(name) for name, answer in zip(names, answers) if answer == "Y"]  # noqa: B905 - Python 3.9
        found.append((str(written), _grant(rights, f"{quoted(str(written))}.*", user, host)))
    return [(written, grant) for written, grant in found if grant]


def _right(column: str) -> str:
    name = column[: -len("_priv")]
    return RIGHTS.get(name, name.replace("_", " ").upper())


def _on_tables(session: Session, database: str) -> list[dict[str, str]]:
    found = session.documents(
        "SELECT JSON_ARRAY(User, Host, Table_name, Table_priv) FROM mysql.tables_priv"
        f" WHERE BINARY Db = {literal(database)}"
    )
    made = [
        _grant(str(rights).split(","), f"{quoted(database)}.{quoted(str(table))}", user, host)
        for user, host, table, rights in found
        if rights
    ]
    return [grant for grant in made if grant]


def _on_columns(session: Session, database: str) -> list[dict[str, str]]:
    made = []
    for user, host, table, column, rights in session.documents(
        "SELECT JSON_ARRAY(User, Host, Table_name, Column_name, Column_priv) FROM mysql.columns_priv"
        f" WHERE BINARY Db = {literal(database)}"
    ):
        named = [f"{right} ({quoted(str(column))})" for right in str(rights).split(",") if right]
        made.append(_grant(named, f"{quoted(database)}.{quoted(str(table))}", user, host))
    return [grant for grant in made if grant]


def granted_on_routines(session: Session, database: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return the rights on single routines: what kind of routine, its name in small letters, and the right."""
    made = []
    for user, host, name, kind, rights in session.documents(
        "SELECT JSON_ARRAY(User, Host, Routine_name, Routine_type, Proc_priv) FROM mysql.procs_priv"
        f" WHERE BINARY Db = {literal(database)}"
    ):
        grant = _grant(str(rights).split(","), f"{kind} {quoted(database)}.{quoted(str(name))}", user, host)
        made.append((str(kind).lower(), str(name).lower(), grant))
    return [each for each in made if each[2]]


def _grant(rights: list[str], where: str, user: Any, host: Any) -> dict[str, str]:
    account = EVERYBODY if (user, host) == (EVERYBODY, "") else definer_clause(f"{user}@{host}")
    # What it is called in the table of rights on tables, and how it is granted.
    renamed = ["Delete History" if right == "Delete versioning rows" else right for right in rights]
    words = sorted(right for right in renamed if right.upper() not in ("", "GRANT"))
    option = " WITH GRANT OPTION" if any(right.upper() == "GRANT" for right in rights) else ""
    if not words and not option:
        return {}
    statement = f"GRANT {', '.join(words) or 'USAGE'} ON {where} TO {account}{option}"
    return {"account": account, "statement": statement}


def _account_made(account: str) -> str:
    # Without its password, which is in no backup, it must not be open to everybody.
    if "`@`" in account:
        return f"CREATE USER IF NOT EXISTS {account} ACCOUNT LOCK"
    return f"CREATE ROLE IF NOT EXISTS {account}"


def _placed(things: list[dict[str, Any]]) -> list[dict[str, Any]]:
    views = [{**thing, "placeholder": True} for thing in things if thing["kind"] == "view"]
    # Functions come before the views that call them, and views may need each other.
    return [
        *(thing for thing in things if thing["kind"] not in ("view", "trigger", "event")),
        *views,
        *(thing for thing in things if thing["kind"] in ("view", "trigger", "event")),
    ]


def _plain(thing: dict[str, Any]) -> str:
    """Return the SQL with which the plain client makes an object."""
    statement = placeholder(thing) if thing.get("placeholder") else statement_of(thing, live=True)
    encoding = CODECS.get(thing["client"], thing["client"])
    if encoding != "utf-8" and not statement.isascii():
        # The client sends bytes as they stand, so what stands there must be in the object's own character set.
        statement = statement.encode(encoding).decode("utf-8", "surrogateescape")
    return f"{surroundings(thing)};\nDELIMITER {DELIMITER}\n{statement}\n{DELIMITER}\nDELIMITER ;"
