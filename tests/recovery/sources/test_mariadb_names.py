"""A database whose name has every character that means something to SQL, to a shell, to a pattern or to a URL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.procedures.backup.b2_verify import judge_copy
from tests.recovery.sources.mariadb_databases import PLAIN, Dumped, dumped, scratch_of, source_of
from tests.testbed.mariadb import MariaDBServer

MOMENT = "2026-11-20T15:00:03.000000+00:00"
NAME = 'Data. "Induk" \'é`$(x);--_%?\\'
QUOTED = NAME.replace("`", "``")
# As rights on this database alone are written, and as rights on others that its name would match unless it is quoted.
PATTERN = QUOTED.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
# What names the database in its own text; a view, which the plain dump must leave out; and a table that it must not.
MORE = f"""
CREATE VIEW `{QUOTED}` AS SELECT nama FROM pegawai;
CREATE TABLE `kaya.{QUOTED}` (isi float); INSERT INTO `kaya.{QUOTED}` VALUES (1.5);
CREATE TRIGGER jauh AFTER INSERT ON catatan FOR EACH ROW DELETE FROM `{QUOTED}`.pegawai WHERE id < 0;
GRANT SELECT ON `{PATTERN}`.* TO pemakai@localhost;
GRANT UPDATE ON `{QUOTED}`.pegawai TO pemakai@localhost;
GRANT EXECUTE ON FUNCTION `{QUOTED}`.pajak TO pemakai@localhost;
"""


@pytest.fixture
def dump(mariadb: MariaDBServer) -> Iterator[Dumped]:
    mariadb.execute(f"CREATE USER pemakai@localhost; CREATE DATABASE `{QUOTED}`")
    mariadb.execute(PLAIN + MORE, NAME)
    source = source_of(mariadb, NAME)
    assert source.preflight() == []
    yield dumped(source)
    mariadb.execute(f"DROP USER pemakai@localhost; DROP DATABASE `{QUOTED}`")


def test_a_database_with_a_hostile_name_is_proven_swapped_and_swapped_back(
    dump: Dumped, mariadb: MariaDBServer, tmp_path: Path
) -> None:
    source, expected = dump.source, dump.result.fingerprint
    assert dump.result.warnings == ()
    assert set(expected.objects) == {"pegawai", "catatan", f"kaya.{NAME}"}
    assert set(expected.structure["views"]) == {"kaya", NAME}
    with scratch_of(source, tmp_path / "bukti") as scratch:
        # The rights of the backup are among what a load there compares.
        copy = dump.load("proof", into=scratch)
        assert dump.differences(copy, scratch) == []
        verdict = judge_copy(scratch, copy, expected, "", MOMENT, tmp_path)
        assert [check for check in verdict.checks if check.state != "pass"] == []
        assert verdict.state == "pass"
    copy = dump.load("uji")
    assert source.copies() == [copy] == [f"{NAME}.pulih-uji"]
    assert dump.differences(copy) == []
    assert judge_copy(source, copy, expected, "", MOMENT, tmp_path).state == "pass"
    assert source.ties() == []
    assert source.quiet()["proven"] is True
    mariadb.execute("UPDATE pegawai SET gaji = 0", NAME)
    damaged = source.fingerprint()
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    assert dump.differences(None) == []
    assert mariadb.rows(f"SELECT count(*) FROM `{QUOTED}`.`{QUOTED}`") == [(200,)]
    source.swap_back(receipt)
    assert source.live_is(receipt) == "old"
    assert damaged.differences(source.fingerprint()) == []
    source.swap(receipt)
    source.discard(copy)
    assert source.copies() == []
    assert dump.differences(None) == []
