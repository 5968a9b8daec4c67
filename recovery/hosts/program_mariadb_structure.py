"""Shipped program: what a MariaDB database holds outside of its rows, and how it is made again.

Standard library only, Python 3.9 or newer. Views, triggers, routines and events cannot be moved between databases:
they are read as plain data, out of which their statements are put together wherever they are needed.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import re
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import Session, in_database, literal, quoted

# What a copy has beside what was loaded; see program_mariadb_load.
OWN_TABLES = "~pulih"
VIEW, SEQUENCE, VERSIONED = "VIEW", "SEQUENCE", "SYSTEM VERSIONED"
_COUNTER = re.compile(r"(\n\) ENGINE=\w+) AUTO_INCREMENT=\d+")
QUOTE = "'"
SETTING = "CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION"


def database_made(session: Session, database: str) -> dict[str, str]:
    """Return how a database itself was made. Raises ProgramError when it is not there."""
    found = session.documents(
        "SELECT JSON_ARRAY(DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME, SCHEMA_COMMENT)"
        f" FROM information_schema.SCHEMATA WHERE {in_database('SCHEMA_NAME', database)}"
    )
    if not found:
        raise ProgramError(
            "SourceMissingError",
            f"there is no database {database} on {session.target.place()}, or the account may not see it",
            "nothing was touched",
            "correct the name in the inventory (upper and lower case differ), grant the rights, or restore it",
        )
    character_set, collation, comment = found[0]
    return {"character set": str(character_set), "collation": str(collation), "comment": str(comment or "")}


def dressed(name: str, made: dict[str, str], verb: str) -> str:
    """Return the statement that makes (CREATE) or changes (ALTER) a database to be as it was made."""
    return (
        f"{verb} DATABASE {quoted(name)} CHARACTER SET {made['character set']} COLLATE {made['collation']}"
        f" COMMENT {literal(made['comment'])}"
    )


def tables(session: Session, database: str) -> list[dict[str, Any]]:
    """Return tables, sequences and views by name, without what a copy has of ours."""
    names = ("name", "type", "engine", "transactional", "counter", "bytes", "comment")
    found = session.documents(
        "SELECT JSON_ARRAY(t.TABLE_NAME, t.TABLE_TYPE, t.ENGINE, e.TRANSACTIONS, t.AUTO_INCREMENT,"
        " COALESCE(t.DATA_LENGTH, 0) + COALESCE(t.INDEX_LENGTH, 0), t.TABLE_COMMENT)"
        " FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE"
        f" WHERE {in_database('t.TABLE_SCHEMA', database)} AND t.TABLE_TYPE <> 'TEMPORARY' ORDER BY t.TABLE_NAME"
    )
    rows: list[dict[str, Any]] = [dict(zip(names, row)) for row in found]  # noqa: B905 - Python 3.9
    return [row for row in rows if not row["name"].startswith(OWN_TABLES)]


def listed(session: Session, database: str) -> list[dict[str, Any]]:
    """Return names and types of tables, sequences and views, without what a copy has of ours; no table is opened."""
    found = session.run(
        f"SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE {in_database('TABLE_SCHEMA', database)}"
        " AND TABLE_TYPE <> 'TEMPORARY' ORDER BY TABLE_NAME"
    )
    return [{"name": name, "type": kind} for name, kind in found if not name.startswith(OWN_TABLES)]


def broken_views(session: Session, database: str, found: list[dict[str, Any]]) -> set[str]:
    """Given what is listed, return the views whose tables, columns or functions are gone."""
    names = [table["name"] for table in found if table["type"] == VIEW]
    if not names:
        return set()
    rows = session.run(
        f"SELECT TABLE_NAME FROM information_schema.TABLES WHERE {in_database('TABLE_SCHEMA', database)}"
        # The length, which no view has, makes the server open each; else it says nothing of what they read.
        f" AND {_among('TABLE_NAME', names)} AND DATA_LENGTH IS NULL AND TABLE_COMMENT LIKE '%references invalid%'"
    )
    return {name for (name,) in rows}


def is_broken(table: dict[str, Any]) -> bool:
    """Say whether something is a view whose tables, columns or functions are gone."""
    return bool(table["type"] == VIEW and "references invalid" in str(table["comment"]))


def definitions(session: Session, found: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return how tables and sequences are made. The session's database is the one that they are in."""
    made: dict[str, dict[str, str]] = {"tables": {}, "sequences": {}}
    for table in found:
        if table["type"] == VIEW:
            continue
        sequence = table["type"] == SEQUENCE
        shown = session.run(f"SHOW CREATE {'SEQUENCE' if sequence else 'TABLE'} {quoted(table['name'])}")[0][1]
        # Counters stand outside of every snapshot; they are compared by "not less".
        made["sequences" if sequence else "tables"][table["name"]] = _COUNTER.sub(r"\1", shown)
    return made


def objects(session: Session, database: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return routines, views, triggers and events as plain data, in the order in which they can be made."""
    return [
        *_routines(session, database),
        *_views(session, database, found),
        *_triggers(session, database),
        *_events(session, database),
    ]


def _routines(session: Session, database: str) -> list[dict[str, Any]]:
    listed = session.documents(
        f"SELECT JSON_ARRAY(ROUTINE_TYPE, ROUTINE_NAME, DEFINER, SQL_MODE, {SETTING})"
        f" FROM information_schema.ROUTINES WHERE {in_database('ROUTINE_SCHEMA', database)}"
        # A package before its body, functions before what calls them.
        " ORDER BY FIELD(ROUTINE_TYPE, 'FUNCTION', 'PROCEDURE', 'PACKAGE', 'PACKAGE BODY'), ROUTINE_NAME"
    )
    made = []
    for kind, name, definer, mode, client, connection, collation in listed:
        statement = session.run(f"SHOW CREATE {kind} {quoted(str(name))}")[0][2]
        if statement == "NULL":
            raise _hidden(session, f"the {str(kind).lower()} {name}", "SELECT ON mysql.proc")
        made.append(_made(str(kind).lower(), name, definer, (client, connection, collation), statement, mode=mode))
    return made


def _views(session: Session, database: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = [table["name"] for table in found if table["type"] == VIEW]
    if not names:
        return []
    columns: dict[str, list[str]] = {}
    for view, column in session.documents(
        "SELECT JSON_ARRAY(TABLE_NAME, COLUMN_NAME) FROM information_schema.COLUMNS"
        f" WHERE {in_database('TABLE_SCHEMA', database)} AND {_among('TABLE_NAME', names)}"
        " ORDER BY TABLE_NAME, ORDINAL_POSITION"
    ):
        columns.setdefault(str(view), []).append(str(column))
    collation = database_made(session, database)["collation"]
    made = []
    # Literals are shown with backslashes, so they are read with them, too.
    session.run("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
    for name in names:
        _view, statement, client, connection = session.run(f"SHOW CREATE VIEW {quoted(name)}")[0]
        definer = re.search(r"DEFINER=(`(?:[^`]|``)*`(?:@`(?:[^`]|``)*`)?)", statement)
        account = _account(definer.group(1)) if definer else ""
        view = _made("view", name, account, (client, connection, collation), statement)
        made.append({**view, "columns": columns.get(name, [])})
    session.reset()
    return made


def _triggers(session: Session, database: str) -> list[dict[str, Any]]:
    made = []
    for name, timing, event, table, place, body, definer, mode, *setting in session.documents(
        "SELECT JSON_ARRAY(TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, EVENT_OBJECT_TABLE, ACTION_ORDER,"
        f" ACTION_STATEMENT, DEFINER, SQL_MODE, {SETTING})"
        f" FROM information_schema.TRIGGERS WHERE {in_database('TRIGGER_SCHEMA', database)}"
        # In this order they fire, and are made.
        " ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER"
    ):
        statement = (
            f"CREATE DEFINER={definer_clause(str(definer))} TRIGGER {quoted(str(name))} {timing} {event}"
            f" ON {quoted(str(table))} FOR EACH ROW {body}"
        )
        made.append({**_made("trigger", name, definer, tuple(setting), statement, mode=mode), "place": int(str(place))})
    return made


def _events(session: Session, database: str) -> list[dict[str, Any]]:
    made = []
    for row in session.documents(
        "SELECT JSON_ARRAY(EVENT_NAME, DEFINER, TIME_ZONE, EVENT_DEFINITION, CAST(EXECUTE_AT AS CHAR), INTERVAL_VALUE,"
        " INTERVAL_FIELD, CAST(STARTS AS CHAR), CAST(ENDS AS CHAR), STATUS, ON_COMPLETION, EVENT_COMMENT, SQL_MODE,"
        f" {SETTING}) FROM information_schema.EVENTS WHERE {in_database('EVENT_SCHEMA', database)} ORDER BY EVENT_NAME"
    ):
        name, definer, zone, body, at, every, unit, starts, ends, status, completion, comment, mode, *setting = row
        if at is not None:
            schedule = f"AT '{at}'"
        else:
            # Intervals of several units are listed with their quotation marks.
            schedule = f"EVERY {every if str(every).startswith(QUOTE) else QUOTE + str(every) + QUOTE} {unit}"
            schedule += f" STARTS '{starts}'" if starts else ""
            schedule += f" ENDS '{ends}'" if ends else ""
        # Where the status goes stands a mark: a copy's events must never run.
        statement = (
            f"CREATE DEFINER={definer_clause(str(definer))} EVENT {quoted(str(name))} ON SCHEDULE {schedule}"
            f" ON COMPLETION {completion}"
        )
        event = _made("event", name, definer, tuple(setting), statement, mode=mode)
        passes = completion == "NOT PRESERVE" and bool(at or ends)
        more = {"zone": zone, "status": status, "comment": comment or "", "body": body, "passes": passes}
        made.append({**event, **more})
    return made


def _made(
    kind: str, name: Any, definer: Any, setting: tuple[Any, ...], statement: str, mode: Any = None
) -> dict[str, Any]:
    client, connection, collation = setting
    return {
        "kind": kind,
        "name": str(name),
        "definer": str(definer),
        "mode": mode,
        "client": client,
        "connection": connection,
        "collation": collation,
        "statement": statement,
    }


def definer_clause(account: str) -> str:
    """Given an account as the server lists it, return it as it is written in statements; roles have no host."""
    user, at, host = account.rpartition("@")
    return f"{quoted(user)}@{quoted(host)}" if at and host else quoted(user or host)


def _among(column: str, names: list[str]) -> str:
    # Asked for by name, the server opens these alone and not every table.
    return f"{column} IN ({', '.join(literal(name) for name in names)})"


def _account(clause: str) -> str:
    parts = [part.replace("``", "`") for part in re.findall(r"`((?:[^`]|``)*)`", clause)]
    return "@".join(parts)


def _hidden(session: Session, what: str, right: str) -> ProgramError:
    user = session.target.user or "Pulih's account on the host"
    return ProgramError(
        "SourceError", f"{user} may not read the definition of {what}", "nothing was kept", f"GRANT {right} TO {user}"
    )
