"""Whatever is lost, added or changed in a PostgreSQL database, its fingerprint shows it and says where."""

# Each statement and what it must give stand in one line.
# ruff: noqa: E501

from collections.abc import Iterator

import pytest

from recovery.hosts.program_postgresql_client import Session, Target
from recovery.hosts.program_postgresql_content import fingerprint
from recovery.hosts.program_postgresql_structure import QUERIES
from recovery.sources.base import Fingerprint
from recovery.sources.postgresql import PostgresqlSource
from tests.recovery.sources.postgresql_databases import Dumped

# What it does to a copy, and the first words of what must be found.
LOSSES = {
    "DROP TABLE tanpa_kunci": "object 'public.tanpa_kunci' is missing",
    "DROP TABLE tanpa_kolom": "object 'public.tanpa_kolom' is missing",
    "DELETE FROM tanpa_kunci WHERE isi = ''": "object 'public.tanpa_kunci' has 3 rows and not 4",
    "UPDATE tanpa_kunci SET isi = NULL WHERE isi = ''": "object 'public.tanpa_kunci' has other content (digest)",
    "UPDATE tanpa_kunci SET isi = 'lain' WHERE isi = 'sama'": "object 'public.tanpa_kunci' has other content (digest)",
    "DELETE FROM surat_lain WHERE tahun = 2020": "object 'public.surat_lain' has",
    "DELETE FROM ONLY dasar": "object 'public.dasar' has 0 rows and not 1",
    "UPDATE turunan SET b = 'x'": "object 'public.turunan' has other content (digest)",
    "UPDATE \"Pegawai Negeri\" SET status = 'cuti' WHERE status = 'aktif'": "object 'public.\"Pegawai Negeri\"' has other",
    "UPDATE \"Pegawai Negeri\" SET tabel = 'pg_type'": "object 'public.\"Pegawai Negeri\"' has other",
    "INSERT INTO sementara VALUES (2)": "object 'public.sementara' has 2 rows",
    "SELECT lo_unlink(70002)": "object '(large objects)' has 1 rows and not 2",
    "SELECT lo_put(70001, 599999, 'x')": "object '(large objects)' has other content (digest)",
    "ALTER LARGE OBJECT 70002 OWNER TO postgres": "object '(large objects)' has other content (owners)",
    "REVOKE SELECT ON LARGE OBJECT 70001 FROM pembaca": "object '(large objects)' has other content (owners)",
    'ALTER SCHEMA "Arsip Lama" OWNER TO postgres': "structure: schemas 'Arsip Lama' differs",
    "CREATE SCHEMA baru": "structure: schemas 'baru' was not expected",
    "DROP VIEW pandangan CASCADE": "structure: relations 'public.\"pandangan atas pandangan\"' is missing",
    'ALTER VIEW "pandangan atas pandangan" RESET (security_barrier)': "structure: relations 'public.\"pandangan atas",
    "DROP MATERIALIZED VIEW rekap": "structure: relations 'public.rekap' is missing",
    "REFRESH MATERIALIZED VIEW rekap WITH NO DATA": "structure: relations 'public.rekap' differs",
    'ALTER TABLE "Pegawai Negeri" ALTER "order" DROP DEFAULT': "structure: relations 'public.\"Pegawai Negeri\"' differs",
    'ALTER TABLE "Pegawai Negeri" ALTER nomor DROP IDENTITY': "structure: relations 'public.\"Pegawai Negeri\"' differs",
    'ALTER TABLE "Pegawai Negeri" ALTER lengkap DROP EXPRESSION': "structure: relations 'public.\"Pegawai Negeri\"' dif",
    'ALTER TABLE "Pegawai Negeri" ALTER foto SET STORAGE MAIN': "structure: relations 'public.\"Pegawai Negeri\"' dif",
    'ALTER TABLE "Pegawai Negeri" ALTER status DROP NOT NULL': "structure: relations 'public.\"Pegawai Negeri\"' dif",
    "ALTER TABLE tanpa_kunci SET UNLOGGED": "structure: relations 'public.tanpa_kunci' differs",
    "ALTER TABLE tanpa_kunci OWNER TO pembaca": "structure: relations 'public.tanpa_kunci' differs",
    "ALTER TABLE tanpa_kunci SET (fillfactor = 50)": "structure: relations 'public.tanpa_kunci' differs",
    "ALTER TABLE surat DETACH PARTITION surat_2025": "structure: relations 'public.surat_2025' differs",
    "ALTER TABLE turunan NO INHERIT dasar": "structure: relations 'public.turunan' differs",
    'ALTER TABLE "Arsip Lama"."select" DISABLE ROW LEVEL SECURITY': 'structure: relations \'"Arsip Lama"."select"\' di',
    'DROP POLICY sendiri ON "Arsip Lama"."select"': 'structure: policies \'"Arsip Lama"."select".sendiri\' is missing',
    "ALTER TABLE anak DROP CONSTRAINT anak_induk_fkey": "structure: constraints 'public.anak.anak_induk_fkey' is missing",
    "ALTER TABLE induk ALTER CONSTRAINT melingkar NOT DEFERRABLE": "structure: constraints 'public.induk.melingkar' dif",
    "ALTER DOMAIN nip DROP CONSTRAINT nip_angka": "structure: constraints 'public.nip.nip_angka' is missing",
    'DROP INDEX "Indeks; DROP"': "structure: indexes 'public.\"Indeks; DROP\"' is missing",
    "DROP STATISTICS hubungan": "structure: statistics 'public.hubungan' is missing",
    "DROP TRIGGER dikunci ON induk": "structure: triggers 'public.induk.dikunci' is missing",
    "ALTER TABLE induk ENABLE TRIGGER lama": "structure: triggers 'public.induk.lama' differs",
    'DROP RULE abaikan ON "Arsip Lama"."select"': 'structure: rules \'"Arsip Lama"."select".abaikan\' is missing',
    "DROP PROCEDURE tutup_buku": "structure: functions 'public.tutup_buku(integer)' is missing",
    "DROP AGGREGATE rangkai(text)": "structure: functions 'public.rangkai(text)' is missing",
    "CREATE OR REPLACE AGGREGATE rangkai(text) (SFUNC = gabung, STYPE = text, INITCOND = '', PARALLEL = safe)": "structure: functions 'public.rangkai(text)' differs",
    "CREATE OR REPLACE AGGREGATE rangkai(text) (SFUNC = gabung, STYPE = text, INITCOND = '', MSFUNC = gabung, MINVFUNC = gabung, MSTYPE = text, MINITCOND = 'x')": "structure: functions 'public.rangkai(text)' differs",
    "ALTER FUNCTION menolak() SECURITY DEFINER": "structure: functions 'public.menolak()' differs",
    "ALTER TYPE status RENAME VALUE 'cuti' TO 'libur'": "structure: types 'public.status' differs",
    "ALTER DOMAIN nip SET NOT NULL": "structure: types 'public.nip' differs",
    "ALTER TYPE alamat ADD ATTRIBUTE kota text": "structure: relations 'public.alamat' differs",
    "DROP EXTENSION pg_trgm CASCADE": "structure: extensions 'pg_trgm' is missing",
    "DROP EVENT TRIGGER awasi": "structure: event triggers 'awasi' is missing",
    "ALTER EVENT TRIGGER awasi DISABLE": "structure: event triggers 'awasi' differs",
    "DROP PUBLICATION siaran": "structure: publications 'siaran' is missing",
    "ALTER PUBLICATION siaran ADD TABLE anak": "structure: publications 'siaran' differs",
    'ALTER PUBLICATION semua_arsip DROP TABLES IN SCHEMA "Arsip Lama"': "structure: publications 'semua_arsip' differs",
    'ALTER PUBLICATION tersaring SET TABLE "Pegawai Negeri" ("NIP", nomor), anak': "structure: publications 'tersaring' differs",
    'ALTER PUBLICATION tersaring SET TABLE "Pegawai Negeri" WHERE (nomor > 9), anak': "structure: publications 'tersaring' differs",
    'ALTER PUBLICATION tersaring SET TABLE "Pegawai Negeri" ("NIP", nomor) WHERE (nomor > 8), anak': "structure: publications 'tersaring' differs",
    "DROP SEQUENCE naik": "structure: sequences 'public.naik' is missing",
    "ALTER SEQUENCE naik INCREMENT 4": "structure: sequences 'public.naik' differs",
    "SELECT setval('naik', 5)": "structure: 'public.naik' stands at 1 and not at 2 or later",
    "SELECT setval('turun', 10)": "structure: 'public.turun' stands at 1 and not at 2 or later",
    "SELECT setval('belum', 39, false)": "structure: 'public.belum' stands at 38 and not at 39 or later",
    'REVOKE SELECT ON "Pegawai Negeri" FROM pembaca': "structure: rights 'table public.\"Pegawai Negeri\"' differs",
    'REVOKE UPDATE (kosong) ON "Pegawai Negeri" FROM pembaca': "structure: relations 'public.\"Pegawai Negeri\"' differs",
    "GRANT EXECUTE ON FUNCTION gabung(text, text) TO PUBLIC": "structure: rights 'function public.gabung(pg_catalog.te",
    "GRANT EXECUTE ON FUNCTION pg_sleep(float8) TO PUBLIC": "structure: rights 'function pg_catalog.pg_sleep(double pr",
    'ALTER DEFAULT PRIVILEGES IN SCHEMA "Arsip Lama" REVOKE SELECT ON TABLES FROM pembaca': "structure: default privi",
    'COMMENT ON COLUMN "Pegawai Negeri"."order" IS NULL': 'structure: comments \'table column public."Pegawai Negeri"',
    "COMMENT ON SCHEMA public IS 'lain'": "structure: comments 'schema public' differs",
    "DROP TEXT SEARCH CONFIGURATION bahasa": "structure: others 'text search configuration public.bahasa' is missing",
    "ALTER TEXT SEARCH CONFIGURATION bahasa DROP MAPPING FOR word": "structure: others 'text search configuration publi",
    "DROP OPERATOR ~~~ (text, text)": "structure: others 'operator public.~~~(pg_catalog.text,pg_catalog.text)' is mi",
    "ALTER OPERATOR === (text, text) SET (RESTRICT = NONE)": "structure: others 'operator public.===(pg_catalog.text,pg_catalog.text)' differs",
    "ALTER OPERATOR === (text, text) SET (JOIN = NONE)": "structure: others 'operator public.===(pg_catalog.text,pg_catalog.text)' differs",
    "ALTER OPERATOR FAMILY urutan USING btree DROP OPERATOR 1 (bigint, bigint)": "structure: others 'operator family public.urutan USING btree' differs",
    "ALTER OPERATOR FAMILY urutan USING btree DROP FUNCTION 1 (bigint, bigint)": "structure: others 'operator family public.urutan USING btree' differs",
    "DROP OPERATOR CLASS tempat USING hash; CREATE OPERATOR CLASS tempat FOR TYPE point USING hash FAMILY text_ops AS OPERATOR 1 <<": "structure: others 'operator class public.tempat USING hash' differs",
    "ALTER PROCEDURE tutup_buku(integer) NO DEPENDS ON EXTENSION pg_trgm": "structure: others 'procedure public.tutup_buku(integer) depends on pg_trgm' is missing",
    "DROP CAST (alamat AS text)": "structure: others 'cast (public.alamat AS pg_catalog.text)' is missing",
    "DROP FOREIGN TABLE di_pusat": "structure: relations 'public.di_pusat' is missing",
    "ALTER SERVER pusat OPTIONS (SET host 'lain')": "structure: others 'server pusat' differs",
    "ALTER USER MAPPING FOR aplikasi SERVER pusat OPTIONS (SET kata 'x')": "structure: user mappings 'pusat aplikasi' d",
    "COMMENT ON DATABASE {copy} IS 'lain'": "structure: database 'comment' differs",
    "ALTER ROLE aplikasi IN DATABASE {copy} RESET ALL": "structure: database 'settings' 'aplikasi' is missing",
    "ALTER DATABASE {copy} SET search_path = public": "structure: database 'settings' '' differs",
    "GRANT CONNECT ON DATABASE {copy} TO PUBLIC": "structure: database 'rights' differs",
    "ALTER DATABASE {copy} OWNER TO postgres": "structure: database 'owner' differs",
    "ALTER DATABASE {copy} CONNECTION LIMIT -1": "structure: database 'connection limit' differs",
}
# No rollback takes a sequence back.
AS_DUMPED = """SELECT to_jsonb(q::text) FROM (
    SELECT setval('public.naik', 8), setval('public.turun', 9), setval('public.belum', 40, false)) q"""
# What a private server cannot have: a security module.
NOT_MADE = {"security labels"}


@pytest.fixture(scope="module")
def copy(rich: Dumped) -> Iterator[str]:
    """A restored copy, which the tests change inside of transactions that are never committed."""
    name = rich.load("bentuk")
    yield name
    rich.source.discard(name)


@pytest.fixture(scope="module")
def session(rich: Dumped, copy: str) -> Iterator[Session]:
    """One session in the copy, as the shipped program has it."""
    with target_of(rich.source) as target, Session(Target(target.encode()), copy) as opened:
        yield opened


def target_of(source: PostgresqlSource):  # type: ignore[no-untyped-def]
    """What the source hands to the shipped program."""
    return source._target(source.account)


def test_a_restored_copy_is_equal_in_everything(rich: Dumped, copy: str) -> None:
    assert rich.differences(copy) == []


@pytest.mark.parametrize("statement", LOSSES)
def test_each_loss_is_found_and_named(rich: Dumped, session: Session, copy: str, statement: str) -> None:
    session.run("BEGIN")
    session.run("SET LOCAL search_path = public")
    session.run("SET LOCAL row_security = on")
    change = statement.format(copy=f'"{copy}"')
    # psql reads each answer as JSON: a SELECT that gives something else is wrapped.
    session.run(f"SELECT to_jsonb(q::text) FROM ({change}) q" if change.startswith("SELECT") else change)
    session.run("SET LOCAL search_path = pg_catalog")
    session.run("SET LOCAL row_security = off")
    found = rich.result.fingerprint.differences(Fingerprint.from_json(fingerprint(session)))
    session.run("ROLLBACK")
    session.run(AS_DUMPED)
    assert [difference for difference in found if difference.startswith(LOSSES[statement])], found


def test_there_is_an_object_of_every_kind(rich: Dumped) -> None:
    """Without one, nothing above would prove that its kind is looked at."""
    structure = rich.result.fingerprint.structure
    assert {kind for kind in QUERIES if not structure[kind]} == NOT_MADE


def test_sequences_that_went_on_are_no_difference(rich: Dumped, session: Session) -> None:
    session.run("BEGIN")
    session.run("SELECT to_jsonb(q::text) FROM (SELECT setval('public.naik', 50), setval('public.turun', -50)) q")
    found = rich.result.fingerprint.differences(Fingerprint.from_json(fingerprint(session)))
    session.run("ROLLBACK")
    session.run(AS_DUMPED)
    assert found == []


def test_a_fingerprint_holds_no_value_of_the_data(rich: Dumped) -> None:
    text = str(rich.result.fingerprint.to_json())
    assert "000000000000000123" not in text
    assert "rahasia" not in text
    # Settings of a database may be secrets; they travel encrypted.
    assert "app.versi" not in text
    assert b"app.versi" in rich.result.server_globals
