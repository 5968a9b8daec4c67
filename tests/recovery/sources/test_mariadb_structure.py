"""Whatever is lost, added or changed in a MariaDB database, its fingerprint shows it and says where."""

# Each statement and what it must give stand in one line.
# ruff: noqa: E501

from collections.abc import Iterator

import pytest

from recovery.hosts import program_mariadb_content
from tests.recovery.sources.mariadb_databases import Dumped
from tests.testbed.mariadb import MariaDBServer

# What it does to a copy, and the first words of what must be found. No two touch the same thing.
LOSSES = {
    "DROP TABLE masa": "object 'masa' is missing",
    "CREATE TABLE tambahan (a int)": "object 'tambahan' was not expected",
    "DELETE FROM tanpa_kunci WHERE isi IS NULL": "object 'tanpa_kunci' has 5 rows and not 6",
    "UPDATE surat SET isi = 'z' WHERE id = 2": "object 'surat' has other content (digest)",
    "UPDATE `Pegawai Negeri` SET pecahan = 1.17548e-38 WHERE `100%` = 7": "object 'Pegawai Negeri' has other content (digest)",
    "SET SESSION system_versioning_insert_history = 1; INSERT INTO jabatan (id, nama, row_start, row_end) VALUES (9, 'x', '2020-01-01', '2020-01-02')": "object 'jabatan' has",
    "ALTER TABLE `Pegawai Negeri` DROP INDEX cari": "structure: tables 'Pegawai Negeri' differs",
    "ALTER TABLE bernomor ALTER id DROP DEFAULT": "structure: tables 'bernomor' differs",
    "ALTER TABLE anak DROP FOREIGN KEY ke_induk": "structure: tables 'anak' differs",
    "ALTER TABLE kosong ENGINE = Aria": "structure: tables 'kosong' differs",
    "DROP SEQUENCE turun": "structure: sequences 'turun' is missing",
    "ALTER SEQUENCE naik MAXVALUE 1000000": "structure: sequences 'naik' differs",
    "DROP VIEW `a awal`": "structure: views 'a awal' is missing",
    "ALTER SQL SECURITY DEFINER VIEW pandangan AS SELECT 1 AS `NIP`, 2 AS g, 3 AS `100%`": "structure: views 'pandangan' differs",
    "DROP TRIGGER dikunci": "structure: triggers 'dikunci' is missing",
    "DROP TRIGGER satu": "structure: triggers 'satu' is missing",
    "DROP PROCEDURE tutup_buku": "structure: routines 'procedure tutup_buku' is missing",
    "ALTER FUNCTION gabung SQL SECURITY DEFINER": "structure: routines 'function gabung' differs",
    "SET sql_mode = 'ORACLE'; DROP PACKAGE BODY paket": "structure: routines 'package body paket' is missing",
    "DROP EVENT mati": "structure: events 'mati' is missing",
    "ALTER EVENT `tiap malam` COMMENT 'lain'": "structure: events 'tiap malam' differs",
    "ALTER DATABASE COLLATE utf8mb4_bin": "structure: database 'collation' differs",
    "ALTER DATABASE COMMENT 'lain'": "structure: database 'comment' differs",
}
COUNTERS = {
    "ALTER SEQUENCE naik RESTART 5": "structure: 'naik' stands at 0 and not at 4 or later",
    "ALTER TABLE kosong AUTO_INCREMENT = 3": "structure: 'kosong' stands at 3 and not at 77 or later",
    # Which of two triggers fires first.
    "DROP TRIGGER satu; CREATE TRIGGER satu AFTER INSERT ON surat FOR EACH ROW SET @x = 2": "structure: triggers 'satu' differs",
    "CREATE OR REPLACE FUNCTION lama() RETURNS varchar(9) CHARSET latin1 DETERMINISTIC RETURN 'LATIN1'": "structure: routines 'function lama' differs",
    "CREATE OR REPLACE DEFINER=`pemilik data`@localhost TRIGGER dikunci BEFORE UPDATE ON anak FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'data dikunci'": "structure: triggers 'dikunci' differs",
    "UPDATE `Pegawai Negeri` SET lahir = '2001-02-03' WHERE lahir = '0000-00-00'": "object 'Pegawai Negeri' has other content (digest)",
    "UPDATE tanpa_kunci SET isi = 'a', lain = NULL WHERE isi IS NULL": "object 'tanpa_kunci' has other content (digest)",
    "ALTER TABLE anak MODIFY induk int NOT NULL COMMENT 'x'": "structure: tables 'anak' differs",
}


@pytest.fixture(scope="module")
def found(rich_mariadb: Dumped, mariadb: MariaDBServer) -> Iterator[dict[str, list[str]]]:
    """What is different in two copies after everything was done to them."""
    result = {}
    for label, losses in (("satu", LOSSES), ("dua", COUNTERS)):
        copy = rich_mariadb.load(label)
        assert rich_mariadb.differences(copy) == []
        assert rich_mariadb.source.check(copy) == []
        for statement in losses:
            mariadb.execute(f"SET SESSION sql_mode = '';\n{statement};", copy)
        differences = rich_mariadb.differences(copy)
        result.update({statement: differences for statement in losses})
        rich_mariadb.source.discard(copy)
    yield result


@pytest.mark.parametrize("statement", [*LOSSES, *COUNTERS])
def test_each_loss_is_found_and_named(found: dict[str, list[str]], statement: str) -> None:
    wanted = {**LOSSES, **COUNTERS}[statement]
    assert [difference for difference in found[statement] if difference.startswith(wanted)], found[statement]


def test_there_is_an_object_of_every_kind(rich_mariadb: Dumped) -> None:
    """Without one, nothing above would prove that its kind is looked at."""
    structure = rich_mariadb.result.fingerprint.structure
    assert [kind for kind, named in structure.items() if not named] == []
    assert {name.split()[0] for name in structure["routines"]} == {"function", "procedure", "package"}


def test_counters_that_went_on_are_no_difference(rich_mariadb: Dumped, mariadb: MariaDBServer) -> None:
    copy = rich_mariadb.load("lanjut")
    mariadb.execute("SELECT NEXTVAL(naik), NEXTVAL(turun); ALTER TABLE kosong AUTO_INCREMENT = 90", copy)
    assert rich_mariadb.differences(copy) == []
    rich_mariadb.source.discard(copy)


def test_a_fingerprint_holds_no_value_of_the_data(rich_mariadb: Dumped) -> None:
    text = str(rich_mariadb.result.fingerprint.to_json())
    assert "000000000000000011" not in text
    assert "rahasia" not in text
    assert "komentar" not in text
    assert b"komentar" in rich_mariadb.result.server_globals


class FakeSession:
    """A server of release 10.11.14, which puts an aggregate's number into JSON as a text; that of the tests does not."""

    def run(self, _statement: str) -> list[list[str]]:
        return []

    def one(self, _statement: str) -> str:
        return '["2","36893488147419103232"]'

    def documents(self, _statement: str) -> list[list[object]]:
        return [["surat", "id", "int", None, None, ""]]


def test_a_release_that_counts_in_texts_gives_the_same_fingerprint() -> None:
    found = [{"name": "surat", "type": "BASE TABLE", "bytes": "16384"}]
    content = program_mariadb_content.rows(FakeSession(), "simpel", found)  # type: ignore[arg-type]
    assert {"surat": {"rows": 2, "digest": "36893488147419103232"}} == content
    assert {"objects": 1, "rows": 2, "bytes": 16384} == program_mariadb_content.assembled(content, {}, found)["totals"]
