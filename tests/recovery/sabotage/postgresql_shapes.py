"""PostgreSQL databases of many shapes that are in order: each must be backed up and proven without a false alarm."""

# Statements stand as they are read best.
# ruff: noqa: E501

# Names of shapes to statements; `-- commit` ends a transaction, `-- database: …` says how the database is made.
GOOD = {
    "nothing at all": "SELECT 1",
    "mixed case, reserved words, quotes and blanks": r"""
        CREATE SCHEMA "Skema Baru; DROP"; CREATE SCHEMA "select";
        CREATE TABLE "select"."from" ("where" integer PRIMARY KEY, "A b" text, "kutip""ganda" text,
            "kutip'tunggal" text, "titik;koma--" text, "%s {x} $1 :x" text, "balik\garis" text, " depan" text,
            "sangat_panjang_sekali_nama_kolom_ini_sampai_enam_puluh_tiga_h" text, "👍" text);
        INSERT INTO "select"."from" VALUES (1, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i');
        CREATE TABLE "Skema Baru; DROP"."Tabel ""aneh"" ini" ("ID" serial PRIMARY KEY, "User" name DEFAULT current_user);
        INSERT INTO "Skema Baru; DROP"."Tabel ""aneh"" ini" DEFAULT VALUES;
        CREATE INDEX "Indeks, aneh" ON "select"."from" ("A b", lower("👍"));
        CREATE VIEW "user" AS SELECT "where" AS "order", "A b" AS "group" FROM "select"."from";
        CREATE TYPE "Tipe Aneh" AS ENUM ('a''b', 'c"d', '\e');
        CREATE FUNCTION "Fungsi Aneh"("a b" integer, "select" text = ''';--') RETURNS "Tipe Aneh" LANGUAGE sql
            AS $$ SELECT 'a''b'::public."Tipe Aneh" $$;
        COMMENT ON TABLE "select"."from" IS E'baris\nbaru ''dan'' "kutip" \\';
    """,
    "1,600 columns": """
        DO $$ BEGIN EXECUTE (SELECT 'CREATE TABLE lebar (' || string_agg(format('k%s integer DEFAULT %s', n, n), ', ')
            || ')' FROM generate_series(1, 1600) n); END $$;
        INSERT INTO lebar DEFAULT VALUES; INSERT INTO lebar (k1) VALUES (NULL);
    """,
    "no primary key, and rows that are equal": """
        CREATE TABLE t (a text, b integer); INSERT INTO t SELECT 'x', 1 FROM generate_series(1, 100);
        INSERT INTO t VALUES (NULL, NULL), ('', NULL), (NULL, 0);
    """,
    "circular and self-referring keys": """
        CREATE TABLE a (id integer PRIMARY KEY, b integer);
        CREATE TABLE b (id integer PRIMARY KEY, a integer REFERENCES a, atasan integer REFERENCES b);
        INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1, 2), (2, 1, 1);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
    """,
    "views on views, and views that know each other": """
        CREATE TABLE t (id integer PRIMARY KEY, x text);
        CREATE VIEW c AS SELECT id FROM t; CREATE VIEW b AS SELECT id FROM c; CREATE VIEW a AS SELECT b.* FROM b, c;
        CREATE VIEW saling AS SELECT 1 AS satu; CREATE VIEW lain AS SELECT satu FROM saling;
        CREATE OR REPLACE VIEW saling AS SELECT count(*)::integer AS satu FROM (SELECT 1 LIMIT 0) q;
        CREATE RECURSIVE VIEW hitung (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM hitung WHERE n < 9;
        CREATE VIEW diubah WITH (check_option = local) AS SELECT * FROM t WHERE id > 0;
        CREATE VIEW kelompok AS SELECT t.*, count(*) FROM t GROUP BY t.id;
    """,
    "materialized views upon each other, one of them empty": """
        CREATE TABLE t (a integer); INSERT INTO t SELECT generate_series(1, 9);
        CREATE MATERIALIZED VIEW satu AS SELECT sum(a) AS s FROM t;
        CREATE MATERIALIZED VIEW dua AS SELECT s * 2 AS d FROM satu; CREATE UNIQUE INDEX ON dua (d);
        CREATE MATERIALIZED VIEW kosong AS SELECT d FROM dua WITH NO DATA;
    """,
    "domains, enums, arrays, ranges and composites in each other": """
        CREATE DOMAIN positif AS integer CHECK (VALUE > 0); CREATE DOMAIN kecil AS positif CHECK (VALUE < 100);
        CREATE TYPE warna AS ENUM ('merah', 'putih'); CREATE TYPE titik AS (x positif, y kecil, w warna[]);
        CREATE TYPE garis AS (dari titik, ke titik); CREATE TYPE jangka AS RANGE (subtype = kecil);
        CREATE TABLE t (a kecil[], b warna[][], c titik, d garis[], e jangka, f int4multirange, g numrange[]);
        INSERT INTO t VALUES ('{1,2}', '{{merah,putih},{putih,NULL}}', ROW(1, 2, '{merah}'),
            ARRAY[ROW(ROW(1, 2, '{}'), NULL)::garis], '[1,5)', '{[1,3),[7,9)}', '{"[1,2]",empty}'); INSERT INTO t DEFAULT VALUES;
    """,
    "functions in several languages": """
        CREATE FUNCTION satu(a integer, b integer DEFAULT 2) RETURNS integer LANGUAGE sql AS 'SELECT a + b';
        CREATE FUNCTION satu(VARIADIC a text[]) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
            AS $f$ SELECT array_to_string(a, ';') $f$;
        CREATE FUNCTION baku(a integer) RETURNS integer BEGIN ATOMIC SELECT a + 1; END;
        CREATE FUNCTION baris() RETURNS TABLE (n integer, t text) LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog COST 5 ROWS 7 AS $f$ BEGIN RETURN QUERY SELECT 1, 'x'; END $f$;
        CREATE FUNCTION dalam(text) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'textlen';
        CREATE PROCEDURE kerja(INOUT a integer) LANGUAGE plpgsql AS $f$ BEGIN a := a + 1; COMMIT; END $f$;
        DO $$ BEGIN IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'plperl') THEN
            CREATE EXTENSION plperl;
            EXECUTE $q$ CREATE FUNCTION perl(text) RETURNS text LANGUAGE plperl AS 'return uc($_[0]);' $q$;
        END IF; END $$;
        CREATE TABLE t (a text, b integer GENERATED ALWAYS AS (dalam(a)) STORED, CHECK (satu(b, 1) > 0));
        CREATE INDEX ON t (dalam(a)); INSERT INTO t VALUES ('abc');
    """,
    "triggers that raise": """
        CREATE TABLE t (a integer); INSERT INTO t VALUES (1);
        CREATE FUNCTION tolak() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'tidak boleh'; END $f$;
        CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION tolak();
        CREATE TRIGGER b BEFORE TRUNCATE ON t EXECUTE FUNCTION tolak();
        CREATE CONSTRAINT TRIGGER c AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            EXECUTE FUNCTION tolak();
        ALTER TABLE t ENABLE ALWAYS TRIGGER a;
    """,
    "event triggers that raise": """
        CREATE TABLE t (a integer); INSERT INTO t VALUES (1);
        CREATE FUNCTION larang() RETURNS event_trigger LANGUAGE plpgsql
            AS $f$ BEGIN RAISE EXCEPTION 'tidak boleh'; END $f$;
        CREATE EVENT TRIGGER larang ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'DROP TABLE')
            EXECUTE FUNCTION larang();
    """,
    "partitions on several levels, with their columns in another order": """
        CREATE TABLE p (id bigint GENERATED ALWAYS AS IDENTITY, wilayah text, tahun integer,
            PRIMARY KEY (id, wilayah, tahun)) PARTITION BY LIST (wilayah);
        CREATE TABLE p_a PARTITION OF p FOR VALUES IN ('a', 'b') PARTITION BY RANGE (tahun);
        CREATE TABLE p_a_1 PARTITION OF p_a FOR VALUES FROM (MINVALUE) TO (2025);
        CREATE TABLE p_a_2 PARTITION OF p_a DEFAULT;
        CREATE TABLE p_lain (tahun integer NOT NULL, wilayah text NOT NULL, id bigint NOT NULL);
        ALTER TABLE p ATTACH PARTITION p_lain DEFAULT;
        CREATE TABLE h (a integer) PARTITION BY HASH (a);
        CREATE TABLE h_0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE h_1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        INSERT INTO p (wilayah, tahun) SELECT chr(97 + n % 4), 2020 + n % 9 FROM generate_series(1, 200) n;
        INSERT INTO h SELECT generate_series(1, 50); CREATE INDEX ON p (tahun);
    """,
    "generated and identity columns, and counters of every kind": """
        CREATE TABLE t (a integer GENERATED ALWAYS AS IDENTITY (START 7 INCREMENT 3), b integer GENERATED BY DEFAULT AS
            IDENTITY, c serial, d text GENERATED ALWAYS AS (upper(e)) STORED, e text COLLATE "C");
        INSERT INTO t (e) VALUES ('x'), ('y'); CREATE SEQUENCE s AS smallint CYCLE MAXVALUE 5; SELECT nextval('s');
        CREATE SEQUENCE turun INCREMENT -5 START -5; SELECT nextval('turun'), nextval('turun');
        CREATE SEQUENCE bersama; CREATE TABLE u (a bigint DEFAULT nextval('bersama'), b bigint DEFAULT nextval('bersama'));
        INSERT INTO u DEFAULT VALUES; ALTER SEQUENCE bersama OWNED BY u.b;
    """,
    "row security": """
        CREATE TABLE t (milik name DEFAULT current_user, x text); INSERT INTO t (x) VALUES ('rahasia');
        ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
        CREATE POLICY baca ON t FOR SELECT USING (milik = current_user AND x <> '');
        CREATE POLICY tulis ON t AS RESTRICTIVE FOR ALL TO PUBLIC USING (true) WITH CHECK (length(x) > 1);
    """,
    "extensions, in a schema of their own": """
        CREATE SCHEMA ekstensi; CREATE EXTENSION hstore SCHEMA ekstensi; CREATE EXTENSION citext SCHEMA ekstensi;
        CREATE EXTENSION pg_trgm; CREATE EXTENSION ltree; CREATE EXTENSION btree_gist;
        CREATE TABLE t (a ekstensi.hstore, b ekstensi.citext PRIMARY KEY, c ltree, d text, e tsrange,
            EXCLUDE USING gist (b WITH =, e WITH &&) WHERE (d IS NOT NULL));
        INSERT INTO t VALUES ('a=>1, b=>NULL', 'Satu', 'a.b.c', 'teks', '[2026-01-01,2026-02-01)');
        CREATE INDEX ON t USING gin (d gin_trgm_ops); CREATE INDEX ON t USING gist (c);
    """,
    "what later releases brought": """
        CREATE TABLE t (a integer); INSERT INTO t VALUES (1);
        DO $$ BEGIN IF current_setting('server_version_num')::integer >= 160000 THEN
            EXECUTE $q$ CREATE TABLE simpan (a text STORAGE EXTERNAL COMPRESSION pglz) $q$;
            EXECUTE $q$ CREATE VIEW objek AS SELECT JSON_ARRAY(1, 2), JSON_OBJECT('a': 1), '1' IS JSON AS sah $q$;
        END IF; END $$;
        DO $$ BEGIN IF current_setting('server_version_num')::integer >= 170000 THEN
            EXECUTE $q$ CREATE COLLATION bawaan (provider = builtin, locale = 'C.UTF-8') $q$;
            EXECUTE $q$ CREATE TABLE urut (a text COLLATE bawaan, b integer GENERATED ALWAYS AS IDENTITY) PARTITION BY LIST (a) $q$;
            EXECUTE $q$ CREATE TABLE urut_lain PARTITION OF urut DEFAULT $q$;
            EXECUTE $q$ INSERT INTO urut (a) VALUES ('é'), ('E') $q$;
            EXECUTE $q$ GRANT MAINTAIN ON t TO PUBLIC $q$;
            EXECUTE $q$ CREATE VIEW jalur AS SELECT * FROM JSON_TABLE('[1, 2]', '$[*]' COLUMNS (n integer PATH '$')) $q$;
            EXECUTE $q$ ALTER TABLE t ALTER COLUMN a SET STATISTICS DEFAULT $q$;
        END IF; END $$;
        DO $$ BEGIN IF current_setting('server_version_num')::integer >= 180000 THEN
            EXECUTE $q$ CREATE TABLE semu (a integer, b integer GENERATED ALWAYS AS (a * 2) VIRTUAL, c integer GENERATED ALWAYS AS (a + 1)) $q$;
            EXECUTE $q$ INSERT INTO semu VALUES (1), (NULL) $q$;
            EXECUTE $q$ CREATE TABLE longgar (a integer CONSTRAINT wajib NOT NULL NO INHERIT, b integer,
                CONSTRAINT tak_ditegakkan CHECK (a > 9) NOT ENFORCED, u uuid DEFAULT uuidv7()) $q$;
            EXECUTE $q$ INSERT INTO longgar VALUES (1, NULL) $q$;
            EXECUTE $q$ ALTER TABLE longgar ADD CONSTRAINT kelak NOT NULL b NOT VALID $q$;
            EXECUTE $q$ CREATE TABLE masa (id int4range, kurun tstzrange, PRIMARY KEY (id, kurun WITHOUT OVERLAPS)) $q$;
            EXECUTE $q$ CREATE TABLE rujuk (id int4range, kurun tstzrange, FOREIGN KEY (id, PERIOD kurun) REFERENCES masa (id, PERIOD kurun)) $q$;
            EXECUTE $q$ INSERT INTO masa VALUES ('[1,2)', '[2026-01-01,2026-02-01)'), ('[1,2)', '[2026-02-01,)') $q$;
        END IF; END $$;
    """,
    "values that are hard to write down": r"""
        CREATE TABLE t (a float8, b float4, c numeric, d date, e timestamptz, f interval, g text, h bytea, i jsonb, j json,
            k xml, l inet, m macaddr, n bit varying, o money, p point, q polygon, r tsvector, s uuid, t char(5), u "char",
            v time with time zone, w box, x pg_lsn, y regclass, z oid[]);
        INSERT INTO t (a, b, c, d, e, f, g) VALUES ('NaN', '-Infinity', 'NaN', 'infinity', '-infinity', '-1 mon 1 day', ''),
            (5e-324, 1.17549435e-38, 1e-1000, '4713-01-01 BC', '0044-03-15 BC', '178000000 years', E'\t\n\\N\\.'),
            (-0.0, 3.4028235e38, 1.00, '2026-02-28', '2026-03-29 02:30:00.000001+07', '0', repeat('🇮🇩', 1000)),
            (1e308, 0.1, 1.0, '5874897-12-31', '294276-12-31', '1.5 sec', E'\u202e\ufeff e\u0301');
        INSERT INTO t (h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z) VALUES ('\x00ff', '{"b": 1, "a": [null]}',
            '{"b":1,  "b":2}', '<a b="c">&amp;</a>', '10.0.0.1/8', '08:00:2b:01:02:03', B'', '-12.34', '(1,2)',
            '((0,0),(1,1))', 'a:1A fat:2,4', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'x', 'y', '23:59:59.5+07',
            '(1,1),(0,0)', '16/B374D848', 'pg_class', '{1,2}');
    """,
    "a row of eight megabytes": """
        CREATE TABLE t (a text, b bytea);
        INSERT INTO t SELECT string_agg(md5(n::text), ''), decode(string_agg(md5(n::text), ''), 'hex')
        FROM generate_series(1, 262144) n;
    """,
    "large objects, one of them empty": """
        SELECT lo_from_bytea(0, decode(repeat('ff00', 1000000), 'hex')), lo_from_bytea(0, '');
    """,
    "inheritance, tables without columns, dropped columns": """
        CREATE TABLE induk (a integer, b text, CHECK (a > 0)); CREATE TABLE anak (c integer) INHERITS (induk);
        CREATE TABLE cucu () INHERITS (anak); INSERT INTO induk VALUES (1, 'x'); INSERT INTO anak VALUES (2, 'y', 3);
        INSERT INTO cucu VALUES (4, 'z', 5); CREATE TABLE hampa (); INSERT INTO hampa DEFAULT VALUES;
        CREATE TABLE t (a integer, b integer, c integer); INSERT INTO t VALUES (1, 2, 3);
        ALTER TABLE t DROP COLUMN b, ADD COLUMN d integer DEFAULT 9; ALTER TABLE induk ADD COLUMN e text DEFAULT 'e';
    """,
    "another encoding": """
        -- database: ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0
        CREATE TABLE "résumé" ("naïf" text); INSERT INTO "résumé" VALUES ('café ÿ'), (NULL);
        COMMENT ON TABLE "résumé" IS 'déjà vu';
    """,
    "settings and rights of the database": """
        DO $$ BEGIN
            EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Jakarta''', current_database());
            EXECUTE format('ALTER DATABASE %I SET datestyle = ''SQL, DMY''', current_database());
            EXECUTE format('ALTER DATABASE %I SET bytea_output = ''escape''', current_database());
            EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -10', current_database());
            EXECUTE format('ALTER DATABASE %I SET search_path = ''$user'', pg_temp', current_database());
            EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
            EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''1ms''', current_database());
        END $$;
        CREATE TABLE public.t (a timestamptz, b date, c bytea, d float8);
        INSERT INTO public.t VALUES ('2026-11-20 23:00+00', '2026-01-02', '\\x00ff', 0.1 + 0.2);
    """,
}
QUICK = ("mixed case, reserved words, quotes and blanks", "settings and rights of the database")


def many_tables(number: int) -> str:
    """Return statements that make so many tables, each with keys, an index, rows and a counter."""
    return f"""
        CREATE TABLE unit (id integer PRIMARY KEY); INSERT INTO unit SELECT generate_series(1, 9);
        DO $$ BEGIN FOR n IN 1..{number - 1} LOOP
            EXECUTE format('CREATE TABLE tabel_%s (id serial PRIMARY KEY, unit integer REFERENCES unit, a text NOT NULL,'
                ' b numeric(12,2), c date, d boolean DEFAULT true, e jsonb, f text)', n);
            EXECUTE format('INSERT INTO tabel_%s (unit, a, b, c, e, f) SELECT 1 + m %% 9, ''baris '' || m, m / 7.0,'
                ' ''2026-01-01''::date + m, ''{{"k": 1}}'', repeat(''x'', m) FROM generate_series(1, 200) m', n);
            EXECUTE format('CREATE INDEX ON tabel_%s (a)', n);
        END LOOP; END $$;
    """
