"""Shipped program: the fingerprint of a PostgreSQL database. Standard library only, Python 3.9 or newer.

Per table the number of rows and a sum of 64-bit numbers, one of each row's text: it needs no order and no memory. It
finds accidents; against adversaries stand the digests of the parts and the signature.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from .program_postgresql_client import Session, quoted
from .program_postgresql_identity import DATABASE
from .program_postgresql_load import assigned
from .program_postgresql_structure import QUERIES

ALGORITHM = "count and sum of hashtextextended of each row's text, version 1"
LARGE_OBJECTS = "(large objects)"
PIECE = 1 << 18
AT_ONCE = 100
GLOBALS_MARK = "-- pulih: "

# Ordinary tables: rows of partitioned ones are in their partitions. An extension's tables hold what it brings, and
# only what it says to be the user's own is dumped. Columns by name, because inheritance moves them.
TABLES = """
SELECT jsonb_build_array(format('%I.%I', n.nspname, c.relname), format(
    'SELECT jsonb_build_array(count(*), coalesce(sum(hashtextextended(x, 0)::numeric), 0)::text) '
    'FROM (SELECT ROW(%s)::text AS x FROM ONLY %I.%I t %s) s',
    (SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attname) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    n.nspname, c.relname, own.condition))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = e.refobjid
LEFT JOIN LATERAL (SELECT x.extcondition[i] AS condition FROM generate_subscripts(x.extconfig, 1) i
                   WHERE x.extconfig[i] = c.oid) own ON true
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.oid >= 16384
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND (x.oid IS NULL OR own.condition IS NOT NULL)
ORDER BY 1
"""

# Read in pieces, because one object may be larger than any value; opened to be read only, which uses the snapshot.
OBJECTS = f"""
SELECT jsonb_build_object('rows', count(*), 'digest', coalesce(sum(hashtextextended(
        concat_ws(' ', l.oid, l.size, l.content), 0)::numeric), 0)::text,
    'owners', coalesce(sum(hashtextextended(concat_ws(' ', l.oid, l.owner, l.acl), 0)::numeric), 0)::text)
FROM (SELECT m.oid, m.owner, m.acl, m.size, lo_close(m.fd), (
        SELECT sum(hashtextextended(encode(lo_get(m.oid, p * {PIECE}, {PIECE}), 'hex'), p)::numeric)
        FROM generate_series(0, (m.size - 1) / {PIECE}) p) AS content
    FROM (SELECT o.*, lo_lseek64(o.fd, 0, 2) AS size FROM (
        SELECT oid, pg_get_userbyid(lomowner) AS owner, lo_open(oid, 262144) AS fd,
            (SELECT string_agg(concat_ws(' ', grantee::regrole, privilege_type, is_grantable), ',' ORDER BY
                grantee::regrole::text, privilege_type) FROM aclexplode(coalesce(lomacl, acldefault('L', lomowner))))
            AS acl
        FROM pg_largeobject_metadata OFFSET 0) o OFFSET 0) m OFFSET 0) l
"""

# How far each sequence has come, counted in its own steps, so that one that counts down grows too.
POSITIONS = """
SELECT jsonb_build_array(format('%I.%I', n.nspname, c.relname), format(
    'SELECT jsonb_build_array(%L, div(last_value - (%s)::numeric, %s) + is_called::int) FROM %I.%I',
    format('%I.%I', n.nspname, c.relname), s.seqstart, s.seqincrement, n.nspname, c.relname))
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND NOT s.seqcycle AND NOT EXISTS (
    SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
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
        UNION ALL SELECT 2, format('GRANT %I TO %I%s', a.rolname, b.rolname,
            CASE WHEN m.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END)
        FROM pg_auth_members m JOIN pg_roles a ON a.oid = m.roleid JOIN roles b ON b.oid = m.member) s),
    'server version', current_setting('server_version_num')::int,
    'extensions', (SELECT coalesce(jsonb_object_agg(extname, extversion), '{}') FROM pg_extension),
    'has public', EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public'))
"""


def fingerprint(session: Session, tell: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Return the fingerprint of what a session sees. The caller holds a transaction, so it is one snapshot.

    `tell` is told how many tables of how many are measured.
    """
    objects, found = {}, session.run(TABLES)
    for done, (name, statement) in enumerate(found, 1):
        objects[name] = _rows(session, statement)
        if tell is not None:
            tell(done, len(found))
    large = session.one(OBJECTS)
    if large["rows"]:
        objects[LARGE_OBJECTS] = large
    database = session.one(DATABASE)
    # A setting may be a secret of the application, and a fingerprint is readable by whoever reads the store.
    database["settings"] = {role: _digest(settings) for role, settings in database["settings"].items()}
    structure: dict[str, Any] = {"algorithm": ALGORITHM, "database": database}
    for category, query in QUERIES.items():
        rows = session.run(f"SELECT jsonb_build_array(q.name, q.definition) FROM ({query}) q(name, definition)")
        structure[category] = {name: _digest(definition) for name, definition in rows}
    # They are left out of archives, and sets of earlier releases say that there is none.
    structure["subscriptions"] = {}
    structure["at least"] = positions(session)
    return {
        "kind": "postgresql",
        "objects": objects,
        "structure": structure,
        "totals": {
            "objects": len(objects),
            "rows": sum(entry["rows"] for entry in objects.values()),
            "bytes": session.one("SELECT pg_database_size(current_database())"),
        },
    }


def server_globals(session: Session) -> str:
    """Return what the server keeps outside of the database and a copy needs, as SQL that psql runs.

    The first line is a comment, with what the statements are made of and how the database itself was made, as JSON.
    """
    found = {**session.one(GLOBALS), "database": session.one(DATABASE)}
    for role, settings in sorted(found.pop("settings").items()):
        found["statements"] += [f"ALTER ROLE {quoted(role)} {assigned(setting)}" for setting in settings]
    lines = [GLOBALS_MARK + json.dumps(found), *(f"{statement};" for statement in found["statements"])]
    return "".join(f"{line}\n" for line in lines)


def positions(session: Session) -> dict[str, int]:
    """Return how far each sequence has come. They stand outside of every snapshot and only go on."""
    statements = [statement for _name, statement in session.run(POSITIONS)]
    found: dict[str, int] = {}
    for begin in range(0, len(statements), AT_ONCE):
        found.update(session.run(" UNION ALL ".join(statements[begin : begin + AT_ONCE])))
    return found


def _rows(session: Session, statement: str) -> dict[str, Any]:
    rows, digest = session.one(statement)
    return {"rows": rows, "digest": digest}


def _digest(definition: Any) -> str:
    text = json.dumps(definition, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
