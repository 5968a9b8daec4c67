"""Shipped program: what a PostgreSQL server keeps outside of a database: roles, their memberships and their settings.

Standard library only, Python 3.9 or newer.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import json
import re
from typing import Any

from .program_error import ProgramError, listed
from .program_postgresql_client import Session, literal, quoted
from .program_postgresql_identity import DATABASE

GLOBALS_MARK = "-- pulih: "
LISTS = ("search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries")

# What may be said of a membership from version 16 on; columns that older servers lack are read through JSON. Whoever
# granted it more than once is one membership, which may what any of the grants allows.
MEMBERSHIPS = """
SELECT a.rolname AS role, b.rolname AS member, bool_or(m.admin_option) AS admin,
    bool_or((to_jsonb(m)->>'inherit_option')::bool) AS inherit, bool_or((to_jsonb(m)->>'set_option')::bool) AS set
FROM pg_auth_members m JOIN pg_roles a ON a.oid = m.roleid JOIN roles b ON b.oid = m.member GROUP BY 1, 2
"""

# What the statements must give, read from the catalogs and not from the statements: one fact for each name.
FACTS = f"""
SELECT coalesce(jsonb_object_agg(fact, said), '{{}}') FROM (
    SELECT format('the role %I', rolname), jsonb_build_object('superuser', rolsuper, 'creates roles', rolcreaterole,
        'creates databases', rolcreatedb, 'inherits', rolinherit, 'logs in', rolcanlogin,
        'replicates', rolreplication, 'passes policies', rolbypassrls, 'connection limit', rolconnlimit)
    FROM roles WHERE oid <> 10
    UNION ALL SELECT format('the membership of %I in %I', member, role), jsonb_build_object('admin', admin,
        'inherit', inherit, 'set', set) FROM ({MEMBERSHIPS}) m
    UNION ALL SELECT format('the settings of %I', rolname), (SELECT jsonb_agg(s ORDER BY s) FROM unnest(setconfig) s)
    FROM pg_db_role_setting JOIN roles ON oid = setrole WHERE setdatabase = 0 AND oid <> 10) f(fact, said)
"""

# Needed are the roles to which the database refers, those of which they are members, and the server's first one. Made
# are their members, too, by whom an application may log in; never those of the server's own roles, who see everything.
GLOBALS = """
WITH RECURSIVE here AS (SELECT oid, datdba FROM pg_database WHERE datname = current_database()),
referred(role) AS (
    SELECT refobjid FROM pg_shdepend, here WHERE refclassid = 'pg_authid'::regclass
        AND (dbid = here.oid OR (dbid = 0 AND classid = 'pg_database'::regclass AND objid = here.oid))
    UNION SELECT datdba FROM here
    UNION SELECT setrole FROM pg_db_role_setting, here WHERE setdatabase = here.oid AND setrole <> 0
    UNION SELECT 10),
named(role) AS (SELECT role FROM referred
    UNION SELECT m.roleid FROM pg_auth_members m JOIN named ON m.member = named.role),
below(role) AS (SELECT role FROM referred
    UNION SELECT m.member FROM pg_auth_members m JOIN below ON m.roleid = below.role WHERE m.roleid >= 16384),
made(role) AS (SELECT role FROM below
    UNION SELECT m.roleid FROM pg_auth_members m JOIN made ON m.member = made.role),
roles AS (SELECT r.* FROM pg_roles r JOIN made ON made.role = r.oid WHERE r.rolname !~ '^pg_')
SELECT jsonb_build_object(
    'roles', (SELECT jsonb_agg(rolname ORDER BY rolname) FROM pg_roles JOIN named ON named.role = oid
        WHERE rolname !~ '^pg_'),
    'settings', (SELECT coalesce(jsonb_object_agg(rolname, to_jsonb(setconfig)), '{}') FROM pg_db_role_setting
        JOIN roles ON oid = setrole WHERE setdatabase = 0 AND oid <> 10),
    'first role', (SELECT rolname FROM pg_roles WHERE oid = 10),
    'statements', (SELECT coalesce(jsonb_agg(statement ORDER BY place, statement), '[]') FROM (
        SELECT 1 AS place, format('CREATE ROLE %I WITH %s CONNECTION LIMIT %s', rolname, concat_ws(' ',
            CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
            CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN NOT rolinherit THEN 'NOINHERIT' END,
            CASE WHEN rolcanlogin THEN 'LOGIN' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
            CASE WHEN rolbypassrls THEN 'BYPASSRLS' END), rolconnlimit) AS statement FROM roles WHERE oid <> 10
        UNION ALL SELECT 2, format('GRANT %I TO %I', role, member) || CASE
            WHEN inherit IS NOT NULL
                THEN format(' WITH ADMIN %s, INHERIT %s, SET %s', admin::text, inherit::text, set::text)
            WHEN admin THEN ' WITH ADMIN OPTION' ELSE '' END
        FROM (*memberships*) m) s),
    'facts', (*facts*),
    'server version', current_setting('server_version_num')::int,
    'has public', EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public'))
""".replace("*memberships*", MEMBERSHIPS).replace("*facts*", FACTS)

# In a proof's own server all roles but the first are those that the statements made.
GIVEN = f"WITH roles AS (SELECT * FROM pg_roles WHERE rolname !~ '^pg_') {FACTS}"


def server_globals(session: Session) -> str:
    """Return what the server keeps outside of the database and a copy needs, as SQL that psql runs.

    The first line is a comment, with what the statements are made of, what they must give, and how the database itself
    was made, as JSON.
    """
    found = {**session.one(GLOBALS), "database": session.one(DATABASE)}
    for role, settings in sorted(found.pop("settings").items()):
        found["statements"] += [f"ALTER ROLE {quoted(role)} {assigned(setting)}" for setting in settings]
    lines = [GLOBALS_MARK + json.dumps(found), *(f"{statement};" for statement in found["statements"])]
    return "".join(f"{line}\n" for line in lines)


def require_given(session: Session, needed: dict[str, Any]) -> None:
    """Given a proof's own server in which the globals were run, raise ProgramError when it has not what they list.

    Backups of earlier releases list nothing: theirs are only run.
    """
    wanted = needed.get("facts")
    if wanted is None:
        return
    there = session.one(GIVEN)
    differing = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    if differing:
        raise ProgramError(
            "SourceCorruptError",
            f"the statements of the globals do not give what the backup lists: {listed(differing)}",
            "nothing was kept",
            "back up again; if it stays so, compare the roles in the backup's globals.sql with the server's",
        )


def assigned(setting: str) -> str:
    """Given a setting as the server keeps it, return the clause that sets it."""
    variable, _, value = setting.partition("=")
    return f"SET {_variable(variable)} = {_value(variable, value)}"


def _variable(name: str) -> str:
    return ".".join(quoted(part) for part in name.split("."))


def _value(name: str, value: str) -> str:
    if name not in LISTS:
        return literal(value)
    # Lists of names are kept by the server as they must be written, but for an empty name, which is no identifier.
    return re.sub(r'"(?:[^"]|"")+"|""', lambda found: "''" if found[0] == '""' else found[0], value) or "''"
