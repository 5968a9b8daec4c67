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
        f" WHERE {in_database('TABLE_SCHEMA', database)} ORDER BY TABLE_NAME, ORDINAL_POSITION"
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


def create(session: Session, thing: dict[str, Any], *, live: bool) -> None:
    """Make one object in the session's database; an event runs only in the live one. Raises ProgramError."""
    encoding = CODECS.get(thing["client"], thing["client"])
    statement = statement_of(thing, live=live)
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
        session.run("SET SESSION sql_mode = 'ORACLE'")
    session.run(f"DROP {thing['kind'].upper()} IF EXISTS {quoted(thing['name'])}")
    if thing["kind"].startswith("package"):
        session.reset()


def escaped_literal(text: str) -> str:
    """Return text as an SQL literal, in a session with backslash escapes."""
    return literal(text.replace("\\", "\\\\"))


def definer_clause(account: str) -> str:
    """Given an account as the server lists it, return it as it is written in statements; roles have no host."""
    user, at, host = account.rpartition("@")
    return f"{quoted(user)}@{quoted(host)}" if at and host else quoted(user or host)


def names_database(thing: dict[str, Any], database: str) -> bool:
    """Say whether an object's text names a database: made elsewhere, it would still work on that one."""
    name = re.escape(database)
    # In double quotes where the sql_mode of its day made them names.
    quotes = re.escape(database.replace('"', '""'))
    pattern = rf"(?:`{re.escape(quoted(database)[1:-1])}`|\"{quotes}\"|(?<![\w$`]){name}(?![\w$`]))\s*\."
    return re.search(pattern, statement_of(thing, live=False), re.IGNORECASE) is not None


def _account(clause: str) -> str:
    parts = [part.replace("``", "`") for part in re.findall(r"`((?:[^`]|``)*)`", clause)]
    return "@".join(parts)


def _hidden(session: Session, what: str, right: str) -> ProgramError:
    user = session.target.user or "Pulih's account on the host"
    return ProgramError(
        "SourceError", f"{user} may not read the definition of {what}", "nothing was kept", f"GRANT {right} TO {user}"
    )
