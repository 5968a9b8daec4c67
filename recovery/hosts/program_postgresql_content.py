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

from .program_postgresql_client import Session
from .program_postgresql_identity import DATABASE
from .program_postgresql_structure import QUERIES

ALGORITHM = "count and sum of hashtextextended of each row's text, version 1"
LARGE_OBJECTS = "(large objects)"
PIECE = 1 << 18
AT_ONCE = 100

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


# A restore installs the version that the server has: a copy with another one is told of, and is none the worse for it.
VERSIONS = """
SELECT coalesce(jsonb_object_agg(format('%s %s', extname, extversion), true), '{}') FROM pg_extension
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
    structure["extension versions"] = session.one(VERSIONS)
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
