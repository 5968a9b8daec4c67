"""Shipped program: may these roles back a PostgreSQL database up, and restore it? Standard library only, Python 3.9 or
newer.
"""

# Statements are put together of constants alone.
# ruff: noqa: S608

from __future__ import annotations

from typing import Any

from .program_error import ProgramError, listed
from .program_postgresql_client import OLDEST_SERVER, Session, Target, client

# The whole data is read or written by whoever may do all of this.
MISSING_RIGHTS = """
SELECT jsonb_build_object(
    'user', current_user,
    'all powerful', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
    'schemas', (SELECT coalesce(jsonb_agg(nspname ORDER BY nspname), '[]') FROM pg_namespace n
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT has_schema_privilege(n.oid, 'USAGE')),
    'tables', (SELECT coalesce(jsonb_agg(format('%I.%I', n.nspname, c.relname) ORDER BY n.nspname, c.relname), '[]')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
        AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(c.oid, 'SELECT')
                 WHEN c.relkind IN ('r', 'p') THEN NOT has_table_privilege(c.oid, 'SELECT') ELSE false END),
    'hidden', (SELECT coalesce(jsonb_agg(c.oid::regclass::text ORDER BY c.relname), '[]') FROM pg_class c
        WHERE c.relrowsecurity AND row_security_active(c.oid)),
    'large objects', (SELECT count(*) FROM pg_largeobject_metadata m
        WHERE NOT pg_has_role(m.lomowner, 'USAGE') AND NOT current_setting('lo_compat_privileges')::bool
        AND NOT EXISTS (SELECT 1 FROM aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'
            AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))),
    'mappings', (SELECT count(*) FROM pg_user_mappings),
    'subscriptions', (SELECT coalesce(jsonb_agg(quote_ident(subname) ORDER BY subname), '[]') FROM pg_subscription
        WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())),
    'prepared', (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()),
    'extensions', (SELECT coalesce(jsonb_agg(format('%s is at version %s, and a restore installs %s', e.extname,
            e.extversion, a.default_version) ORDER BY e.extname), '[]') FROM pg_extension e
        JOIN pg_available_extensions a ON a.name = e.extname WHERE a.default_version <> e.extversion),
    'invalid', (SELECT coalesce(jsonb_agg(i.indexrelid::regclass::text ORDER BY c.relname), '[]') FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid AND c.relkind = 'i'))
"""

# What has an owner, and how the owner's column is called. Large objects are asked for by themselves.
OWNED = (
    *(("pg_class", "relowner"), ("pg_namespace", "nspowner"), ("pg_proc", "proowner"), ("pg_type", "typowner")),
    *(("pg_operator", "oprowner"), ("pg_opclass", "opcowner"), ("pg_opfamily", "opfowner")),
    *(("pg_collation", "collowner"), ("pg_conversion", "conowner"), ("pg_statistic_ext", "stxowner")),
    *(("pg_ts_dict", "dictowner"), ("pg_ts_config", "cfgowner"), ("pg_foreign_server", "srvowner")),
    *(("pg_publication", "pubowner"), ("pg_language", "lanowner")),
)
# The server notes down no owner that is its first role, so what belongs to this one is looked for. What an extension
# brings is made by it, and what belongs to a table or a type by that.
OF_THE_FIRST = " UNION ALL ".join(
    f"SELECT {owner} FROM {catalog} o WHERE o.oid >= 16384 AND {owner} = 10"
    + (" AND o.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND o.relpersistence <> 't'" if catalog == "pg_class" else "")
    + f" AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = '{catalog}'::regclass AND d.objid = o.oid"
    " AND d.deptype IN ('e', 'i'))"
    for catalog, owner in OWNED
)
# Who may not change rights on what comes with the server or an extension only gets a warning for it, and then the copy
# differs from the backup.
CHANGED_RIGHTS = " UNION ALL ".join(
    f"SELECT format('the changed rights on %s', pg_describe_object('{catalog}'::regclass, o.oid, 0)) FROM {catalog} o"
    f" LEFT JOIN pg_init_privs i ON i.classoid = '{catalog}'::regclass AND i.objoid = o.oid AND i.objsubid = 0"
    f" WHERE o.{rights} IS DISTINCT FROM i.initprivs AND NOT pg_has_role(o.{owner}, 'MEMBER') AND {where}"
    " AND (o.oid < 16384 OR EXISTS (SELECT 1 FROM pg_depend d"
    f" WHERE d.classid = '{catalog}'::regclass AND d.objid = o.oid AND d.deptype = 'e'))"
    f" AND ARRAY(SELECT x::text FROM unnest(coalesce(o.{rights}, acldefault('{kind}', o.{owner}))) x ORDER BY 1)"
    f" <> ARRAY(SELECT x::text FROM unnest(coalesce(i.initprivs, acldefault('{kind}', o.{owner}))) x ORDER BY 1)"
    for catalog, rights, owner, kind, where in (
        ("pg_proc", "proacl", "proowner", "f", "true"),
        ("pg_class", "relacl", "relowner", "r", "o.relnamespace <> 'information_schema'::regnamespace"),
        ("pg_namespace", "nspacl", "nspowner", "n", "o.nspname <> 'information_schema'"),
        ("pg_language", "lanacl", "lanowner", "l", "true"),
        ("pg_type", "typacl", "typowner", "T", "true"),
    )
)
# From version 15 on a superuser can let others change a setting.
PARAMETERS = 15

# What a restore does beyond what everybody may: make a database, own what others own, see what policies hide. And what
# only a superuser may make.
RESTORING = f"""
WITH me AS (SELECT * FROM pg_roles WHERE rolname = current_user),
here AS (SELECT oid, datdba FROM pg_database WHERE datname = current_database()),
owners AS (SELECT DISTINCT refobjid AS role FROM pg_shdepend, here WHERE dbid = here.oid AND deptype = 'o'
    AND refclassid = 'pg_authid'::regclass UNION SELECT datdba FROM here UNION {OF_THE_FIRST}),
settings AS (SELECT setrole, split_part(unnest(setconfig), '=', 1) AS name FROM pg_db_role_setting, here
    WHERE setdatabase = here.oid)
SELECT jsonb_build_object(
    'user', current_user,
    'all powerful', (SELECT rolsuper FROM me),
    'makes databases', (SELECT rolcreatedb FROM me),
    'sees the place', pg_has_role('pg_read_all_settings', 'USAGE'),
    'sees all', (SELECT rolbypassrls FROM me) OR NOT EXISTS (SELECT 1 FROM pg_class WHERE relrowsecurity),
    'tablespaces', (SELECT coalesce(jsonb_agg(quote_ident(s.spcname) ORDER BY s.spcname), '[]') FROM pg_tablespace s
        WHERE NOT has_tablespace_privilege(s.oid, 'CREATE') AND s.oid IN (
            SELECT d.dattablespace FROM pg_database d JOIN here USING (oid) JOIN pg_database t
                ON t.datname = 'template0' AND t.dattablespace <> d.dattablespace
            UNION SELECT reltablespace FROM pg_class WHERE pg_class.oid >= 16384 AND relpersistence <> 't')),
    'strangers', (SELECT coalesce(jsonb_agg(quote_ident(pg_get_userbyid(role)) ORDER BY 1), '[]') FROM owners
        WHERE NOT pg_has_role(role, 'MEMBER')),
    'reserved', (SELECT coalesce(jsonb_agg(what ORDER BY what), '[]') FROM (
        SELECT DISTINCT format('the extension %s', e.extname) FROM pg_extension e JOIN pg_available_extension_versions v
            ON v.name = e.extname AND v.version = e.extversion WHERE v.superuser AND NOT v.trusted
        UNION ALL SELECT format('the event trigger %s', evtname) FROM pg_event_trigger WHERE oid >= 16384
        UNION ALL SELECT format('the foreign data wrapper %s', fdwname) FROM pg_foreign_data_wrapper WHERE oid >= 16384
        UNION ALL SELECT format('the publication %s', pubname) FROM pg_publication p WHERE puballtables OR EXISTS (
            SELECT 1 FROM pg_depend d WHERE d.refclassid = 'pg_publication'::regclass AND d.refobjid = p.oid
                AND d.classid = to_regclass('pg_publication_namespace'))
        UNION ALL SELECT DISTINCT format('the settings of the role %I', r.rolname) FROM settings, me, pg_roles r
            WHERE r.oid = setrole AND r.oid <> me.oid AND (r.rolsuper OR NOT me.rolcreaterole OR
                current_setting('server_version_num')::int >= 160000
                AND NOT pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'))
        UNION ALL SELECT DISTINCT format('the setting %s', s.name) FROM settings JOIN pg_settings s USING (name)
            WHERE s.context LIKE 'superuser%' AND NOT *settable*
        UNION ALL {CHANGED_RIGHTS}
        UNION ALL SELECT format('the function %s', p.oid::regprocedure) FROM pg_proc p JOIN pg_language l
            ON l.oid = p.prolang WHERE NOT l.lanpltrusted AND l.lanname <> 'sql' AND p.oid >= 16384 AND NOT EXISTS (
                SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        UNION ALL SELECT 'large objects of other roles' WHERE EXISTS (SELECT 1 FROM pg_largeobject_metadata
            WHERE NOT pg_has_role(lomowner, 'MEMBER'))) r(what)))
"""


def preflight(arguments: list[bytes]) -> dict[str, Any]:
    """Return warnings; what keeps the role from a whole backup is an error that names the grant."""
    target = Target(arguments[0])
    with Session(target, target.database) as session:
        version = int(session.one("SELECT current_setting('server_version_num')::int"))
        if version // 10000 < OLDEST_SERVER:
            raise ProgramError(
                "SourceError",
                f"the server of {target.database} is of version {version // 10000}",
                "nothing was touched",
                f"only PostgreSQL {OLDEST_SERVER} and newer are backed up; upgrade the server",
            )
        client("pg_dump", version)
        # Rows that a policy hides would be left out without a word; asked as if policies held.
        session.run("SET row_security = on")
        found = session.one(MISSING_RIGHTS)
    _require_rights(target, found)
    warnings = [*found["extensions"]]
    warnings += [f"the index {name} is not valid, so that no backup holds it" for name in found["invalid"]]
    for name in found["subscriptions"]:
        warnings.append(f"the subscription {name} is in no backup, and a restore needs it to be dropped before")
    if found["prepared"]:
        warnings.append(f"{found['prepared']} prepared transactions wait: what they changed is not in the backup")
    return {"warnings": warnings}


def _require_rights(target: Target, found: dict[str, Any]) -> None:
    role = found["user"]
    if found["all powerful"]:
        return
    for missing, what, hint in (
        ([*found["schemas"], *found["tables"]], "read", f"GRANT pg_read_all_data TO {role}"),
        (found["hidden"], "see all rows of", f"ALTER ROLE {role} BYPASSRLS"),
        (
            [f"{found['large objects']} large objects"] if found["large objects"] else [],
            "read",
            f"GRANT SELECT ON LARGE OBJECT … TO {role}, or ALTER ROLE {role} SUPERUSER",
        ),
        (
            [f"the options of {found['mappings']} user mappings"] if found["mappings"] else [],
            "read",
            f"only a superuser may: ALTER ROLE {role} SUPERUSER",
        ),
    ):
        if missing:
            raise ProgramError(
                "SourceError",
                f"the role {role} may not {what} {listed(missing)} in the database {target.database}",
                "nothing was touched",
                hint,
            )


def restorable(arguments: list[bytes]) -> dict[str, Any]:
    """Return as warnings what the role that connects may not do and a restore would need; a backup needs none of it."""
    target = Target(arguments[0])
    with Session(target, target.database) as session:
        version = int(session.one("SELECT current_setting('server_version_num')::int"))
        settable = "has_parameter_privilege(s.name, 'SET')" if version // 10000 >= PARAMETERS else "false"
        found = session.one(RESTORING.replace("*settable*", settable))
    role, warnings = found["user"], []
    if found["all powerful"]:
        # Checks, indexes and generated columns call functions, whose owner wrote them, as whoever loads the rows.
        return {
            "warnings": [
                f"the role {role} is a superuser: whoever owns a table of the database could use the whole live server"
                " when a copy is loaded into it; name a restore_user that is none, unless only a superuser can restore"
            ]
        }
    if not found["makes databases"]:
        warnings.append(f"the role {role} could not restore: ALTER ROLE {role} CREATEDB")
    if not found["sees the place"]:
        warnings.append(
            f"the role {role} could not see whether there is room for a restore: GRANT pg_monitor TO {role}"
        )
    if found["tablespaces"]:
        names = ", ".join(found["tablespaces"])
        warnings.append(f"the role {role} could not restore: GRANT CREATE ON TABLESPACE {names} TO {role}")
    if found["strangers"]:
        warnings.append(f"the role {role} could not restore: GRANT {', '.join(found['strangers'])} TO {role}")
    if not found["sees all"]:
        warnings.append(f"the role {role} could not prove a restore: ALTER ROLE {role} BYPASSRLS")
    if found["reserved"]:
        named = ", ".join(found["reserved"][:5]) + (" …" if len(found["reserved"]) > 5 else "")
        warnings.append(f"only a superuser could restore {named}, and {role} is none")
    return {"warnings": warnings}
