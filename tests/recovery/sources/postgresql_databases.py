"""PostgreSQL databases for the tests of the source: a plain one, and one with every kind of object."""

import io
import itertools
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from recovery.hosts.local import LocalHost
from recovery.sources.base import Dump, Source
from recovery.sources.postgresql import PostgresqlSource
from recovery.sources.server import Account
from tests.testbed.postgresql import PostgreSQLServer

PIECE = 1 << 20
_numbers = itertools.count(1)

# Quotes of both kinds, blanks, letters beyond ASCII, and what a shell or SQL would take for its own.
HOSTILE = 'Data "Induk" \'é$(x);--'

PLAIN = """
CREATE TABLE pegawai (id serial PRIMARY KEY, nama text NOT NULL, gaji integer);
INSERT INTO pegawai (nama, gaji) SELECT 'Pegawai ' || n, n * 1000 FROM generate_series(1, 200) n;
CREATE INDEX pegawai_nama ON pegawai (nama);
"""

ROLES = """
CREATE ROLE "Pemilik Data" NOLOGIN;
CREATE ROLE aplikasi LOGIN CONNECTION LIMIT 7 IN ROLE "Pemilik Data";
CREATE ROLE pembaca;
CREATE ROLE regu IN ROLE pembaca;
CREATE ROLE "Rina Misal" LOGIN IN ROLE regu;
ALTER ROLE pembaca SET search_path = "Arsip Lama", public;
ALTER ROLE "Rina Misal" SET statement_timeout = '5s';
ALTER ROLE regu SET search_path = '';
"""

# Names that need quotes, values that are hard to write down, and objects outside of tables of every kind.
RICH = r"""
CREATE EXTENSION pg_trgm;
CREATE SCHEMA "Arsip Lama" AUTHORIZATION "Pemilik Data";
COMMENT ON SCHEMA "Arsip Lama" IS 'sampai 2020';
CREATE TYPE status AS ENUM ('aktif', 'pensiun', 'it''s "complicated"');
ALTER TYPE status ADD VALUE 'cuti' BEFORE 'pensiun';
-- commit
CREATE DOMAIN nip AS text CONSTRAINT nip_angka CHECK (VALUE ~ '^[0-9]{18}$');
CREATE TYPE alamat AS (jalan text, "No. Rumah" integer);
CREATE TYPE rentang_gaji AS RANGE (subtype = numeric);
CREATE COLLATION tanpa_kapital (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE FUNCTION gabung(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 || ':x' || $2 $$;
CREATE FUNCTION menolak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'data dikunci'; END $$;
CREATE PROCEDURE tutup_buku(tahun integer) LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE AGGREGATE rangkai(text) (SFUNC = gabung, STYPE = text, INITCOND = '');
CREATE OPERATOR ~~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = gabung);
CREATE FUNCTION setara(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT lower($1) = lower($2) $$;
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = setara, COMMUTATOR = ===, RESTRICT = eqsel,
    JOIN = eqjoinsel, HASHES);
CREATE OPERATOR FAMILY urutan USING btree;
CREATE OPERATOR CLASS teratur FOR TYPE integer USING btree FAMILY urutan
    AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int, int);
ALTER OPERATOR FAMILY urutan USING btree ADD OPERATOR 1 < (bigint, bigint), FUNCTION 1 btint8cmp(bigint, bigint);
CREATE OPERATOR CLASS tempat FOR TYPE point USING hash FAMILY text_ops AS OPERATOR 1 ~=;
CREATE CAST (alamat AS text) WITH INOUT;
ALTER PROCEDURE tutup_buku(integer) DEPENDS ON EXTENSION pg_trgm;

CREATE TABLE "Pegawai Negeri" (
    "NIP" nip PRIMARY KEY, "order" text COLLATE tanpa_kapital DEFAULT E'a\tb\nc\\', status status NOT NULL,
    rumah alamat, gaji rentang_gaji, riwayat status[], lahir timestamptz, lama interval, foto bytea, berat float8,
    lengkap text GENERATED ALWAYS AS ("order" || '!') STORED, nomor bigint GENERATED ALWAYS AS IDENTITY (START 100),
    data jsonb, bukan_dokumen xml, tabel regclass, kosong text);
INSERT INTO "Pegawai Negeri"
    ("NIP", "order", status, rumah, gaji, riwayat, lahir, lama, foto, berat, data, bukan_dokumen, tabel, kosong)
SELECT lpad(n::text, 18, '0'), repeat(E'''"\\\t', n % 5), (enum_range(NULL::status))[n % 4 + 1],
    ROW('Jl. "A", B', n)::alamat,
    rentang_gaji(n, n + 0.10), ARRAY['aktif', NULL]::status[],
    '2026-11-20 23:59:59.999999+07'::timestamptz - n * interval '1 day',
    interval '1 mon -1 day 00:00:00.5', decode(lpad(to_hex(n), 8, '0'), 'hex'), n / 3.0::float8,
    jsonb_build_object('kunci', n), '<a/>', 'pg_class'::regclass, CASE WHEN n % 2 = 0 THEN '' END
FROM generate_series(1, 300) n;
ALTER TABLE "Pegawai Negeri" ALTER COLUMN foto SET STORAGE EXTERNAL, ALTER COLUMN "order" SET STATISTICS 500;
COMMENT ON COLUMN "Pegawai Negeri"."order" IS 'kata yang dipesan';
CREATE INDEX "Indeks; DROP" ON "Pegawai Negeri" (lower("order")) WHERE status <> 'cuti';
CREATE INDEX cari ON "Pegawai Negeri" USING gin ("order" gin_trgm_ops);
CREATE STATISTICS hubungan ON status, "order" FROM "Pegawai Negeri";
GRANT SELECT ON "Pegawai Negeri" TO pembaca;
GRANT UPDATE (kosong) ON "Pegawai Negeri" TO pembaca;

CREATE TABLE induk (id integer PRIMARY KEY, anak_utama integer);
CREATE TABLE anak (id integer PRIMARY KEY, induk integer REFERENCES induk DEFERRABLE);
INSERT INTO induk VALUES (1, NULL); INSERT INTO anak VALUES (1, 1); UPDATE induk SET anak_utama = 1;
ALTER TABLE induk ADD CONSTRAINT melingkar FOREIGN KEY (anak_utama) REFERENCES anak DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE tanpa_kunci (isi text); INSERT INTO tanpa_kunci VALUES ('sama'), ('sama'), (NULL), ('');
CREATE TABLE tanpa_kolom (); INSERT INTO tanpa_kolom DEFAULT VALUES;
CREATE UNLOGGED TABLE sementara (id integer); INSERT INTO sementara VALUES (1);

CREATE TABLE surat (id bigserial, tahun integer NOT NULL, PRIMARY KEY (id, tahun)) PARTITION BY RANGE (tahun);
CREATE TABLE surat_2025 PARTITION OF surat FOR VALUES FROM (2025) TO (2026);
CREATE TABLE surat_lain (tahun integer NOT NULL, id bigint NOT NULL);
ALTER TABLE surat ATTACH PARTITION surat_lain DEFAULT;
INSERT INTO surat (tahun) SELECT 2020 + n % 8 FROM generate_series(1, 50) n;

CREATE TABLE dasar (a integer); CREATE TABLE turunan (z integer) INHERITS (dasar);
ALTER TABLE dasar ADD COLUMN b text DEFAULT 'b';
INSERT INTO turunan VALUES (1, 2, 'c'); INSERT INTO dasar VALUES (3, 'd');

CREATE TABLE "Arsip Lama"."select" (id integer PRIMARY KEY, isi text);
INSERT INTO "Arsip Lama"."select" VALUES (1, 'x'), (2, 'y');
ALTER TABLE "Arsip Lama"."select" OWNER TO "Pemilik Data";
ALTER TABLE "Arsip Lama"."select" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "Arsip Lama"."select" FORCE ROW LEVEL SECURITY;
CREATE POLICY sendiri ON "Arsip Lama"."select" TO aplikasi USING (id = 1);

CREATE VIEW pandangan AS SELECT "NIP", status FROM "Pegawai Negeri";
CREATE VIEW "pandangan atas pandangan" WITH (security_barrier) AS SELECT count(*) AS jumlah FROM pandangan;
CREATE MATERIALIZED VIEW rekap AS SELECT status, count(*) FROM "Pegawai Negeri" GROUP BY status;
CREATE MATERIALIZED VIEW rekap_kosong AS SELECT 1 AS satu WITH NO DATA;
CREATE RULE abaikan AS ON DELETE TO "Arsip Lama"."select" DO INSTEAD NOTHING;
CREATE TRIGGER dikunci BEFORE UPDATE ON induk FOR EACH ROW EXECUTE FUNCTION menolak();
CREATE TRIGGER lama BEFORE DELETE ON induk FOR EACH ROW EXECUTE FUNCTION menolak();
ALTER TABLE induk DISABLE TRIGGER lama;
CREATE FUNCTION catat() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER awasi ON ddl_command_end WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION catat();

CREATE SEQUENCE naik START 5 INCREMENT 3; SELECT nextval('naik'), nextval('naik');
CREATE SEQUENCE turun INCREMENT -1 MAXVALUE 10 START 10; SELECT nextval('turun'), nextval('turun');
CREATE SEQUENCE berputar MAXVALUE 3 CYCLE; SELECT setval('berputar', 2);
CREATE SEQUENCE belum; SELECT setval('belum', 40, false);

SELECT lo_from_bytea(70001, decode(repeat('ab', 600000), 'hex')), lo_from_bytea(70002, '');
ALTER LARGE OBJECT 70002 OWNER TO aplikasi; GRANT SELECT ON LARGE OBJECT 70001 TO pembaca;

CREATE TEXT SEARCH CONFIGURATION bahasa (COPY = simple);
CREATE FOREIGN DATA WRAPPER jauh; CREATE SERVER pusat FOREIGN DATA WRAPPER jauh OPTIONS (host 'pusat');
CREATE USER MAPPING FOR aplikasi SERVER pusat OPTIONS (kata 'rahasia');
CREATE FOREIGN TABLE di_pusat (id integer) SERVER pusat OPTIONS (nama 'x');
CREATE PUBLICATION siaran FOR TABLE induk;
CREATE PUBLICATION semua_arsip FOR TABLES IN SCHEMA "Arsip Lama";
CREATE PUBLICATION tersaring FOR TABLE "Pegawai Negeri" ("NIP", nomor) WHERE (nomor > 9), anak WITH (publish = insert);
ALTER DEFAULT PRIVILEGES IN SCHEMA "Arsip Lama" GRANT SELECT ON TABLES TO pembaca;
REVOKE EXECUTE ON FUNCTION gabung(text, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC;
"""

RICH_DATABASE = """
ALTER DATABASE {name} SET search_path = "Arsip Lama", public;
ALTER DATABASE {name} SET "app.versi" = '2''3\\';
ALTER ROLE aplikasi IN DATABASE {name} SET statement_timeout = '5s';
ALTER ROLE pembaca IN DATABASE {name} SET search_path = '', "a, ""b", "Arsip Lama";
ALTER DATABASE {name} CONNECTION LIMIT 33;
COMMENT ON DATABASE {name} IS 'data kepegawaian';
REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;
GRANT CONNECT ON DATABASE {name} TO aplikasi WITH GRANT OPTION;
ALTER DATABASE {name} OWNER TO "Pemilik Data";
"""


@dataclass(frozen=True)
class Dumped:
    """A dump in memory."""

    source: PostgresqlSource
    plain: bytes
    result: Dump

    def load(self, label: str = "uji", into: PostgresqlSource | None = None, plain: bytes | None = None) -> str:
        """Load it, or other bytes in its place, beside the live data or into a scratch source; return the copy."""
        source = into or self.source
        copy = source.beside(label)
        content = memoryview(self.plain if plain is None else plain)
        with source.load(copy, self.result.server_globals) as stream:
            for position in range(0, len(content), PIECE):
                stream.write(content[position : position + PIECE])
            stream.finish()
        return copy

    def differences(self, copy: str | None, source: Source | None = None) -> list[str]:
        """What is different in a copy, or in the live data."""
        return self.result.fingerprint.differences((source or self.source).fingerprint(copy))


def source_of(server: PostgreSQLServer, database: str, *, account: Account | None = None) -> PostgresqlSource:
    """A source on a server, by its administrator unless told otherwise."""
    account = account or Account(server.user)
    return PostgresqlSource(LocalHost(), database, server=str(server.directory), account=account, lock_timeout=3)


def make_database(server: PostgreSQLServer, statements: str = PLAIN) -> PostgresqlSource:
    """Make a database under a name of its own."""
    name = f"simpel{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name}")
    # A new label of an enum can be used when its transaction has ended.
    for part in statements.split("-- commit"):
        server.execute(part, name)
    return source_of(server, name)


def make_rich(server: PostgreSQLServer) -> PostgresqlSource:
    """Make the database with every kind of object; its roles are there once on a server."""
    with closing(connect(server, "postgres")) as connection:
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = 'pembaca'").fetchone():
            connection.execute(ROLES)
    source = make_database(server, RICH)
    for statement in RICH_DATABASE.format(name=source.database).strip().splitlines():
        server.execute(statement)
    return source


def connect(server: PostgreSQLServer, database: str):  # type: ignore[no-untyped-def]
    """A connection of the administrator, each statement on its own."""
    import psycopg

    return psycopg.connect(host=str(server.directory), user=server.user, dbname=database, autocommit=True)


def dumped(source: PostgresqlSource) -> Dumped:
    """Dump into memory."""
    buffer, plain = memoryview(bytearray(PIECE)), io.BytesIO()
    with source.dump() as stream:
        while count := stream.readinto(buffer):
            plain.write(buffer[:count])
        return Dumped(source, plain.getvalue(), stream.finish())


def scratch_of(source: PostgresqlSource, directory: Path) -> "closing[PostgresqlSource]":
    """A scratch source that ends with the block."""
    return closing(source.scratch(directory))
