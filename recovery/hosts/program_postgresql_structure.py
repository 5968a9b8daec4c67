"""Shipped program: what a PostgreSQL database holds outside of its rows, as queries that name nothing by number.

Standard library only, Python 3.9 or newer. Each query gives a name and a definition as jsonb; losing, adding or
changing any such object changes the fingerprint.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

from .program_postgresql_identity import ANY, IDENTITY, listed_rights, made_by_users, owner_name

COLUMNS = f"""
(SELECT jsonb_agg(jsonb_build_object(
    'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not null', a.attnotnull,
    'default', pg_get_expr(d.adbin, d.adrelid), 'identity', a.attidentity, 'generated', a.attgenerated,
    'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
    'storage', a.attstorage, 'compression', to_jsonb(a)->>'attcompression', 'statistics', a.attstattarget,
    'options', a.attoptions, 'foreign options', a.attfdwoptions,
    'acl', CASE WHEN a.attacl IS NOT NULL THEN {listed_rights("a.attacl", "c.relowner")} END)
  -- A child's own columns come behind inherited ones in a restored copy, wherever they stood before.
  ORDER BY CASE WHEN c.relispartition OR NOT EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhrelid = c.oid)
           THEN a.attnum END, a.attname)
 FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
 LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
"""

_FAMILY = "'pg_opfamily'::regclass"


def _others(catalog: str, owner: str, *definitions: str) -> str:
    """Objects of the rarer catalogs: identity, owner, and what else tells one from another."""
    facts = ", ".join(["'owner'", owner_name(f"o.{owner}") if owner else "NULL", *definitions])
    name = ANY.format(f"'{catalog}'::regclass", "o.oid", "0")
    return f"SELECT {name}, jsonb_build_object({facts}) FROM {catalog} o WHERE {made_by_users(catalog, 'o')}"


def _rights(catalog: str, alias: str, acl: str, owner: str, kind: str, extra: str = "true") -> str:
    """Rights on objects of one catalog; of what the server or an extension brought only those that were changed."""
    default = f"acldefault({kind}, {alias}.{owner})"
    initial = (
        f"coalesce((SELECT i.initprivs FROM pg_init_privs i WHERE i.classoid = '{catalog}'::regclass"
        f" AND i.objoid = {alias}.oid AND i.objsubid = 0), {default})"
    )
    listed = listed_rights(f"coalesce({alias}.{acl}, {default})", f"{alias}.{owner}")
    name = ANY.format(f"'{catalog}'::regclass", f"{alias}.oid", "0")
    return (
        f"SELECT {name}, {listed} FROM {catalog} {alias} WHERE ({extra}) AND (({made_by_users(catalog, alias)})"
        f" OR ({alias}.{acl} IS NOT NULL AND {listed} <> {listed_rights(initial, f'{alias}.{owner}')}))"
    )


def _members(condition: str) -> tuple[str, ...]:
    """Operators and functions of an operator family; `condition` is written with *m* for the prefix of columns."""
    sorted_by = IDENTITY.format(_FAMILY, "m.amopsortfamily", "0")
    operator = (
        "m.amopstrategy, m.amoplefttype::regtype::text, m.amoprighttype::regtype::text, m.amopopr::regoperator::text,"
        f" m.amoppurpose, CASE WHEN m.amopsortfamily <> 0 THEN {sorted_by} END"
    )
    function = (
        "m.amprocnum, m.amproclefttype::regtype::text, m.amprocrighttype::regtype::text, m.amproc::regprocedure::text"
    )
    return tuple(
        text
        for name, catalog, fields in (("operators", "pg_amop", operator), ("functions", "pg_amproc", function))
        for text in (
            f"'{name}'",
            f"(SELECT jsonb_agg(q.f ORDER BY q.f) FROM (SELECT jsonb_build_array({fields}) AS f FROM {catalog} m"
            f" WHERE {condition.replace('*m*', 'm.' + catalog.removeprefix('pg_'))}) q)",
        )
    )


_OPERATOR = (
    "jsonb_build_array(o.oprcode::text, o.oprcom::regoperator::text, o.oprnegate::regoperator::text, o.oprrest::text,"
    " o.oprjoin::text, o.oprcanmerge, o.oprcanhash)"
)
_OPERATOR_CLASS = (
    f"jsonb_build_array(o.opcdefault, {IDENTITY.format(_FAMILY, 'o.opcfamily', '0')}, o.opcintype::regtype::text,"
    " o.opckeytype::regtype::text)"
)
_OF = "*m*lefttype = o.opcintype AND *m*righttype = o.opcintype"

QUERIES: dict[str, str] = {
    "schemas": f"""
SELECT n.nspname::text, jsonb_build_object('owner', {owner_name("n.nspowner")}) FROM pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND NOT EXISTS (SELECT 1 FROM pg_depend e
    WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e')""",
    "relations": f"""
SELECT format('%I.%I', n.nspname, c.relname), jsonb_build_object(
    'kind', c.relkind, 'owner', {owner_name("c.relowner")}, 'persistence', c.relpersistence, 'options', c.reloptions,
    'toast options', (SELECT t.reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid),
    'row security', jsonb_build_array(c.relrowsecurity, c.relforcerowsecurity), 'replica identity', c.relreplident,
    'method', (SELECT amname FROM pg_am WHERE oid = c.relam), 'bound', pg_get_expr(c.relpartbound, c.oid),
    'key', CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END,
    'parents', (SELECT jsonb_agg(h.inhparent::regclass::text ORDER BY h.inhseqno)
                FROM pg_inherits h WHERE h.inhrelid = c.oid),
    'of type', nullif(c.reloftype, 0)::regtype::text, 'columns', {COLUMNS},
    'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
    'populated', CASE c.relkind WHEN 'm' THEN c.relispopulated END,
    'server', (SELECT jsonb_build_array(s.srvname, f.ftoptions) FROM pg_foreign_table f
               JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.relpersistence <> 't' AND {made_by_users("pg_class", "c")}""",
    "constraints": f"""
SELECT concat(coalesce(nullif(c.conrelid, 0)::regclass::text, c.contypid::regtype::text), '.', quote_ident(c.conname)),
    jsonb_build_object('definition', pg_get_constraintdef(c.oid))
FROM pg_constraint c WHERE c.conparentid = 0 AND c.contype <> 't' AND {made_by_users("pg_constraint", "c")}
AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.deptype = 'e' AND (e.classid, e.objid) IN
    (('pg_class'::regclass, c.conrelid), ('pg_type'::regclass, c.contypid)))""",
    "indexes": f"""
SELECT format('%I.%I', n.nspname, c.relname), jsonb_build_object(
    'definition', pg_get_indexdef(i.indexrelid), 'clustered', i.indisclustered, 'replica identity', i.indisreplident,
    'parent', (SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = c.oid),
    'statistics', (SELECT jsonb_agg(a.attstattarget ORDER BY a.attnum) FROM pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attnum > 0))
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = i.indrelid
WHERE n.nspname !~ '^pg_' AND (i.indisvalid OR c.relkind = 'I') AND c.relpersistence <> 't'
AND {made_by_users("pg_class", "r")}""",
    "sequences": f"""
SELECT format('%I.%I', n.nspname, c.relname), jsonb_build_object(
    'type', s.seqtypid::regtype::text, 'start', s.seqstart, 'increment', s.seqincrement, 'maximum', s.seqmax,
    'minimum', s.seqmin, 'cache', s.seqcache, 'cycle', s.seqcycle, 'owner', {owner_name("c.relowner")},
    'persistence', c.relpersistence,
    'column', (SELECT {IDENTITY.format("d.refclassid", "d.refobjid", "d.refobjsubid")} FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
        AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')))
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND {made_by_users("pg_class", "c")}""",
    "triggers": f"""
SELECT concat(t.tgrelid::regclass, '.', quote_ident(t.tgname)),
    jsonb_build_object('definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled)
FROM pg_trigger t WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND {made_by_users("pg_trigger", "t")}""",
    "rules": f"""
SELECT concat(r.ev_class::regclass, '.', quote_ident(r.rulename)),
    jsonb_build_object('definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled)
FROM pg_rewrite r WHERE r.rulename <> '_RETURN' AND {made_by_users("pg_rewrite", "r")}""",
    "policies": f"""
SELECT concat(p.polrelid::regclass, '.', quote_ident(p.polname)), jsonb_build_object(
    'command', p.polcmd, 'permissive', p.polpermissive, 'using', pg_get_expr(p.polqual, p.polrelid),
    'check', pg_get_expr(p.polwithcheck, p.polrelid),
    'roles', (SELECT jsonb_agg(coalesce(a.rolname, 'public') ORDER BY a.rolname)
              FROM unnest(p.polroles) r LEFT JOIN pg_roles a ON a.oid = r))
FROM pg_policy p WHERE {made_by_users("pg_policy", "p")}""",
    "functions": f"""
SELECT p.oid::regprocedure::text, jsonb_build_object('owner', {owner_name("p.proowner")}, 'kind', p.prokind,
    'definition', CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
    'aggregate', (SELECT to_jsonb(a) - 'aggfnoid' || jsonb_build_object('aggtranstype', a.aggtranstype::regtype::text,
        'aggmtranstype', a.aggmtranstype::regtype::text, 'aggsortop', a.aggsortop::regoperator::text,
        'called', jsonb_build_array(p.proparallel, p.proisstrict, p.provolatile))
        FROM pg_aggregate a WHERE a.aggfnoid = p.oid))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_' AND {made_by_users("pg_proc", "p")}
-- The constructors of a range come with its type.
AND NOT EXISTS (SELECT 1 FROM pg_depend e
    WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'i')""",
    "types": f"""
SELECT t.oid::regtype::text, jsonb_build_object('owner', {owner_name("t.typowner")}, 'kind', t.typtype,
    'labels', (SELECT jsonb_agg(l.enumlabel ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = t.oid),
    'base', CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) END, 'not null', t.typnotnull,
    'default', t.typdefault, 'collation', nullif(t.typcollation, 0)::regcollation::text,
    'range', (SELECT jsonb_build_array(r.rngsubtype::regtype::text, r.rngcollation::regcollation::text,
        {IDENTITY.format("'pg_opclass'::regclass", "r.rngsubopc", "0")}, r.rngcanonical::text, r.rngsubdiff::text)
        FROM pg_range r WHERE r.rngtypid = t.oid),
    'shape', jsonb_build_array(t.typlen, t.typbyval, t.typcategory, t.typispreferred, t.typdelim, t.typalign,
        t.typstorage, t.typinput::text, t.typoutput::text, t.typreceive::text, t.typsend::text, t.typmodin::text))
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype IN ('b', 'd', 'e', 'r') AND n.nspname !~ '^pg_' AND {made_by_users("pg_type", "t")}
AND NOT EXISTS (SELECT 1 FROM pg_type e WHERE e.typarray = t.oid)""",
    # Restored in the version that the server has, and owned by who restores it.
    "extensions": """
SELECT e.extname::text, jsonb_build_object('schema', n.nspname) FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql'""",
    "event triggers": f"""
SELECT t.evtname::text, jsonb_build_object('owner', {owner_name("t.evtowner")}, 'event', t.evtevent,
    'function', t.evtfoid::regprocedure::text, 'enabled', t.evtenabled, 'tags', t.evttags)
FROM pg_event_trigger t WHERE {made_by_users("pg_event_trigger", "t")}""",
    # Servers before 15 have no schemas, columns and filters of publications, nor the catalogs' columns for them.
    "publications": f"""
SELECT p.pubname::text, to_jsonb(p) - 'oid' - 'pubowner' || jsonb_build_object('owner', {owner_name("p.pubowner")},
    'tables', (SELECT jsonb_agg(jsonb_build_array(r.prrelid::regclass::text, to_jsonb(v)->'rowfilter',
            (SELECT jsonb_agg(a.attname ORDER BY a.attname) FROM pg_attribute a
             WHERE a.attrelid = r.prrelid AND to_jsonb(r)->'prattrs' @> to_jsonb(a.attnum)))
            ORDER BY r.prrelid::regclass::text)
        FROM pg_publication_rel r LEFT JOIN pg_publication_tables v ON v.pubname = p.pubname
            AND format('%I.%I', v.schemaname, v.tablename) = r.prrelid::regclass::text
        WHERE r.prpubid = p.oid),
    'schemas', (SELECT jsonb_agg(n.name ORDER BY n.name) FROM (
        SELECT {IDENTITY.format("d.classid", "d.objid", "0")} AS name FROM pg_depend d
        WHERE d.classid = to_regclass('pg_publication_namespace') AND d.refclassid = 'pg_publication'::regclass
            AND d.refobjid = p.oid) n))
FROM pg_publication p WHERE {made_by_users("pg_publication", "p")}""",
    "statistics": f"""
SELECT {IDENTITY.format("'pg_statistic_ext'::regclass", "s.oid", "0")}, jsonb_build_object(
    'owner', {owner_name("s.stxowner")}, 'definition', pg_get_statisticsobjdef(s.oid), 'target', s.stxstattarget)
FROM pg_statistic_ext s WHERE {made_by_users("pg_statistic_ext", "s")}""",
    "default privileges": f"""
SELECT concat_ws(' ', {owner_name("a.defaclrole")}, coalesce(n.nspname, '*'), a.defaclobjtype),
    {listed_rights("a.defaclacl", "a.defaclrole")}
FROM pg_default_acl a LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace""",
    "rights": " UNION ALL ".join(
        (
            _rights(
                "pg_class",
                "c",
                "relacl",
                "relowner",
                "CASE c.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r' END",
                "c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'"
                " AND c.relnamespace <> 'information_schema'::regnamespace",
            ),
            _rights("pg_proc", "p", "proacl", "proowner", "'f'"),
            _rights("pg_type", "t", "typacl", "typowner", "'T'", "t.typtype IN ('b', 'd', 'e', 'r') AND t.typelem = 0"),
            _rights(
                "pg_namespace",
                "n",
                "nspacl",
                "nspowner",
                "'n'",
                "n.nspname !~ '^(pg_(toast|temp)|information_schema$)'",
            ),
            _rights("pg_language", "l", "lanacl", "lanowner", "'l'"),
            _rights("pg_foreign_data_wrapper", "f", "fdwacl", "fdwowner", "'F'"),
            _rights("pg_foreign_server", "s", "srvacl", "srvowner", "'S'"),
        )
    ),
    "comments": f"""
SELECT {ANY.format("d.classoid", "d.objoid", "d.objsubid")}, to_jsonb(d.description) FROM pg_description d
WHERE (d.objoid >= 16384 OR (d.classoid = 'pg_namespace'::regclass AND d.objoid =
    (SELECT oid FROM pg_namespace WHERE nspname = 'public')))
AND d.classoid <> 'pg_subscription'::regclass
AND NOT EXISTS (SELECT 1 FROM pg_depend e
    WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')""",
    # Those of roles and of subscriptions, which no archive holds, are kept elsewhere.
    "security labels": f"""
SELECT {ANY.format("l.classoid", "l.objoid", "l.objsubid")} || ' ' || l.provider, to_jsonb(l.label)
FROM pg_seclabel l""",
    "others": " UNION ALL ".join(
        (
            _others("pg_language", "lanowner", "'trusted'", "o.lanpltrusted"),
            _others("pg_collation", "collowner", "'of'", "to_jsonb(o) - 'oid' - 'collnamespace' - 'collowner'"),
            _others(
                "pg_cast", "", "'by'", "o.castfunc::regprocedure::text", "'how'", "concat(o.castcontext, o.castmethod)"
            ),
            _others("pg_operator", "oprowner", "'facts'", _OPERATOR),
            # Its family may be the server's own, which is not listed.
            _others(
                "pg_opclass", "opcowner", "'facts'", _OPERATOR_CLASS, *_members(f"*m*family = o.opcfamily AND {_OF}")
            ),
            _others("pg_opfamily", "opfowner", *_members("*m*family = o.oid")),
            _others("pg_conversion", "conowner", "'by'", "o.conproc::text", "'default'", "o.condefault"),
            _others("pg_ts_parser", ""),
            _others("pg_ts_template", ""),
            _others("pg_ts_dict", "dictowner", "'options'", "o.dictinitoption"),
            _others(
                "pg_ts_config",
                "cfgowner",
                "'map'",
                "(SELECT jsonb_agg(jsonb_build_array(m.maptokentype, m.mapseqno, m.mapdict::regdictionary::text)"
                " ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = o.oid)",
            ),
            _others("pg_foreign_data_wrapper", "fdwowner", "'options'", "o.fdwoptions"),
            _others("pg_foreign_server", "srvowner", "'options'", "o.srvoptions"),
            _others("pg_transform", ""),
            _others("pg_am", "", "'by'", "o.amhandler::text"),
            f"SELECT {ANY.format('d.classid', 'd.objid', '0')} || ' depends on ' || x.extname, 'true'::jsonb"
            " FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid"
            " WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'x'",
        )
    ),
    "user mappings": """
SELECT concat_ws(' ', srvname, usename), jsonb_build_object('options', umoptions) FROM pg_user_mappings""",
}
