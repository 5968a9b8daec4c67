"""The SQLite source: dumps of one snapshot while writers go on, copies, fingerprints, and what cannot be dumped."""

import contextlib
import os
import signal
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from recovery.errors import (
    CommandError,
    ConfigurationError,
    ConflictError,
    SourceBusyError,
    SourceCorruptError,
    SourceError,
    SourceLockedError,
    SourceMissingError,
)
from recovery.hosts.local import LocalHost
from recovery.settings import ComponentSettings
from recovery.sources import open_source
from tests.flows.waiting import wait_until
from tests.recovery.sources.sqlite_databases import application, copy_of, make, make_bank, query, source_of
from tests.testbed.family import descendants

MODES = ("WAL", "DELETE")


def read_all(stream) -> bytes:
    buffer, data = bytearray(1 << 20), b""
    while count := stream.readinto(buffer):
        data += buffer[:count]
    return data


@pytest.fixture
def database(tmp_path):
    return tmp_path / "data.db"


@pytest.mark.parametrize("mode", MODES)
def test_dumps_taken_while_an_application_writes_are_each_one_consistent_state(database, mode):
    source = make_bank(database, mode, padding=2000)
    counts = []
    with application(database, mode) as end:
        for number in range(3):
            dump, copy = copy_of(source, f"uji-{number}")
            assert dump.fingerprint.differences(source.fingerprint(copy)) == []
            assert source.check(copy) == []
            counts.append(query(copy, "SELECT count(*) FROM mutasi")[0][0])
            assert query(copy, "SELECT sum(saldo) FROM rekening") == [(0,)]
            assert query(copy, "SELECT sum(abs(saldo)) FROM rekening") != [(0,)]
        transfers = end()
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] <= transfers
    assert query(database, "SELECT count(*) FROM mutasi") == [(transfers,)]


def test_in_wal_mode_writers_and_checkpoints_go_on_during_a_dump_and_are_not_in_it(database):
    source = make_bank(database, "WAL", padding=3000)
    with closing(sqlite3.connect(database, isolation_level=None, timeout=0)) as other, source.dump() as dump:
        first = bytearray(4096)
        assert dump.readinto(first) == 4096
        before = query(database, "SELECT count(*) FROM mutasi")
        other.execute("UPDATE arsip SET isi = zeroblob(1000)")
        other.execute("INSERT INTO mutasi (dari, ke) VALUES (1, 2)")
        # The checkpoint may not touch the file: it reports that readers are in its way.
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 1
        data = bytes(first) + read_all(dump)
        result = dump.finish()
    copy = source.beside("uji")
    with source.load(copy) as load:
        load.write(data)
        load.finish()
    assert result.fingerprint.differences(source.fingerprint(copy)) == []
    assert query(copy, "SELECT count(*) FROM mutasi") == before
    assert query(copy, "SELECT count(*) FROM arsip WHERE isi = zeroblob(1000)") == [(0,)]
    assert query(database, "SELECT count(*) FROM arsip WHERE isi = zeroblob(1000)") == [(3001,)]


def test_in_rollback_mode_a_commit_waits_until_the_dump_has_ended(database):
    source = make_bank(database, "DELETE", padding=3000)
    with closing(sqlite3.connect(database, isolation_level=None, timeout=0)) as other:
        with source.dump() as dump:
            dump.readinto(bytearray(4096))
            with pytest.raises(sqlite3.OperationalError, match="database is locked"):
                other.execute("UPDATE rekening SET saldo = 1")
            assert query(database, "SELECT count(*) FROM rekening") == [(2000,)]
            read_all(dump)
            dump.finish()
        other.execute("UPDATE rekening SET saldo = 1")


def test_a_dump_is_the_file_itself_and_leaves_nothing_beside_it(database):
    source = make_bank(database, "WAL")
    with source.dump() as dump:
        data = read_all(dump)
        result = dump.finish()
    assert data == database.read_bytes()
    assert os.listdir(database.parent) == ["data.db"]
    assert result.plain_suffix == "sqlite"
    assert result.snapshot["journal_mode"] == "wal"
    assert result.snapshot["page_size"] * result.snapshot["page_count"] == len(data)
    assert result.tools["sqlite"] == sqlite3.sqlite_version
    assert result.fingerprint.totals == {"objects": 3, "rows": 2001, "bytes": len(data)}


def test_what_a_crashed_application_left_in_its_wal_is_in_the_dump(database):
    make_bank(database, "WAL")
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('UPDATE rekening SET saldo = 7'); os._exit(9)"
    )
    subprocess.run(["python3", "-c", script, database])
    assert Path(f"{database}-wal").stat().st_size > 0
    assert source_of(database).size() > database.stat().st_size
    _, copy = copy_of(source_of(database))
    assert query(copy, "SELECT DISTINCT saldo FROM rekening") == [(7,)]


def test_a_journal_that_a_crashed_application_left_is_rolled_back_and_not_dumped(database):
    make_bank(database, "DELETE", padding=200)
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('PRAGMA cache_size=5'); c.execute('BEGIN');"
        "c.execute('UPDATE arsip SET isi = zeroblob(1000)'); os._exit(9)"
    )
    subprocess.run(["python3", "-c", script, database])
    assert Path(f"{database}-journal").stat().st_size > 0
    _, copy = copy_of(source_of(database))
    assert query(copy, "SELECT count(*) FROM arsip WHERE isi = zeroblob(1000)") == [(0,)]


def test_a_dump_whose_program_is_killed_fails_although_its_bytes_ended(database):
    source = make_bank(database, "WAL", padding=8000)
    with source.dump() as dump:
        dump.readinto(bytearray(4096))
        [program] = [
            int(name)
            for name in os.listdir("/proc")
            if name.isdigit() and _parent(name) == os.getpid() and os.fsencode(database) in _command(name)
        ]
        os.kill(program, signal.SIGKILL)
        read_all(dump)
        with pytest.raises(CommandError, match=r"the shipped program \(sqlite dump\) on local was killed by signal 9"):
            dump.finish()


def _command(pid: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _parent(pid: str) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def test_leaving_a_dump_gives_the_database_free(database):
    source = make_bank(database, "DELETE", padding=3000)
    with source.dump() as dump:
        dump.readinto(bytearray(4096))
    with closing(sqlite3.connect(database, timeout=0)) as connection, connection:
        connection.execute("UPDATE rekening SET saldo = 2")


# What must survive a dump and a load.


def everything(path: Path) -> None:
    blob = "x'" + bytes(range(256)).hex() + "'"
    make(
        path,
        "PRAGMA user_version = 42",
        "PRAGMA application_id = 12345",
        "CREATE TABLE orang (id INTEGER PRIMARY KEY AUTOINCREMENT, nama TEXT UNIQUE, saldo REAL, foto BLOB)",
        f"INSERT INTO orang (nama, saldo, foto) VALUES ('Ani', 1.5, {blob}), ('Budi', NULL, zeroblob(0))",
        "INSERT INTO orang (nama, saldo) VALUES (CAST(x'ff61' AS TEXT), 1)",
        "CREATE TABLE kode (kode TEXT PRIMARY KEY, isi) WITHOUT ROWID",
        "INSERT INTO kode VALUES ('b', 1), ('a', '1'), ('c', x'31'), ('d', 1.0), ('e', NULL)",
        "CREATE TABLE harga (a INT, b INT AS (a * 2) STORED, c INT AS (a * 3) VIRTUAL)",
        "INSERT INTO harga VALUES (1), (2)",
        'CREATE TABLE "nama ""aneh"" — ünïcode \'dan\' spasi" ("kolom ""satu""" TEXT, "select" INT)',
        'INSERT INTO "nama ""aneh"" — ünïcode \'dan\' spasi" VALUES (\'é\', 1)',
        "CREATE TABLE kosong (x)",
        "CREATE INDEX pada_nama ON orang (nama) WHERE saldo IS NOT NULL",
        "CREATE VIEW kaya AS SELECT * FROM orang WHERE saldo > 1",
        "CREATE TRIGGER catat AFTER INSERT ON kosong BEGIN UPDATE orang SET saldo = 0; END",
        "CREATE VIRTUAL TABLE cari USING fts5(isi)",
        "INSERT INTO cari VALUES ('surat keputusan'), ('berita acara')",
    )


def test_everything_that_a_database_can_hold_is_in_the_copy(database):
    everything(database)
    source = source_of(database)
    dump, copy = copy_of(source)
    found = source.fingerprint(copy)
    assert dump.fingerprint.differences(found) == []
    assert dump.fingerprint == source.fingerprint()
    assert found.objects["orang"]["rows"] == 3
    assert found.objects["nama \"aneh\" — ünïcode 'dan' spasi"]["rows"] == 1
    assert {"sqlite_sequence", "cari_data", "cari_content"} < found.objects.keys()
    assert "cari" not in found.objects
    assert {"view kaya", "trigger catat", "index pada_nama", "table cari"} < found.structure["schema"].keys()
    assert (found.structure["user_version"], found.structure["application_id"]) == (42, 12345)
    assert query(copy, "SELECT rowid FROM cari WHERE cari MATCH 'keputusan'") == [(1,)]
    assert source.check(copy) == []


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("UPDATE kode SET isi = '1' WHERE kode = 'b'", "object 'kode' has other content (digest)"),
        ("UPDATE kode SET isi = 1.0 WHERE kode = 'b'", "object 'kode' has other content (digest)"),
        ("UPDATE kode SET isi = x'31' WHERE kode = 'a'", "object 'kode' has other content (digest)"),
        ("UPDATE kode SET isi = '' WHERE kode = 'e'", "object 'kode' has other content (digest)"),
        ("UPDATE orang SET nama = CAST(x'fe61' AS TEXT) WHERE id = 3", "object 'orang' has other content (digest)"),
        ("UPDATE orang SET foto = zeroblob(1) WHERE id = 2", "object 'orang' has other content (digest)"),
        ("DELETE FROM orang WHERE id = 1", "object 'orang' has 2 rows and not 3"),
        ("UPDATE sqlite_sequence SET seq = 9", "object 'sqlite_sequence' has other content (digest)"),
        ("INSERT INTO cari VALUES ('x')", "object 'cari_content' has 3 rows and not 2"),
        ("DROP TABLE kosong", "object 'kosong' is missing"),
        ("CREATE TABLE baru (x)", "object 'baru' was not expected"),
        ("DROP TRIGGER catat", "structure: schema 'trigger catat' is missing"),
        ("DROP VIEW kaya", "structure: schema 'view kaya' is missing"),
        ("DROP INDEX pada_nama", "structure: schema 'index pada_nama' is missing"),
        ("ALTER TABLE kosong ADD COLUMN y", "structure: schema 'table kosong' differs"),
        ("PRAGMA user_version = 43", "structure: user_version differs"),
        ("PRAGMA application_id = 1", "structure: application_id differs"),
    ],
)
def test_a_fingerprint_shows_every_change(tmp_path, change, difference):
    everything(tmp_path / "a.db")
    source = source_of(tmp_path / "a.db")
    expected = source.fingerprint()
    with closing(sqlite3.connect(source.path, isolation_level=None)) as connection:
        connection.execute(change)
    assert difference in expected.differences(source.fingerprint())


def test_the_digest_of_valid_text_does_not_depend_on_other_rows_that_are_no_text(tmp_path):
    first = make(tmp_path / "a.db", "CREATE TABLE t (a)", "INSERT INTO t VALUES ('é')")
    second = make(
        tmp_path / "b.db",
        "CREATE TABLE s (a)",
        "INSERT INTO s VALUES (CAST(x'ff' AS TEXT))",
        "CREATE TABLE t (a)",
        "INSERT INTO t VALUES ('é')",
    )
    assert first.fingerprint().objects["t"] == second.fingerprint().objects["t"]


def test_collations_and_functions_that_only_the_application_has_do_not_hinder_a_fingerprint(database):
    with closing(sqlite3.connect(database)) as connection:
        connection.create_collation("urut", lambda a, b: (a > b) - (a < b))
        connection.create_function("kunci", 1, lambda value: value, deterministic=True)
        connection.execute("CREATE TABLE t (k TEXT COLLATE urut PRIMARY KEY, v AS (kunci(k))) WITHOUT ROWID")
        connection.execute("INSERT INTO t VALUES ('a'), ('b')")
        connection.execute("CREATE TABLE u (a, CHECK (kunci(a) > 0))")
        connection.execute("INSERT INTO u VALUES (1)")
        connection.execute("CREATE INDEX pada_kunci ON u (kunci(a))")
        connection.commit()
    source = source_of(database)
    dump, copy = copy_of(source)
    assert dump.fingerprint.objects["t"]["rows"] == 2
    assert dump.fingerprint.differences(source.fingerprint(copy)) == []
    assert source.examine(copy) == {"integrity": [], "orphans": {}, "unchecked": ["t"]}


def test_five_hundred_tables_are_all_in_the_fingerprint(database):
    tables = [f"CREATE TABLE t{number} (a, b)" for number in range(500)]
    source = make(database, "PRAGMA synchronous=OFF", "BEGIN", *tables, "COMMIT")
    dump, copy = copy_of(source)
    assert dump.fingerprint.totals["objects"] == 500
    assert dump.fingerprint.differences(source.fingerprint(copy)) == []


def test_a_name_with_every_kind_of_character_can_be_dumped_and_judged(tmp_path):
    directory = tmp_path / "a b?c#d%41&e"
    directory.mkdir()
    source = make(directory / "dä ta%.db", "CREATE TABLE t (a)", "INSERT INTO t VALUES (5)")
    _, copy = copy_of(source)
    engine = create_engine(source.judge_url(copy, tmp_path))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT a FROM t")).scalar() == 5
        with pytest.raises(Exception, match="readonly"):
            connection.execute(text("DELETE FROM t"))
    engine.dispose()
    assert sorted(os.listdir(directory)) == [".dä ta%.db.pulih-uji", "dä ta%.db"]


# Copies.


def test_a_copy_is_private_and_is_not_made_twice(database):
    source = make_bank(database, "WAL")
    _, copy = copy_of(source)
    assert Path(copy).stat().st_mode & 0o777 == 0o600
    content = Path(copy).read_bytes()
    with pytest.raises(ConflictError, match="exists already; it was not changed"), source.load(copy):
        pass
    assert Path(copy).read_bytes() == content


def test_a_load_that_is_not_finished_leaves_nothing(database):
    source = make_bank(database, "WAL")
    with contextlib.suppress(ZeroDivisionError), source.load(source.beside("uji")) as load:
        load.write(b"SQLite")
        raise ZeroDivisionError
    assert source.copies() == []
    assert os.listdir(database.parent) == ["data.db"]


def test_the_rest_of_a_load_that_died_with_its_worker_is_no_copy_but_is_found_and_discarded(database):
    source = make_bank(database, "WAL")
    copy = source.beside("uji")
    # A dying worker looks like the end of the input to the program that loads.
    with source.host.feed(source.host.helper("sqlite", "load", copy)) as program:
        program.write(database.read_bytes()[:4096])
        program.finish()
    assert not Path(copy).exists()
    assert source.copies() == [copy]
    source.discard(copy)
    assert os.listdir(database.parent) == ["data.db"]


def test_discarding_removes_a_copy_once_and_refuses_every_other_name(database):
    source = make_bank(database, "WAL")
    _, copy = copy_of(source)
    assert source.copies() == [copy]
    source.discard(copy)
    source.discard(copy)
    assert source.copies() == []
    for name in (str(database), f"{copy}/../data.db", f"{database}.pulih-x", str(database.parent / ".lain.pulih-x")):
        with pytest.raises(ConfigurationError, match="is no copy of"):
            source.discard(name)
    assert database.exists()


@pytest.mark.parametrize("label", ["", "A", "a/b", "-a", "a-", "a~", "a\n"])
def test_labels_that_could_lead_elsewhere_are_refused(database, label):
    with pytest.raises(ConfigurationError, match="cannot be the label of a copy"):
        source_of(database).beside(label)


def test_a_scratch_source_loads_and_measures_without_the_live_database(database, tmp_path):
    source = make_bank(database, "WAL")
    scratch = source.scratch(tmp_path / "bukti")
    assert (tmp_path / "bukti").stat().st_mode & 0o777 == 0o700
    copy = scratch.beside("bukti")
    with source.dump() as dump, scratch.load(copy) as load:
        load.write(read_all(dump))
        load.finish()
        expected = dump.finish().fingerprint
    assert expected.differences(scratch.fingerprint(copy)) == []


def test_a_damaged_copy_is_found_by_the_check_and_by_the_fingerprint(database):
    source = make_bank(database, "DELETE", padding=300)
    dump, copy = copy_of(source)
    with Path(copy).open("r+b") as file:
        file.seek(4096 * 20)
        file.write(os.urandom(4096))
    assert source.check(copy) != []
    with contextlib.suppress(SourceCorruptError):
        assert dump.fingerprint.differences(source.fingerprint(copy)) != []


def test_rows_without_their_parent_are_counted(database):
    source = make(
        database,
        "CREATE TABLE unit (id INTEGER PRIMARY KEY)",
        "CREATE TABLE surat (id INTEGER PRIMARY KEY, unit REFERENCES unit)",
        "INSERT INTO surat (unit) VALUES (1), (2), (NULL)",
    )
    assert source.examine() == {"integrity": [], "orphans": {"surat → unit": 2}, "unchecked": []}


# What cannot be dumped.


@pytest.mark.parametrize("mode", MODES)
def test_a_locked_database_is_reported_and_left_alone(database, mode):
    make_bank(database, mode)
    source = source_of(database, lock_timeout=0.3)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        # Not by reading the file: closing it again would drop this process's locks.
        before = database.stat()
        with pytest.raises(SourceLockedError, match="is kept locked by another program; nothing was changed"):
            source.preflight()
        with source.dump() as dump:
            assert read_all(dump) == b""
            with pytest.raises(SourceLockedError):
                dump.finish()
        assert database.stat().st_mtime_ns == before.st_mtime_ns
    assert source.preflight() == []


def opened_below_us(path: Path) -> int:
    """How often the processes that this one began have a file open."""
    count = 0
    for process in descendants(os.getpid()):
        for link in Path(f"/proc/{process}/fd").glob("*"):
            with suppress(OSError):
                count += link.readlink() == path
    return count


def test_a_reader_that_holds_an_old_state_in_wal_mode_is_waited_for_and_then_reported(database):
    make_bank(database, "WAL")
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM rekening").fetchone()
        with closing(sqlite3.connect(database, isolation_level=None)) as writer:
            writer.execute("UPDATE rekening SET saldo = 3")
        with source_of(database, lock_timeout=0.3).dump() as dump:
            read_all(dump)
            with pytest.raises(SourceLockedError, match=r"a reader of .* has held an old state for 0\.3 s"):
                dump.finish()
        with source_of(database).dump() as dump:
            # With its file and all four connections open, what is left to it is to begin.
            wait_until(lambda: opened_below_us(database) > 4, "the dump waits for the reader", every=0.01)
            reader.execute("COMMIT")
            read_all(dump)
            dump.finish()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"SQLite", "is no SQLite database"),
        (b"bukan basis data " * 100, "is no SQLite database"),
    ],
)
def test_a_file_that_is_no_database_is_reported_and_not_changed(database, content, message):
    database.write_bytes(content)
    source = source_of(database)
    with pytest.raises(SourceCorruptError, match=message):
        source.preflight()
    with source.dump() as dump:
        read_all(dump)
        with pytest.raises(SourceCorruptError, match=message):
            dump.finish()
    assert database.read_bytes() == content


def test_a_missing_database_is_reported_and_not_created(database):
    source = source_of(database)
    with pytest.raises(SourceMissingError, match="there is no database at"):
        source.preflight()
    with source.dump() as dump:
        read_all(dump)
        with pytest.raises(SourceMissingError):
            dump.finish()
    assert os.listdir(database.parent) == []
    assert source.size() == 0


@pytest.mark.parametrize("position", [100, 4096 * 3])
def test_a_damaged_database_is_not_dumped_as_if_it_were_sound(database, position):
    make_bank(database, "DELETE", padding=300)
    with database.open("r+b") as file:
        file.seek(position)
        file.write(b"\xff" * 4096)
    with source_of(database).dump() as dump:
        read_all(dump)
        with pytest.raises(SourceCorruptError, match="is damaged"):
            dump.finish()


def test_a_database_that_lacks_its_end_is_not_dumped(database):
    source = make_bank(database, "WAL", padding=300)
    os.truncate(database, database.stat().st_size - 4096)
    with source.dump() as dump:
        read_all(dump)
        with pytest.raises(SourceCorruptError):
            dump.finish()


def test_a_symbolic_link_is_refused(database):
    make_bank(database.with_name("asli.db"), "WAL")
    database.symlink_to("asli.db")
    with pytest.raises(SourceError, match="is a symbolic link; nothing was done"):
        source_of(database).preflight()


def test_another_name_of_the_file_is_a_warning(database):
    source = make_bank(database, "WAL")
    os.link(database, database.with_name("lain.db"))
    assert source.preflight() == [f"{database} has other names (hard links), which a restore does not change"]


@pytest.mark.root
@pytest.mark.parametrize("mode", [0o000, 0o444])
@pytest.mark.parametrize("verb", ["preflight", "dump"])
def test_an_account_without_the_rights_is_told_so(mode, verb):
    # Under /tmp: other accounts may not enter pytest's own directories.
    path = Path("/tmp") / f"pulih-izin-{os.getpid()}.db"
    make_bank(path, "DELETE")
    path.chmod(mode)
    # The helper is read by root and run by nobody.
    helper = str(Path(__file__).parents[3] / "recovery/hosts/helper.py")
    code = (
        "import os, runpy, sys; os.setgid(65534); os.setuid(65534);"
        f"sys.argv = [{helper!r}, 'sqlite', {verb!r}, {str(path)!r}, '1'];"
        f"runpy.run_path({helper!r}, run_name='__main__')"
    )
    try:
        found = subprocess.run(["/usr/bin/python3", "-I", "-c", code], capture_output=True)
        assert (found.returncode, found.stdout) == (3, b"")
        assert b"this account may not read and write" in found.stderr
    finally:
        path.unlink()


# Who has it open.


def test_a_process_that_has_the_database_open_is_named(database):
    source = make_bank(database, "WAL")
    with (
        application(database, "WAL"),
        pytest.raises(SourceBusyError, match=r"is still open in python\S* \(pid \d+\)") as caught,
    ):
        source.quiet()
    assert caught.value.state == "nothing was changed"
    # Each look goes through every process of the machine, so there are no more than these two.
    found = source.quiet()
    assert found["holders"] == []
    # Another account sees into its own processes at most.
    assert found["processes"] > 0 or os.geteuid() != 0
    assert found["proven"] is (found["unreadable"] == 0)


def test_a_source_is_opened_from_its_settings_and_tells_what_it_is(database):
    settings = ComponentSettings(name="data", kind="sqlite", path=str(database), lock_timeout=3)
    source = open_source(LocalHost(), settings)
    assert source.identify() == {"machine": LocalHost().identity(), "kind": "sqlite", "path": str(database)}
    assert source.free_space() > 0
