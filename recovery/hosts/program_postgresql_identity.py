"""Shipped program: how things of a PostgreSQL database are told apart without numbers: identity, owner and rights; and
what is said of the database itself. Standard library only, Python 3.9 or newer.
"""

# Statements are put together of constants.
# ruff: noqa: S608

from __future__ import annotations

IDENTITY = "(pg_identify_object({0}, {1}, {2})).identity"
ANY = "(pg_identify_object({0}, {1}, {2})).type || ' ' || " + IDENTITY


def made_by_users(catalog: str, alias: str) -> str:
    """The condition for what users made: not the server's own, and not a member of an extension, which brings it."""
    return (
        f"{alias}.oid >= 16384 AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = '{catalog}'::regclass"
        f" AND e.objid = {alias}.oid AND e.deptype = 'e')"
    )


def owner_name(column: str) -> str:
    """The name of a role, given the column with its number."""
    return f"pg_get_userbyid({column})"


def listed_rights(rights: str, owner: str) -> str:
    """Rights as a sorted list of words, the owner as *owner*: equal rights are equal, however they are written."""
    who = "CASE WHEN {0} = 0 THEN 'public' WHEN {0} = {1} THEN '*owner*' ELSE pg_get_userbyid({0})::text END"
    return (
        "(SELECT coalesce(jsonb_agg(r ORDER BY r), '[]') FROM (SELECT concat_ws(' ', "
        f"{who.format('g.grantee', owner)}, g.privilege_type, CASE WHEN g.is_grantable THEN 'grantable' END, 'by', "
        f"{who.format('g.grantor', owner)}) AS r FROM aclexplode({rights}) g) rights)"
    )


# Columns that older servers lack are read through JSON. Rules of ICU (from 16 on) are said only where there are some.
DATABASE = f"""
SELECT jsonb_build_object(
    'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
    'provider', coalesce(to_jsonb(d)->>'datlocprovider', 'c'),
    'locale', coalesce(to_jsonb(d)->>'daticulocale', to_jsonb(d)->>'datlocale'),
    'owner', {owner_name("d.datdba")}, 'connection limit', d.datconnlimit,
    'rights', {listed_rights("coalesce(d.datacl, acldefault('d', d.datdba))", "d.datdba")},
    'comment', shobj_description(d.oid, 'pg_database'),
    'settings', (SELECT coalesce(jsonb_object_agg(
        coalesce((SELECT rolname FROM pg_roles WHERE oid = s.setrole), ''), to_jsonb(s.setconfig)), '{{}}')
        FROM pg_db_role_setting s WHERE s.setdatabase = d.oid))
    || jsonb_strip_nulls(jsonb_build_object('icu rules', to_jsonb(d)->'daticurules'))
FROM pg_database d WHERE d.datname = current_database()
"""
