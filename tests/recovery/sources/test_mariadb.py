"""MariaDB databases: dumped in one snapshot while writers go on, restored whole or not at all."""

import io
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pymysql
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError

from recovery.errors import (
    ConfigurationError,
    ConflictError,
    SourceCorruptError,
    SourceError,
    SourceLockedError,
    SourceMissingError,
)
from recovery.hosts.program_error import ProgramError
from recovery.hosts.program_mariadb_client import (
    Session,
    Target,
    as_option_file,
    client,
    server_version,
)
from recovery.hosts.program_mariadb_dump import LongestStatement, _Dumping
from recovery.hosts.program_mariadb_dump import dump as dump_program
from recovery.hosts.program_mariadb_errors import explained
from recovery.hosts.program_mariadb_load import _add_zones
from recovery.procedures.backup.b2_verify import judge_copy
from recovery.quality.judge import judge
from recovery.sources.mariadb import MariadbSource
from recovery.sources.mariadb_scratch import MariadbScratch
from recovery.sources.server import Account
from recovery.sources.server_globals import read_globals
from tests.recovery.hosts.looking import wait_for, watched_processes
from tests.recovery.sources.mariadb_databases import Dumped, dumped, make_database, scratch_of, source_of
from tests.testbed.mariadb import MariaDBServer, run_mariadb

MOMENT = "2026-11-20T15:00:03.000000+00:00"
PASSWORD = "kata sandi: yang # \\ 'sulit\" ;"

TARGET = b"""{"server": "", "port": 0, "user": "", "database": "simpel", "private": "", "lock_timeout": 1,
"lock_nontransactional": false, "write_binlog": true}"""
REFUSED = "check user and password; without a password only an account of the host with that name gets in"
LEDGER = """
CREATE TABLE rekening (id int PRIMARY KEY, saldo bigint NOT NULL);
INSERT INTO rekening SELECT seq, 1000 FROM seq_1_to_40;
CREATE TABLE mutasi (id bigint AUTO_INCREMENT PRIMARY KEY, dari int, ke int);
INSERT INTO mutasi (dari, ke) SELECT 1, 2 FROM seq_1_to_20000;
"""
# More than all pipes between a server and a test hold, in few statements.
THICK = """
CREATE TABLE tebal (isi longtext);
INSERT INTO tebal SELECT REPEAT(CHAR(64 + seq), 1000000) FROM seq_1_to_10;
"""


@contextmanager
def transfers(server: MariaDBServer, database: str) -> Iterator[None]:
    """Somebody moves money between accounts, as fast as the server lets him; the sum stays what it was."""
    end, begun = threading.Event(), threading.Event()

    def write() -> None:
        with closing(server.connect(database)) as connection, connection.cursor() as cursor:
            number = 0
            while not end.is_set():
                number += 1
                source, target = 1 + number * 7 % 40, 1 + number * 11 % 40
                cursor.execute("BEGIN")
                cursor.execute(f"UPDATE rekening SET saldo = saldo - 1 WHERE id = {source}")
                cursor.execute(f"INSERT INTO mutasi (dari, ke) VALUES ({source}, {target})")
                cursor.execute(f"UPDATE rekening SET saldo = saldo + 1 WHERE id = {target}")
                cursor.execute("COMMIT")
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        end.set()
        writer.join()


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.endurance)])
def test_while_money_moves_each_dump_is_one_moment(mariadb: MariaDBServer, rounds: int) -> None:
    source = make_database(mariadb, LEDGER)
    moved = set()
    with transfers(mariadb, source.database):
        for number in range(rounds):
            dump = timed(source)
            copy = dump.load(f"ke-{number}")
            assert dump.differences(copy) == []
            assert mariadb.rows("SELECT sum(saldo) FROM rekening", copy) == [(40_000,)]
            moved.add(dump.result.fingerprint.objects["mutasi"]["rows"])
            source.discard(copy)
    assert len(moved) == rounds
    assert source.copies() == []


def timed(source: MariadbSource) -> Dumped:
    """Dump into memory; commits were kept back for a part of that time."""
    begun = time.monotonic()
    dump = dumped(source)
    assert 0 <= dump.result.snapshot["lock_milliseconds"] < (time.monotonic() - begun) * 1000
    return dump


def test_every_kind_of_object_comes_back_in_a_server_of_its_own(rich_mariadb: Dumped, tmp_path: Path) -> None:
    with scratch_of(rich_mariadb.source, tmp_path / "bukti") as scratch:
        copy = rich_mariadb.load("proof", into=scratch)
        assert rich_mariadb.differences(copy, scratch) == []
        verdict = judge_copy(scratch, copy, rich_mariadb.result.fingerprint, "", MOMENT, tmp_path)
        # What that server has built this minute it is not asked to read again.
        assert checked(scratch.server) == 0
    assert [check for check in verdict.checks if check.state != "pass"] == []
    assert verdict.state == "pass"


def checked(path: str) -> int:
    """How often a server looked through a table."""
    with closing(pymysql.connect(unix_socket=path, user="root")) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Com_check'")
        return int(cursor.fetchall()[0][1])


def test_rights_on_packages_come_back_by_the_globals(mariadb: MariaDBServer, tmp_path: Path) -> None:
    source = make_database(mariadb)
    mariadb.execute(
        "SET SESSION sql_mode = 'ORACLE';\nDELIMITER //\nCREATE PACKAGE paket AS FUNCTION satu RETURN INT; END//\n"
        "DELIMITER ;\nCREATE USER pemakai@localhost; GRANT EXECUTE ON PACKAGE paket TO pemakai@localhost;",
        source.database,
    )
    try:
        dump = dumped(source)
        with scratch_of(source, tmp_path / "bukti") as scratch:
            assert dump.differences(dump.load("proof", into=scratch), scratch) == []
    finally:
        mariadb.execute("DROP USER pemakai@localhost")


def test_rights_that_the_globals_do_not_give_fail_the_proof(rich_mariadb: Dumped, tmp_path: Path) -> None:
    whole = rich_mariadb.result.server_globals
    line = next(line for line in whole.splitlines() if line.startswith(b"GRANT ") and b"`surat`" in line)
    lacking = whole.replace(line + b"\n", b"")
    with (
        scratch_of(rich_mariadb.source, tmp_path / "bukti") as scratch,
        pytest.raises(SourceCorruptError, match="do not give the rights that the backup lists: 1 differ"),
        scratch.load(scratch.beside("proof"), lacking) as stream,
    ):
        stream.write(rich_mariadb.plain)
        stream.finish()


def test_the_judge_finds_what_a_copy_lost(rich_mariadb: Dumped, mariadb: MariaDBServer, tmp_path: Path) -> None:
    before = checked(str(mariadb.socket))
    copy = rich_mariadb.load("rusak")
    mariadb.execute("DELETE FROM tanpa_kunci WHERE isi IS NULL; DROP TRIGGER dikunci", copy)
    mariadb.execute("SET foreign_key_checks = 0; DELETE FROM induk WHERE id = 2", copy)
    verdict = judge_copy(rich_mariadb.source, copy, rich_mariadb.result.fingerprint, "", MOMENT, tmp_path)
    rich_mariadb.source.discard(copy)
    assert checked(str(mariadb.socket)) > before
    assert verdict.state == "fail"
    assert {(check.name, check.object) for check in verdict.checks if check.state != "pass"} == {
        ("row_count", "tanpa_kunci"),
        ("fingerprint", "tanpa_kunci"),
        ("row_count", "induk"),
        ("fingerprint", "induk"),
        ("orphans", "anak"),
        ("totals", "(seluruh basis data)"),
        ("triggers", "(seluruh basis data)"),
    }


def test_an_owners_rules_are_judged_by_a_session_that_only_reads(rich_mariadb: Dumped, tmp_path: Path) -> None:
    rules = tmp_path / "aturan.yaml"
    rules.write_text("""
name: pegawai
meta: {asset: Pegawai Negeri}
expectations:
- {type: expect_column_values_to_match_regex, kwargs: {column: NIP, regex: "^[0-9]{18}$"}}
---
name: surat
meta: {asset: surat}
expectations:
- {type: unexpected_rows_expectation, kwargs: {unexpected_rows_query: "SELECT 1 AS x FROM {batch} WHERE tahun > 2020"}}
""")
    copy = rich_mariadb.load("aturan")
    verdict = judge_copy(rich_mariadb.source, copy, rich_mariadb.result.fingerprint, str(rules), MOMENT, tmp_path)
    url = rich_mariadb.source.judge_url(copy, tmp_path)
    engine = create_engine(url)
    with closing(engine.connect()) as judging, pytest.raises(DatabaseError, match="READ ONLY transaction"):
        judging.execute(text("DELETE FROM induk"))
    engine.dispose()
    with pytest.raises(ConfigurationError, match="a copy is judged through a read-only connection only"):
        expected = rich_mariadb.result.fingerprint
        judge(url.replace("tx_read_only", "x"), expected, expected, suite=None, moment=datetime.now(UTC))
    rich_mariadb.source.discard(copy)
    found = {(check.object, check.name): check.state for check in verdict.checks if "expect" in check.name}
    assert found == {
        ("Pegawai Negeri", "expect_column_values_to_match_regex (NIP)"): "pass",
        ("surat", "unexpected_rows_expectation"): "fail",
    }


@pytest.mark.parametrize("position", [300, -5])
def test_a_damaged_dump_leaves_no_copy(rich_mariadb: Dumped, position: int) -> None:
    with pytest.raises(SourceCorruptError, match="the content of the backup ends before its end; nothing was kept"):
        rich_mariadb.load("putus", plain=rich_mariadb.plain[:position])
    assert rich_mariadb.source.copies() == []


def test_what_is_no_dump_is_a_bad_backup(rich_mariadb: Dumped) -> None:
    with pytest.raises(SourceCorruptError, match="is no dump of MariaDB"):
        rich_mariadb.load("asing", plain=b"bukan dump" * 100)


def test_an_error_of_the_client_fails_the_load_and_tells_no_value(rich_mariadb: Dumped) -> None:
    row = b"(1,2019,'a')"
    assert row in rich_mariadb.plain
    with pytest.raises(SourceError, match="Column count doesn't match value count at row 1"):
        rich_mariadb.load("salah", plain=rich_mariadb.plain.replace(row, b"(1,2019)"))
    assert rich_mariadb.source.copies() == []
    target = Target(TARGET)
    said = "ERROR 1062 (23000) at line 7: Duplicate entry '350301' for key 'PRIMARY'"
    assert explained(said, target, "").report["message"] == (
        "the database simpel on the local socket: Duplicate entry …"
    )


def test_an_abandoned_load_leaves_nothing(rich_mariadb: Dumped) -> None:
    copy = rich_mariadb.source.beside("tinggal")
    with rich_mariadb.source.load(copy, rich_mariadb.result.server_globals) as stream:
        stream.write(rich_mariadb.plain[:10_000])
    assert rich_mariadb.source.copies() == []


def test_a_copy_is_never_made_twice_and_a_half_one_is_made_anew(rich_mariadb: Dumped, mariadb: MariaDBServer) -> None:
    copy = rich_mariadb.load("dua-kali")
    with pytest.raises(ConflictError, match=f"the copy {copy} exists already; it was not changed"):
        rich_mariadb.load("dua-kali")
    assert rich_mariadb.source.copies() == [copy]
    # As a load that was killed leaves it.
    mariadb.execute("UPDATE `~pulih` SET value = '\"loading\"' WHERE name = 'state'", copy)
    rich_mariadb.load("dua-kali")
    assert rich_mariadb.differences(copy) == []
    rich_mariadb.source.discard(copy)


def test_an_account_that_the_server_lacks_is_named(rich_mariadb: Dumped) -> None:
    wanting = rich_mariadb.result.server_globals.replace(b'"definers": [', b'"definers": ["`pergi`@`%`", ', 1)
    copy = rich_mariadb.source.beside("akun")
    lacking = pytest.raises(
        SourceError, match="the server lacks accounts in whose name objects of the backup work: `per"
    )
    with lacking, rich_mariadb.source.load(copy, wanting) as stream:
        stream.write(rich_mariadb.plain)
        stream.finish()
    assert rich_mariadb.source.copies() == []


def test_the_server_killed_while_it_dumps_or_loads_fails_the_work(tmp_path: Path) -> None:
    with run_mariadb() as server:
        source = make_database(server, LEDGER)
        dump = dumped(source)
        server.execute(THICK, source.database)
        with source.dump() as stream:
            stream.readinto(bytearray(100))
            server.kill()
            with pytest.raises(SourceError, match="simpel"):
                while stream.readinto(bytearray(1 << 20)):
                    pass
                stream.finish()
        server.start()
        copy = source.beside("putus")
        with pytest.raises(SourceError), source.load(copy, dump.result.server_globals) as stream:
            stream.write(dump.plain[: len(dump.plain) // 2])
            server.kill()
            stream.write(dump.plain[len(dump.plain) // 2 :])
            stream.finish()
        server.start()
        # The half copy is known as such, and gives way.
        assert dump.differences(dump.load("putus")) == []
        assert source.copies() == [copy]


def test_whoever_holds_commits_back_already_stops_a_dump_in_time(mariadb: MariaDBServer) -> None:
    source = make_database(mariadb)
    source.lock_timeout = 1
    with closing(mariadb.connect()) as other, other.cursor() as cursor:
        cursor.execute("BACKUP STAGE START")
        with pytest.raises(SourceLockedError, match="Lock wait timeout exceeded"):
            dumped(source)
        cursor.execute("BACKUP STAGE END")


def test_a_locked_table_stops_a_dump_in_time_and_commits_go_on(mariadb: MariaDBServer) -> None:
    source = make_database(mariadb, LEDGER)
    source.lock_timeout = 1
    with closing(mariadb.connect(source.database)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES mutasi WRITE, rekening READ")
        with pytest.raises(SourceLockedError, match="Lock wait timeout exceeded"):
            dumped(source)
        cursor.execute("INSERT INTO mutasi (dari, ke) VALUES (1, 2)")
        cursor.execute("UNLOCK TABLES")
    assert len(dumped(source).plain) > 0


def test_the_time_for_which_a_dump_waits_to_keep_commits_back_is_counted(mariadb: MariaDBServer) -> None:
    source = make_database(mariadb)
    waiting = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO = 'BACKUP STAGE START' AND TIME_MS >= 400"
    with ThreadPoolExecutor(1) as pool, closing(mariadb.connect(source.database)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES pegawai WRITE")
        dumping = pool.submit(timed, source)
        try:
            wait_until(lambda: bool(mariadb.rows(waiting)))
        finally:
            cursor.execute("UNLOCK TABLES")
        assert dumping.result().result.snapshot["lock_milliseconds"] >= 400
    assert timed(source).result.snapshot["lock_milliseconds"] < 400


def test_commits_are_kept_back_by_a_session_that_the_server_ends_soon(
    mariadb: MariaDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_database(mariadb)
    run, seen = Session.run, []

    def looking(session: Session, statement: str, encoding: str = "utf-8") -> list[list[str]]:
        found = run(session, statement, encoding)
        if statement.startswith("BACKUP STAGE BLOCK"):
            seen.append(session.one("SELECT @@wait_timeout"))
        return found

    monkeypatch.setattr(Session, "run", looking)
    with source._target(source.account) as target:
        dump_program([target.encode()])
    # Four times the three seconds of these sources, and ten.
    assert seen == ["22"]


def test_a_dump_that_reads_nothing_does_not_keep_commits_back_for_ever() -> None:
    target = Target(TARGET)
    with (
        _Dumping(["sleep", "60"], target) as dumping,
        pytest.raises(ProgramError, match="mariadb-dump read nothing of the database simpel for 1 s"),
    ):
        dumping.wait_until_begun()


def test_who_changes_the_structure_meanwhile_makes_the_dump_fail(mariadb: MariaDBServer) -> None:
    source = make_database(mariadb, THICK)
    with source.dump() as stream:
        stream.readinto(bytearray(100))
        mariadb.execute("CREATE VIEW baru AS SELECT 1", source.database)
        with pytest.raises(SourceError, match=f"somebody changed baru in the database {source.database} while it was"):
            while stream.readinto(bytearray(1 << 20)):
                pass
            stream.finish()


IDLE = "idle_transaction_timeout", "idle_readonly_transaction_timeout", "idle_write_transaction_timeout"


def test_sessions_that_wait_for_slow_readers_and_writers_are_not_ended(mariadb: MariaDBServer) -> None:
    """A server may end whoever says nothing in a transaction: so do the measuring session, and one that loads."""
    source = make_database(mariadb, THICK)

    def idle(database: str) -> bool:
        sleeping = (
            "SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = '{}' AND COMMAND = 'Sleep' AND TIME_MS >= 1500"
        )
        return bool(mariadb.rows(sleeping.format(database)))

    mariadb.execute(f"SET GLOBAL {', GLOBAL '.join(f'{name} = 1' for name in IDLE)}")
    try:
        plain, buffer = io.BytesIO(), bytearray(1 << 20)
        with source.dump() as stream:
            plain.write(buffer[: stream.readinto(memoryview(buffer)[:100])])
            wait_until(lambda: idle(source.database))
            while count := stream.readinto(buffer):
                plain.write(buffer[:count])
            dump = Dumped(source, plain.getvalue(), stream.finish())
        copy = source.beside("lambat")
        middle = len(dump.plain) * 6 // 10
        with source.load(copy, dump.result.server_globals) as load:
            load.write(dump.plain[:middle])
            wait_until(lambda: idle(copy))
            load.write(dump.plain[middle:])
            load.finish()
    finally:
        mariadb.execute(f"SET GLOBAL {', GLOBAL '.join(f'{name} = 0' for name in IDLE)}")
    assert dump.differences(copy) == []
    source.discard(copy)


def test_a_row_that_is_longer_than_the_server_takes_is_told_before_a_restore_and_by_it(mariadb: MariaDBServer) -> None:
    """In a dump a BLOB is twice as long. Rows of tables with FLOAT columns come another way, each as it is."""
    source = make_database(mariadb)
    mariadb.execute(
        "CREATE TABLE berkas (isi longblob); INSERT INTO berkas VALUES (REPEAT('x', 1500000)), ('y');"
        "CREATE TABLE pecahan (isi longblob, pecah float);"
        "INSERT INTO pecahan VALUES (REPEAT('x', 400000), 1), (REPEAT('x', 950000), 2), ('y', 3)",
        source.database,
    )
    (before,) = mariadb.rows("SELECT @@GLOBAL.max_allowed_packet")
    assert dumped(source).result.warnings == ()
    mariadb.execute("SET GLOBAL max_allowed_packet = 2097152")
    try:
        dump = dumped(source)
        longest = dump.result.snapshot["longest_statement"]
        assert 3_000_000 < longest < 3_001_000
        warning = (
            f"the longest statement of a dump has {longest} bytes and the server takes 2097152, so that a restore"
            " beside the live data would fail: SET GLOBAL max_allowed_packet = 3145728, and the same in its"
            " configuration"
        )
        assert dump.result.warnings == (warning,)
        assert [warning] == [message for message, _mend in source.unloadable({"snapshot": dump.result.snapshot})]
        with pytest.raises(SourceError) as raised:
            dump.load("panjang")
        assert "raise max_allowed_packet on the server, where a row is longer than it takes" in raised.value.hint
        mariadb.execute("SET GLOBAL max_allowed_packet = 3145728")
        assert source.unloadable({"snapshot": dump.result.snapshot}) == []
        copy = dump.load("panjang")
        assert dump.differences(copy) == []
        source.discard(copy)
        # The server puts together no more than it takes, and what it does not is no NULL in a backup.
        mariadb.execute("INSERT INTO pecahan VALUES (REPEAT('x', 1600000), 1)", source.database)
        with pytest.raises(SourceError, match="a row of the table pecahan is longer than the server can put together"):
            dumped(source)
    finally:
        mariadb.execute(f"SET GLOBAL max_allowed_packet = {before[0]}")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_the_longest_statement_is_measured_wherever_a_dump_is_cut(size: int) -> None:
    statements = [b"SET a", b"INSERT INTO t VALUES\n('" + b"x" * 120 + b"',';')", b"", b"UNLOCK"]
    plain = b"".join(each + b";\n" for each in statements)
    longest = LongestStatement()
    for position in range(0, len(plain), size):
        longest.add(plain[position : position + size])
    assert longest.bytes == max(map(len, statements))


def test_tables_without_a_snapshot_are_refused_or_locked(mariadb: MariaDBServer) -> None:
    source = make_database(mariadb, LEDGER + "CREATE TABLE lama (a int) ENGINE=MyISAM; INSERT INTO lama VALUES (1);")
    for refused in (source.preflight, lambda: dumped(source)):
        with pytest.raises(SourceError, match=r"know no snapshot: lama \(MyISAM\)") as raised:
            refused()
        assert raised.value.hint.startswith("ALTER TABLE … ENGINE=InnoDB, or set lock_nontransactional")
    source.lock_nontransactional = True
    assert source.preflight() == []
    end = threading.Event()

    def write() -> None:
        with closing(mariadb.connect(source.database)) as connection, connection.cursor() as cursor:
            while not end.is_set():
                cursor.execute("INSERT INTO lama VALUES (1)")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        dump = dumped(source)
    finally:
        end.set()
        writer.join()
    copy = dump.load()
    assert dump.differences(copy) == []
    source.discard(copy)


def test_what_names_the_live_database_waits_until_it_is_live(mariadb: MariaDBServer) -> None:
    source = make_database(mariadb)
    name = source.database
    mariadb.execute(
        f"CREATE FUNCTION jumlah() RETURNS int READS SQL DATA RETURN (SELECT count(*) FROM {name}.pegawai);"
        "CREATE VIEW memanggil AS SELECT jumlah() AS n;"
        f"CREATE TRIGGER jauh AFTER INSERT ON catatan FOR EACH ROW DELETE FROM `{name}`.pegawai WHERE id < 0;",
        name,
    )
    dump = dumped(source)
    copy = dump.load()
    assert dump.differences(copy) == []
    made = f"SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '{copy}'"
    assert mariadb.rows(made) == [("pajak",)]
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    assert dump.differences(None) == []
    assert mariadb.rows("SELECT n FROM memanggil", name) == [(200,)]
    source.discard(copy)


def test_double_quotes_around_the_live_database_are_a_name_too(mariadb: MariaDBServer) -> None:
    source = make_database(mariadb)
    name = source.database
    mariadb.execute(
        "SET SESSION sql_mode = 'ANSI_QUOTES';"
        f'CREATE TRIGGER jauh AFTER INSERT ON catatan FOR EACH ROW DELETE FROM "{name}"."pegawai" WHERE id < 0;',
        name,
    )
    dump = dumped(source)
    copy = dump.load()
    assert dump.differences(copy) == []
    made = f"SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '{copy}'"
    assert mariadb.rows(made) == [("dicatat",)]
    source.discard(copy)


def test_what_is_hard_to_make_again_is_made_again(mariadb: MariaDBServer, tmp_path: Path) -> None:
    """A comment with a quotation mark and backslashes, and options that a strict server refuses."""
    source = make_database(mariadb)
    mariadb.execute(
        "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES', innodb_strict_mode = 0;"
        "ALTER DATABASE COMMENT 'it''s a\\b\\';"
        "CREATE TABLE tua (a int) ENGINE=InnoDB ROW_FORMAT=DYNAMIC KEY_BLOCK_SIZE=4;",
        source.database,
    )
    with pytest.raises(AssertionError, match="errno: 140"):
        mariadb.execute("CREATE TABLE x (a int) ENGINE=InnoDB ROW_FORMAT=DYNAMIC KEY_BLOCK_SIZE=4", source.database)
    dump = dumped(source)
    copy = dump.load()
    assert dump.differences(copy) == []
    source.discard(copy)
    with scratch_of(source, tmp_path / "bukti") as scratch:
        assert dump.differences(dump.load("proof", into=scratch), scratch) == []
        assert scratch.fingerprint().structure["database"] == dump.result.fingerprint.structure["database"]


@pytest.mark.parametrize("write_binlog", [True, False])
def test_copies_and_swaps_are_in_the_binary_log_when_they_shall_be(mariadb: MariaDBServer, write_binlog: bool) -> None:
    source = make_database(mariadb)
    source.write_binlog = write_binlog
    dump = dumped(source)
    before = mariadb.rows("SELECT @@gtid_binlog_pos")
    copy = dump.load()
    loaded = mariadb.rows("SELECT @@gtid_binlog_pos")
    source.swap(source.prepare_swap(copy))
    swapped = mariadb.rows("SELECT @@gtid_binlog_pos")
    source.discard(copy)
    assert (before != loaded, loaded != swapped) == (write_binlog, write_binlog)
    assert (swapped != mariadb.rows("SELECT @@gtid_binlog_pos")) == write_binlog


def test_an_event_of_a_copy_never_runs(mariadb: MariaDBServer) -> None:
    """While that of the live data does; and when the copy is live, it is the other one that is silent."""
    source = make_database(mariadb)
    mariadb.execute(
        "CREATE EVENT tiap_detik ON SCHEDULE EVERY 1 SECOND DO INSERT INTO catatan VALUES ('x')", source.database
    )
    dump = dumped(source)
    copy = dump.load()
    status = "SELECT EVENT_NAME, STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '{}' ORDER BY 1"
    assert mariadb.rows(status.format(copy)) == [("tiap_detik", "DISABLED"), ("tiap_hari", "DISABLED")]
    with events_run(mariadb, source.database):
        wait_until(lambda: fired(mariadb, source.database) >= 2)
    assert fired(mariadb, copy) == 0
    assert dump.differences(copy) == []
    before = fired(mariadb, source.database)
    source.swap(source.prepare_swap(copy))
    assert mariadb.rows(status.format(source.database)) == [("tiap_detik", "ENABLED"), ("tiap_hari", "ENABLED")]
    assert mariadb.rows(status.format(copy)) == []
    with events_run(mariadb, source.database):
        wait_until(lambda: fired(mariadb, source.database) >= 1)
    assert fired(mariadb, copy) == before
    source.discard(copy)
    mariadb.execute(f"DROP DATABASE `{source.database}`")


def fired(server: MariaDBServer, database: str) -> int:
    """How often the event of a database wrote its row."""
    ((count,),) = server.rows("SELECT count(*) FROM catatan", database)
    return int(count)


@contextmanager
def events_run(server: MariaDBServer, database: str) -> Iterator[None]:
    """The server runs events within the block; behind it none of the database is still at work."""
    server.execute("SET GLOBAL event_scheduler = ON")
    try:
        yield
    finally:
        server.execute("SET GLOBAL event_scheduler = OFF")
    working = f"SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = '{database}'"
    wait_until(lambda: server.rows(working) == [])


# --- what is said before anything is begun ----------------------------------------------------------------------------


def test_a_missing_database_is_said_to_be_missing(mariadb: MariaDBServer) -> None:
    make_database(mariadb)
    with pytest.raises(SourceMissingError, match="there is no database tiada on") as raised:
        source_of(mariadb, "tiada").preflight()
    assert raised.value.hint.startswith("correct the name in the inventory (upper and lower case differ)")


def test_a_server_that_does_not_answer_is_said_so(rich_mariadb: Dumped, tmp_path: Path) -> None:
    source = MariadbSource(rich_mariadb.source.host, "simpel", server=str(tmp_path / "s"))
    with pytest.raises(SourceError, match="Can't connect to local server") as raised:
        source.preflight()
    assert raised.value.hint == "see whether the server runs and listens there"


def test_a_broken_view_is_named_before_a_backup(mariadb: MariaDBServer) -> None:
    source = make_database(mariadb)
    mariadb.execute(
        "DROP FUNCTION pajak; CREATE TABLE x (a int); CREATE VIEW v AS SELECT a FROM x; DROP TABLE x", source.database
    )
    with pytest.raises(SourceError, match="refer to what is not there: v"):
        source.preflight()


def test_rights_by_a_pattern_are_named_before_a_backup_and_no_restore_gives_them(mariadb: MariaDBServer) -> None:
    """They reach other databases, too. And a history of transactions, which no dump can hold, is refused."""
    source = make_database(mariadb)
    pattern = f"{source.database[:-1]}_%"
    mariadb.execute(f"CREATE USER pola@localhost; GRANT SELECT ON `{pattern}`.* TO pola@localhost WITH GRANT OPTION")
    statement = f"GRANT SELECT ON `{pattern}`.* TO `pola`@`localhost` WITH GRANT OPTION"
    try:
        assert [f"given by a pattern of names, so that no restore gives it: {statement}"] == source.preflight()
        whole = dumped(source).result.server_globals
    finally:
        mariadb.execute("DROP USER pola@localhost")
    assert [statement] == read_globals(whole)["grants by pattern"]
    assert [] == [line for line in whole.splitlines()[1:] if b"pola" in line]
    assert [] == source.preflight()
    mariadb.execute(
        "CREATE TABLE riwayat (a int, awal bigint unsigned GENERATED ALWAYS AS ROW START, akhir bigint unsigned"
        " GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (awal, akhir)) WITH SYSTEM VERSIONING",
        source.database,
    )
    with pytest.raises(SourceError, match="the history of riwayat is one of transactions, which cannot be") as raised:
        source.preflight()
    assert raised.value.hint.endswith("or make ROW START and ROW END columns of type TIMESTAMP(6)")


@pytest.mark.parametrize("name", ["mysql", "sys", "", "a/b"])
def test_no_database_of_the_server_itself_is_a_component(rich_mariadb: Dumped, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a component of kind mariadb"):
        MariadbSource(rich_mariadb.source.host, name)


def test_a_name_that_leaves_no_room_for_a_copy_is_refused(rich_mariadb: Dumped) -> None:
    source = MariadbSource(
        rich_mariadb.source.host, "n" * 60, server=rich_mariadb.source.server, account=rich_mariadb.source.account
    )
    with pytest.raises(ConfigurationError, match="is longer than MariaDB allows"):
        Dumped(source, rich_mariadb.plain, rich_mariadb.result).load()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("8.0.36", "says that it is 8.0.36, which is no MariaDB"),
        ("10.5.29-MariaDB-log", "is of version 10.5.29"),
    ],
)
def test_other_servers_are_refused_by_a_sentence(said: str, expected: str) -> None:
    answering = SimpleNamespace(one=lambda _statement: said, target=Target(TARGET))
    with pytest.raises(ProgramError) as raised:
        server_version(answering)  # type: ignore[arg-type]
    assert raised.value.report["message"] == f"the server of simpel {expected}"


def test_programs_older_than_the_server_are_refused() -> None:
    with pytest.raises(
        ProgramError, match=r"mariadb-dump is of version 10\.\d+\.\d+ and the server of version 99\.1\.0"
    ):
        client("mariadb-dump", "99.1.0")


# --- accounts ---------------------------------------------------------------------------------------------------------


def test_a_password_is_in_no_process_list_and_stays_nowhere(
    mariadb: MariaDBServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does anybody write it down: neither our log, nor the server's ones, nor an error."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    caplog.set_level(logging.DEBUG)
    source = make_database(mariadb)
    quoted_password = PASSWORD.replace("\\", "\\\\").replace("'", "''")
    mariadb.execute(
        f"CREATE USER berkunci@localhost IDENTIFIED BY '{quoted_password}'; GRANT ALL ON *.* TO berkunci@localhost"
    )
    source.account = source.restore_account = Account("berkunci", lambda: PASSWORD)
    errors_before = (mariadb.directory / "log").stat().st_size
    statements = mariadb.directory / "data" / "semua.log"
    # Each statement that the server is given.
    mariadb.execute(f"SET GLOBAL general_log_file = '{statements}', GLOBAL general_log = ON")
    try:
        with watched_processes() as seen:
            dump = dumped(source)
            while not any(b"mariadb-dump" in line for line in seen.copy()):
                dumped(source)  # it is short, and the watcher looked elsewhere
            copy = dump.load()
            assert dump.differences(copy) == []
            url = source.judge_url(copy, tmp_path)
            verdict = judge_copy(source, copy, dump.result.fingerprint, "", MOMENT, tmp_path)
            source.discard(copy)
            source.account = source.restore_account = Account("berkunci", lambda: "salah-rahasia")
            refused = []
            for call in (source.preflight, lambda: dumped(source), dump.load, source.quiet):
                with pytest.raises(SourceError, match="Access denied for user 'berkunci'@'localhost'") as raised:
                    call()
                assert raised.value.hint == REFUSED
                refused.append("".join(traceback.format_exception(raised.value)).encode())
    finally:
        mariadb.execute("SET GLOBAL general_log = OFF")
        mariadb.execute("DROP USER berkunci@localhost")
    assert verdict.state == "pass"
    errors = (mariadb.directory / "log").read_bytes()[errors_before:]
    assert b"Access denied for user 'berkunci'" in errors
    assert b"CREATE DATABASE" in statements.read_bytes()
    written = [*seen, url.encode(), caplog.text.encode(), errors, statements.read_bytes(), *refused]
    assert [line for line in written if b"sulit" in line or b"rahasia" in line] == []
    assert (tmp_path / "judge.cnf").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name != "judge.cnf"] == []


def test_an_account_that_the_server_knows_by_the_socket_under_another_name_needs_a_password(
    mariadb: MariaDBServer,
) -> None:
    """Pulih has one account on a machine, and two in its server."""
    source = make_database(mariadb)
    mariadb.execute("CREATE USER orang_lain@localhost IDENTIFIED VIA unix_socket")
    source.account = Account("orang_lain")
    try:
        with pytest.raises(SourceError, match="Access denied for user 'orang_lain'@'localhost'") as raised:
            source.preflight()
    finally:
        mariadb.execute("DROP USER orang_lain@localhost")
    assert raised.value.hint == REFUSED


def test_a_load_of_many_hours_keeps_its_password(
    mariadb: MariaDBServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    source = make_database(mariadb)
    mariadb.execute("CREATE USER berkunci@localhost IDENTIFIED BY 'x'; GRANT ALL ON *.* TO berkunci@localhost")
    source.account = source.restore_account = Account("berkunci", lambda: "x")
    try:
        dump = dumped(source)
        copy = source.beside("lama")
        # Left behind by a call that was killed.
        (tmp_path / "pulih-mariadb-sisa").mkdir()
        with source.load(copy, dump.result.server_globals) as stream:
            stream.write(dump.plain[:100])
            wait_until(lambda: bool(mariadb.rows(f"SHOW DATABASES LIKE '{copy}'")))
            for private in tmp_path.iterdir():
                os.utime(private, (time.time() - 7200,) * 2)
            source.preflight()
            stream.write(dump.plain[100:])
            stream.finish()
        assert dump.differences(copy) == []
        source.discard(copy)
    finally:
        mariadb.execute("DROP USER berkunci@localhost")
    assert list(tmp_path.iterdir()) == []


def wait_until(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_an_option_file_holds_any_password() -> None:
    assert as_option_file('a"b\\c#d') == '[client]\npassword="a\\"b\\\\c#d"\n'


# --- the server of a proof --------------------------------------------------------------------------------------------


def test_the_server_of_a_proof_listens_in_its_directory_alone(rich_mariadb: Dumped, tmp_path: Path) -> None:
    directory = tmp_path / "bukti"
    with scratch_of(rich_mariadb.source, directory) as scratch:
        rich_mariadb.load("proof", into=scratch)
        process = int(wait_for(directory / "server" / "pid"))
        sockets = {os.readlink(path) for path in Path(f"/proc/{process}/fd").iterdir() if path.is_symlink()}
        numbers = {link[8:-1] for link in sockets if link.startswith("socket:[")}
        listening = [
            line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if line.split()[6] in numbers
        ]
        internet = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        assert "./s" in listening
        assert [number for number in numbers if f" {number} " in internet] == []
        assert directory.stat().st_mode & 0o777 == 0o700
        if os.geteuid() == 0:
            assert Path(f"/proc/{process}").stat().st_uid != 0
    assert not Path(f"/proc/{process}").exists()


def test_an_event_in_a_named_time_zone_is_proven(mariadb: MariaDBServer, tmp_path: Path) -> None:
    argv = ["mariadb-tzinfo-to-sql", "/usr/share/zoneinfo/Asia/Jakarta", "Asia/Jakarta"]
    mariadb.execute(subprocess.run(argv, capture_output=True, check=True).stdout.decode(), "mysql")
    source = make_database(mariadb)
    mariadb.execute(
        "SET SESSION time_zone = 'Asia/Jakarta';"
        "CREATE EVENT pagi ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 06:00:00' DO SET @a = 1",
        source.database,
    )
    dump = dumped(source)
    with scratch_of(source, tmp_path / "bukti") as scratch:
        assert dump.differences(dump.load("proof", into=scratch), scratch) == []
    unknown = Dumped(source, dump.plain, replace(dump.result, server_globals=in_zone(dump, "Bukan/Kota")))
    with (
        scratch_of(source, tmp_path / "lain") as scratch,
        pytest.raises(SourceError, match="is written down in the time zone Bukan/Kota, which is not known"),
    ):
        unknown.load("proof", into=scratch)
    # They are looked for among files, and nowhere else.
    for zone in ("../Asia/Jakarta", "Asia/../../etc"):
        with (
            source._target(source.account) as target,
            pytest.raises(ProgramError, match=f"is written down in the time zone {zone}, which is not known"),
        ):
            _add_zones(Target(target.encode()), "mariadb", [{"zone": zone}])


def in_zone(dump: Dumped, zone: str) -> bytes:
    whole: bytes = dump.result.server_globals
    return whole.replace(b'"zone": "Asia/Jakarta"', f'"zone": "{zone}"'.encode())


@pytest.mark.parametrize("victim", ["worker", "keeper"])
def test_the_server_of_a_proof_dies_with_whoever_keeps_it(rich_mariadb: Dumped, tmp_path: Path, victim: str) -> None:
    program = f"""
import pathlib, time
from recovery.sources.mariadb_scratch import MariadbScratch
scratch = MariadbScratch(pathlib.Path({str(tmp_path)!r}), "simpel", 5)
scratch._start({read_globals(rich_mariadb.result.server_globals)["server version"]!r})
print("berjalan", flush=True)
time.sleep(600)
"""
    worker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"berjalan\n"
    # It listens before it writes its number down.
    server = int(wait_for(tmp_path / "server" / "pid"))
    status = Path(f"/proc/{server}/status").read_text()
    keeper = int(status.partition("PPid:")[2].split()[0])
    os.kill(worker.pid if victim == "worker" else keeper, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{server}").exists())
    worker.kill()
    worker.communicate()


def test_a_proof_needs_the_servers_own_series(tmp_path: Path) -> None:
    scratch = MariadbScratch(tmp_path, "simpel", 5)
    with (
        closing(scratch),
        pytest.raises(SourceError, match=r"MariaDB 99\.1 are not installed where backups are proven"),
    ):
        scratch._start("99.1.2")


# --- at full size -----------------------------------------------------------------------------------------------------


@pytest.mark.endurance
def test_five_hundred_tables_of_which_one_has_a_thousand_columns(mariadb: MariaDBServer, tmp_path: Path) -> None:
    """As many columns as InnoDB takes, keys through all tables, and a view on each."""
    wide = ", ".join(f"k{number} tinyint" for number in range(1000))
    statements = [
        f"CREATE TABLE lebar (id int PRIMARY KEY, {wide}); INSERT INTO lebar (id, k1, k999) VALUES (1, 1, 2);"
    ]
    for number in range(500):
        parent = f", FOREIGN KEY (id) REFERENCES t{number - 1} (id)" if number else ""
        statements.append(f"CREATE TABLE t{number} (id int PRIMARY KEY, isi varchar(20), KEY (isi){parent});")
        statements.append(f"INSERT INTO t{number} VALUES (1, 'a'), (2, NULL);")
        statements.append(f"CREATE VIEW v{number} AS SELECT * FROM {f'v{number - 1}' if number % 20 else 't0'};")
    source = make_database(mariadb, "\n".join(statements))
    assert source.preflight() == []
    dump = dumped(source)
    with scratch_of(source, tmp_path / "bukti") as scratch:
        copy = dump.load("proof", into=scratch)
        verdict = judge_copy(scratch, copy, dump.result.fingerprint, "", MOMENT, tmp_path)
    assert verdict.state == "pass"
    copy = dump.load()
    assert dump.differences(copy) == []
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    assert dump.differences(None) == []
    source.discard(copy)
