"""PostgreSQL databases: dumped in one snapshot while writers go on, restored whole or not at all."""

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import InternalError

from recovery.errors import (
    ConfigurationError,
    ConflictError,
    PulihError,
    SourceBusyError,
    SourceCorruptError,
    SourceError,
    SourceLockedError,
    SourceMissingError,
)
from recovery.hosts.program_error import ProgramError
from recovery.hosts.program_postgresql_client import Target, client, explained, program, without_values
from recovery.procedures.backup.b2_verify import judge_copy
from recovery.quality.judge import judge
from recovery.quality.page import page
from recovery.sources.postgresql import PostgresqlSource
from recovery.sources.postgresql_scratch import ScratchSource
from recovery.sources.server import Account
from recovery.sources.server_globals import read_globals
from tests.recovery.hosts.looking import watched_processes
from tests.recovery.sources.postgresql_databases import (
    HOSTILE,
    Dumped,
    connect,
    dumped,
    make_database,
    scratch_of,
    source_of,
)
from tests.testbed.postgresql import PostgreSQLServer

MOMENT = "2026-11-20T15:00:03.000000+00:00"
PASSWORD = "kata sandi: yang \\ 'sulit'"

LEDGER = """
CREATE TABLE rekening (id integer PRIMARY KEY, saldo bigint NOT NULL);
INSERT INTO rekening SELECT n, 1000 FROM generate_series(1, 40) n;
CREATE TABLE mutasi (id bigserial PRIMARY KEY, dari integer, ke integer);
INSERT INTO mutasi (dari, ke) SELECT 1, 2 FROM generate_series(1, 20000);
"""
TRANSFER = """
WITH pilih AS (SELECT 1 + (random() * 39)::int % 40 AS dari, 1 + (random() * 39)::int % 40 AS ke),
catat AS (INSERT INTO mutasi (dari, ke) SELECT dari, ke FROM pilih)
UPDATE rekening r SET saldo = saldo + CASE r.id WHEN p.ke THEN 1 ELSE -1 END FROM pilih p
WHERE p.dari <> p.ke AND r.id IN (p.dari, p.ke)
"""


@contextmanager
def transfers(server: PostgreSQLServer, database: str) -> Iterator[None]:
    """Somebody moves money between accounts, as fast as the server lets him; the sum stays what it was."""
    end, begun = threading.Event(), threading.Event()

    def write() -> None:
        with closing(connect(server, database)) as connection:
            while not end.is_set():
                connection.execute(TRANSFER)
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        end.set()
        writer.join()


def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def value(server: PostgreSQLServer, database: str, query: str) -> Any:
    with closing(connect(server, database)) as connection:
        return connection.execute(query).fetchone()[0]


def test_while_money_moves_each_dump_is_one_moment(postgresql: PostgreSQLServer) -> None:
    source = make_database(postgresql, LEDGER)
    with transfers(postgresql, source.database):
        for number in range(2):
            dump = dumped(source)
            copy = dump.load(f"ke-{number}")
            assert dump.differences(copy) == []
            assert value(postgresql, copy, "SELECT sum(saldo) FROM rekening") == 40_000
            # The sequence stands outside of the snapshot: the copy's next number was never given to anybody.
            assert value(postgresql, copy, "SELECT nextval('mutasi_id_seq') > max(id) FROM mutasi")
            source.discard(copy)
    assert source.copies() == []


def test_every_kind_of_object_comes_back_in_a_server_of_its_own(rich: Dumped, tmp_path: Path) -> None:
    with scratch_of(rich.source, tmp_path / "bukti") as scratch:
        copy = rich.load("proof", into=scratch)
        assert rich.differences(copy, scratch) == []
        made = connect(PostgreSQLServer(Path(scratch.server), scratch.account.user), copy)
        with closing(made):
            logins = (
                "SELECT rolname, rolcanlogin, pg_has_role(oid, 'pembaca', 'USAGE') FROM pg_roles WHERE oid >= 16384"
            )
            found = {name: rest for name, *rest in made.execute(logins)}
            settings = "SELECT setrole::regrole::text, setconfig FROM pg_db_role_setting WHERE setdatabase = 0"
            set_for = dict(made.execute(settings).fetchall())
        verdict = judge_copy(scratch, copy, rich.result.fingerprint, "", MOMENT, tmp_path)
    assert [check for check in verdict.checks if check.state != "pass"] == []
    assert verdict.state == "pass"
    # By whom the application logs in is a member of who has the rights; without him a restore needs no less.
    assert [[True, True], [False, True]] == [found["Rina Misal"], found["regu"]]
    assert {
        "pembaca": ['search_path="Arsip Lama", public'],
        "regu": ['search_path=""'],
        '"Rina Misal"': ["statement_timeout=5s"],
    } == set_for
    assert ["Pemilik Data", "aplikasi", "pembaca"] == read_globals(rich.result.server_globals)["roles"][:3]


def test_what_the_globals_do_not_give_fails_the_proof(rich: Dumped, tmp_path: Path) -> None:
    whole = rich.result.server_globals
    header, *lines = whole.splitlines(keepends=True)
    begin = (b"GRANT pembaca TO regu", b'ALTER ROLE "Rina Misal" SET', b'CREATE ROLE "Rina Misal" WITH')
    lost = [line for line in lines if line.startswith(begin)]
    assert len(lost) == 3
    lacking = header + b"".join(line for line in lines if line not in lost)
    lacking += b'CREATE ROLE "Rina Misal" WITH CONNECTION LIMIT 3;\n'
    lacking = (
        lacking.replace(b'GRANT regu TO "Rina Misal"', b"GRANT regu TO aplikasi") + b'GRANT regu TO "Rina Misal";\n'
    )
    said = (
        "the statements of the globals do not give what the backup lists: the membership of aplikasi in regu,"
        ' the membership of regu in pembaca, the role "Rina Misal", the settings of "Rina Misal"; nothing was kept'
    )
    with scratch_of(rich.source, tmp_path / "bukti") as scratch, pytest.raises(SourceCorruptError, match=said):
        Dumped(rich.source, rich.plain, replace(rich.result, server_globals=lacking)).load("proof", into=scratch)
    # Earlier releases listed nothing of it: what is not said cannot be missed.
    found = read_globals(lacking)
    del found["facts"]
    earlier = b"-- pulih: " + json.dumps(found).encode() + b"\n" + lacking.partition(b"\n")[2]
    with scratch_of(rich.source, tmp_path / "lama") as scratch:
        dump = Dumped(rich.source, rich.plain, replace(rich.result, server_globals=earlier))
        assert dump.differences(dump.load("proof", into=scratch), scratch) == []


def test_the_judge_finds_what_a_copy_lost(rich: Dumped, tmp_path: Path) -> None:
    copy = rich.load("rusak")
    with closing(connect(PostgreSQLServer(Path(rich.source.server), "postgres"), copy)) as connection:
        connection.execute("DELETE FROM public.tanpa_kunci WHERE isi IS NULL")
        connection.execute("DROP TRIGGER dikunci ON public.induk")
        connection.execute("SELECT setval('public.naik', 5)")
    verdict = judge_copy(rich.source, copy, rich.result.fingerprint, "", MOMENT, tmp_path)
    rich.source.discard(copy)
    assert verdict.state == "fail"
    assert {(check.name, check.object) for check in verdict.checks if check.state != "pass"} == {
        ("row_count", "public.tanpa_kunci"),
        ("fingerprint", "public.tanpa_kunci"),
        ("totals", "(seluruh basis data)"),
        ("triggers", "(seluruh basis data)"),
        ("sequence positions", "(seluruh basis data)"),
    }


def test_an_extension_in_another_version_than_the_backups_is_a_warning(
    postgresql: PostgreSQLServer, tmp_path: Path
) -> None:
    source = make_database(postgresql, "CREATE EXTENSION hstore VERSION '1.4'; CREATE TABLE t (a hstore)")
    (newest,) = [
        line.rpartition(" ")[2] for line in source.preflight() if line.startswith("hstore is at version 1.4, ")
    ]
    dump = dumped(source)
    copy = dump.load()
    assert dump.differences(copy) == [], "no other data"
    verdict = judge_copy(source, copy, dump.result.fingerprint, "", MOMENT, tmp_path)
    source.discard(copy)
    assert [(check.name, check.message) for check in verdict.checks if check.counts_as == "warning"] == [
        ("extension versions", f"tidak ada: hstore 1.4; seharusnya tidak ada: hstore {newest}")
    ]
    assert verdict.state == "pass"
    assert "🔶 peringatan `(seluruh basis data)` **Versi ekstensi**: tidak ada: hstore 1.4" in page(verdict, "Bukti")


def test_an_owners_rules_are_judged_in_whatever_schema(rich: Dumped, tmp_path: Path) -> None:
    rules = tmp_path / "aturan.yaml"
    rules.write_text("""
name: pegawai
meta: {asset: public.Pegawai Negeri}
expectations:
- {type: expect_column_values_to_match_regex, kwargs: {column: NIP, regex: "^[0-9]{18}$"}}
---
name: arsip
meta: {asset: Arsip Lama.select}
expectations:
- {type: unexpected_rows_expectation, kwargs: {unexpected_rows_query: "SELECT 1 AS x FROM {batch} WHERE id > 1"}}
""")
    copy = rich.load("aturan")
    verdict = judge_copy(rich.source, copy, rich.result.fingerprint, str(rules), MOMENT, tmp_path)
    url = rich.source.judge_url(copy, tmp_path)
    with closing(create_engine(url).connect()) as judging, pytest.raises(InternalError, match="read-only transaction"):
        judging.execute(text("DELETE FROM public.induk"))
    with pytest.raises(ConfigurationError, match="a copy is judged through a read-only connection only"):
        expected = rich.result.fingerprint
        judge(url.replace("only%3Don", "only%3Doff"), expected, expected, suite=None, moment=datetime.now(UTC))
    rich.source.discard(copy)
    rest = {
        check.object: check.state
        for check in verdict.checks
        if check.object in ("public.Pegawai Negeri", "Arsip Lama.select")
    }
    assert rest == {"public.Pegawai Negeri": "pass", "Arsip Lama.select": "fail"}


@pytest.mark.parametrize("position", [3, 2000, -20])
def test_a_damaged_archive_leaves_no_copy(rich: Dumped, position: int) -> None:
    plain = rich.plain[:position]
    with pytest.raises(SourceError):
        rich.load("putus", plain=plain)
    assert rich.source.copies() == []


def test_what_is_no_archive_is_a_bad_backup(rich: Dumped) -> None:
    with pytest.raises(SourceCorruptError, match="input file"):
        rich.load("asing", plain=b"bukan arsip" * 100)


def test_an_abandoned_load_leaves_nothing(rich: Dumped) -> None:
    copy = rich.source.beside("tinggal")
    with rich.source.load(copy, rich.result.server_globals) as stream:
        stream.write(rich.plain[:10_000])
    assert rich.source.copies() == []


def test_a_copy_is_never_made_twice(rich: Dumped) -> None:
    copy = rich.load("dua-kali")
    with pytest.raises(ConflictError, match=f"the copy {copy} exists already; it was not changed"):
        rich.load("dua-kali")
    assert rich.source.copies() == [copy]
    rich.source.discard(copy)


def test_a_role_that_the_server_lacks_is_named(rich: Dumped) -> None:
    roles = b'"roles": ["Pemilik Data", '
    assert roles in rich.result.server_globals
    wanting = rich.result.server_globals.replace(roles, roles + b'"pergi", "Sudah Lama", ')
    copy = rich.source.beside("peran")
    lacking = pytest.raises(SourceError, match="the server lacks roles that the backup needs: Sudah Lama, pergi")
    with lacking, rich.source.load(copy, wanting) as stream:
        stream.write(rich.plain)
        stream.finish()
    assert rich.source.copies() == []


@pytest.mark.parametrize("version", [140011, 990001])
def test_a_backup_of_another_version_is_not_loaded(rich: Dumped, version: int) -> None:
    """Equal data would be called bad there, or a good part of it lost; whose backup it is says how to go on."""
    made_by = int(read_globals(rich.result.server_globals)["server version"])
    other = rich.result.server_globals.replace(b'"server version": %d' % made_by, b'"server version": %d' % version)
    copy = rich.source.beside("versi")
    said = (
        f"the backup is of PostgreSQL {version // 10000} and the server of version {made_by // 10000}, so that no copy"
    )
    with pytest.raises(SourceError, match=said) as raised, rich.source.load(copy, other) as stream:
        stream.write(rich.plain)
        stream.finish()
    assert raised.value.state == "nothing was loaded"
    assert raised.value.hint.startswith(f"restore on a server of version {version // 10000} and upgrade that, or by")
    assert rich.source.copies() == []


def test_a_database_without_the_schema_public_comes_back_without_it(postgresql: PostgreSQLServer) -> None:
    source = make_database(postgresql, "CREATE SCHEMA lain; CREATE TABLE lain.t (a int); DROP SCHEMA public")
    dump = dumped(source)
    copy = dump.load()
    assert dump.differences(copy) == []
    source.discard(copy)


def test_a_name_that_is_hard_to_write_down_is_a_name_like_any_other(
    postgresql: PostgreSQLServer, tmp_path: Path
) -> None:
    plain, name = make_database(postgresql).database, HOSTILE.replace('"', '""')
    postgresql.execute(f'ALTER DATABASE {plain} RENAME TO "{name}"')
    postgresql.execute(f"ALTER DATABASE \"{name}\" SET statement_timeout = '5s'")
    source = source_of(postgresql, HOSTILE)
    assert source.preflight() == [superuser("postgres")]
    assert source.size() > 0
    dump = dumped(source)
    with scratch_of(source, tmp_path / "bukti") as scratch:
        assert dump.differences(dump.load("proof", into=scratch), scratch) == []
    copy = dump.load()
    assert source.copies() == [copy] == [f"{HOSTILE}.pulih-uji"]
    assert dump.differences(copy) == []
    verdict = judge_copy(source, copy, dump.result.fingerprint, "", MOMENT, tmp_path)
    assert [check for check in verdict.checks if check.state != "pass"] == []
    postgresql.execute("DELETE FROM pegawai", HOSTILE)
    receipt = source.prepare_swap(copy)
    assert source.quiet()["proven"]
    assert source.ties() == []
    source.swap(receipt)
    assert (source.live_is(receipt), dump.differences(None)) == ("new", [])
    source.swap_back(receipt)
    assert (source.live_is(receipt), value(postgresql, HOSTILE, "SELECT count(*) FROM pegawai")) == ("old", 0)
    with closing(connect(postgresql, HOSTILE)), pytest.raises(SourceBusyError, match=re.escape(HOSTILE)):
        source.quiet()
    source.discard(copy)
    assert source.copies() == []
    postgresql.execute(f'DROP DATABASE "{name}"')


def test_a_dump_that_is_left_early_ends_with_its_session(postgresql: PostgreSQLServer, rich: Dumped) -> None:
    with rich.source.dump() as stream:
        stream.readinto(bytearray(100))
    query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{rich.source.database}'"
    until(lambda: value(postgresql, "postgres", query) == 0)


def test_a_locked_table_stops_a_dump_in_time(postgresql: PostgreSQLServer) -> None:
    source = make_database(postgresql)
    source.lock_timeout = 0.5
    with closing(connect(postgresql, source.database)) as connection, connection.transaction():
        connection.execute("LOCK TABLE pegawai IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SourceLockedError, match="canceling statement due to lock timeout; nothing was changed"):
            dumped(source)


def test_what_pg_dump_and_pg_restore_say_without_a_code_is_told_with_what_helps(
    postgresql: PostgreSQLServer, role: str
) -> None:
    source = make_database(postgresql, "CREATE TABLE role_timeout (a int)")
    archive = dumped(source).plain
    postgresql.execute(f"CREATE DATABASE lain OWNER {role}")
    place = ["--no-password", f"--host={postgresql.directory}"]

    def told(name: str, *arguments: str) -> ProgramError:
        run = subprocess.run([program(name), *place, *arguments], input=archive, capture_output=True, check=False)
        assert run.returncode == 1
        with source._target(source.account) as target:
            return explained(run.stderr.decode(), Target(target.encode()), source.database)

    with closing(connect(postgresql, source.database)) as connection, connection.transaction():
        connection.execute("LOCK TABLE role_timeout IN ACCESS EXCLUSIVE MODE")
        locked = told("pg_dump", f"--username={postgresql.user}", "--lock-wait-timeout=100", source.database)
    foreign = told("pg_restore", f"--username={role}", "--exit-on-error", "--dbname=lain")
    denied = told("pg_dump", f"--username={role}", source.database)
    postgresql.execute("DROP DATABASE lain")
    assert [
        # Before release 16 it says "must be member of role".
        (
            error.report["error"],
            error.report["message"].partition(": ")[2].replace("be member of role", "be able to SET ROLE"),
            error.report["hint"],
        )
        for error in (locked, foreign, denied)
    ] == [
        (
            "SourceLockedError",
            "canceling statement due to statement timeout",
            "let what holds the lock finish, or allow more time (lock_timeout)",
        ),
        (
            "SourceError",
            'must be able to SET ROLE "postgres"',
            "give the role the rights that docs/postgresql.md names",
        ),
        (
            "SourceError",
            "permission denied for table role_timeout",
            "give the role the rights that docs/postgresql.md names",
        ),
    ]


# What jobs do to a table of 1,000 rows in one transaction, after which it has 1,000 rows again.
REPLACEMENTS = {
    "emptied and filled": "TRUNCATE rekap; INSERT INTO rekap SELECT n, 'baru' FROM generate_series(1, 1000) n",
    "rewritten": "ALTER TABLE rekap ALTER a TYPE bigint",
    "built anew": "CREATE TABLE baru AS SELECT * FROM rekap; DROP TABLE rekap; ALTER TABLE baru RENAME TO rekap",
    "exchanged": "ALTER TABLE rekap RENAME TO x; ALTER TABLE kembar RENAME TO rekap; ALTER TABLE x RENAME TO kembar",
}


@pytest.mark.parametrize("job", REPLACEMENTS)
def test_a_table_whose_rows_no_snapshot_keeps_makes_no_backup(postgresql: PostgreSQLServer, job: str) -> None:
    rows = "SELECT n AS a, 'lama' AS b FROM generate_series(1, 1000) n"
    source = make_database(postgresql, f"CREATE TABLE rekap AS {rows}; CREATE TABLE kembar AS {rows}")
    source.lock_timeout = 60
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database ="
    waiting += f" (SELECT oid FROM pg_database WHERE datname = '{source.database}')"
    with ThreadPoolExecutor(1) as pool, closing(connect(postgresql, source.database)) as connection:
        with connection.transaction():
            connection.execute(REPLACEMENTS[job])
            dumping = pool.submit(dumped, source)
            # Both the program that dumps and the session that measures have the snapshot, and want the table.
            until(lambda: value(postgresql, "postgres", waiting) == 2)
        with pytest.raises(SourceError, match="was emptied, rewritten or replaced while it was dumped") as raised:
            dumping.result()
    assert "rekap" in raised.value.message
    assert raised.value.state == "the dump is worthless"
    assert raised.value.hint.startswith("run it again, at a time when no job does so (TRUNCATE,")
    assert dumped(source).result.fingerprint.objects["public.rekap"]["rows"] == 1000


# --- what is said before anything is begun ----------------------------------------------------------------------------


def test_a_missing_database_is_said_to_be_missing(postgresql: PostgreSQLServer) -> None:
    with pytest.raises(SourceMissingError, match='database "tiada" does not exist') as raised:
        source_of(postgresql, "tiada").preflight()
    assert raised.value.hint == "correct the name in the inventory, or restore the database"


def test_a_server_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    source = PostgresqlSource(ScratchSource(tmp_path, "x", 1).host, "simpel", server=str(tmp_path))
    with pytest.raises(SourceError, match="No such file or directory") as raised:
        source.preflight()
    assert raised.value.hint == "see whether the server runs and listens there"


def test_a_closed_database_is_said_to_be_closed(postgresql: PostgreSQLServer) -> None:
    source = make_database(postgresql)
    postgresql.execute(f"ALTER DATABASE {source.database} ALLOW_CONNECTIONS false")
    with pytest.raises(SourceLockedError, match="not currently accepting connections"):
        source.preflight()


@pytest.mark.parametrize("name", ["postgres", "template1", "", "a/b"])
def test_no_database_of_the_server_itself_is_a_component(rich: Dumped, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a component of kind postgresql"):
        PostgresqlSource(rich.source.host, name)


def test_a_name_that_leaves_no_room_for_a_copy_is_refused(rich: Dumped) -> None:
    source = PostgresqlSource(rich.source.host, "n" * 60, server=rich.source.server, account=rich.source.account)
    with pytest.raises(ConfigurationError, match="is longer than PostgreSQL allows"):
        Dumped(source, rich.plain, rich.result).load()


@pytest.mark.parametrize(("name", "version"), [("pg_dump", 99), ("pg_restore", 12)])
def test_programs_of_another_version_than_the_server_are_refused(name: str, version: int) -> None:
    """An older one leaves out what it does not know; a newer one says to the server what that does not know."""
    said = rf"{name} is of version \d+\.\d+ and the server of version {version}"
    with pytest.raises(ProgramError, match=said) as raised:
        client(name, version * 10000 + 1)
    assert raised.value.report["hint"] == (
        f"install the programs of the server's version (Debian: postgresql-client-{version})"
    )


def test_values_of_the_data_are_cut_out_of_messages() -> None:
    assert without_values("22P02", 'invalid input syntax for type integer: "350301"') == (
        "invalid input syntax for type integer"
    )
    assert without_values("42P01", 'relation "x" does not exist') == 'relation "x" does not exist'


# --- accounts ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def role(postgresql: PostgreSQLServer) -> Iterator[str]:
    """A role without any rights."""
    postgresql.execute("CREATE ROLE pencadang LOGIN")
    yield "pencadang"
    postgresql.execute("DROP ROLE pencadang")


def test_what_a_role_may_not_read_is_named_with_its_grant(postgresql: PostgreSQLServer, role: str) -> None:
    source = make_database(postgresql, "CREATE SCHEMA s; CREATE TABLE s.t (a int); CREATE TABLE t (a int)")
    weak = source_of(postgresql, source.database, account=Account(role))
    with pytest.raises(SourceError) as raised:
        weak.preflight()
    assert raised.value.message == f"the role pencadang may not read s, public.t, s.t in the database {source.database}"
    assert raised.value.hint == "GRANT pg_read_all_data TO pencadang"


def test_rows_hidden_by_a_policy_stop_a_backup(postgresql: PostgreSQLServer, role: str) -> None:
    source = make_database(postgresql, "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    weak = source_of(postgresql, source.database, account=Account(role))
    postgresql.execute(f"GRANT pg_read_all_data TO {role}")
    with pytest.raises(SourceError, match=r"may not see all rows of public[.]t") as raised:
        weak.preflight()
    assert raised.value.hint == "ALTER ROLE pencadang BYPASSRLS"
    with pytest.raises(SourceError, match="row-level security"):
        dumped(weak)


def test_large_objects_and_mappings_that_cannot_be_read_stop_a_backup(
    rich: Dumped, postgresql: PostgreSQLServer, role: str
) -> None:
    weak = source_of(postgresql, rich.source.database, account=Account(role))
    postgresql.execute(f"GRANT pg_read_all_data TO {role}; ALTER ROLE {role} BYPASSRLS")
    postgresql.execute(f"GRANT CONNECT ON DATABASE {rich.source.database} TO {role}")
    with pytest.raises(SourceError, match="may not read 2 large objects"):
        weak.preflight()
    postgresql.execute(f"REVOKE CONNECT ON DATABASE {rich.source.database} FROM {role}")


def test_what_a_restore_would_lack_is_a_warning_with_the_grant(postgresql: PostgreSQLServer, role: str) -> None:
    objects = "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE EXTENSION pageinspect"
    source = make_database(postgresql, objects)
    source.restore_account = Account(role)
    assert source.preflight() == [
        "the role pencadang could not restore: ALTER ROLE pencadang CREATEDB",
        "the role pencadang could not see whether there is room for a restore: GRANT pg_monitor TO pencadang",
        "the role pencadang could not restore: GRANT postgres TO pencadang",
        "the role pencadang could not prove a restore: ALTER ROLE pencadang BYPASSRLS",
        "only a superuser could restore the extension pageinspect, and pencadang is none",
    ]
    source.restore_account = source.account
    assert source.preflight() == [superuser("postgres")]


def superuser(role: str) -> str:
    """What is said of a role that restores and may do everything."""
    return (
        f"the role {role} is a superuser: whoever owns a table of the database could use the whole live server when a"
        " copy is loaded into it; name a restore_user that is none, unless only a superuser can restore"
    )


def test_the_documented_rights_are_enough_to_back_up_and_to_restore(postgresql: PostgreSQLServer) -> None:
    document = Path(__file__).parents[3] / "docs" / "postgresql.md"
    statements = document.read_text().split("```sql\n")
    rights, owner = (block.partition("```")[0] for block in statements[1:3])
    postgresql.execute("CREATE ROLE simpel_app LOGIN")
    postgresql.execute("CREATE DATABASE simpel OWNER simpel_app")
    with closing(connect(postgresql, "simpel")) as connection:
        connection.execute("SET ROLE simpel_app")
        connection.execute("CREATE TABLE pegawai (id serial PRIMARY KEY, nama text)")
        connection.execute("INSERT INTO pegawai (nama) VALUES ('satu'), ('dua')")
        connection.execute("ALTER TABLE pegawai ENABLE ROW LEVEL SECURITY")
    postgresql.execute(rights)
    postgresql.execute(owner)
    source = PostgresqlSource(
        source_of(postgresql, "simpel").host,
        "simpel",
        server=str(postgresql.directory),
        account=Account("pulih_backup"),
        restore_account=Account("pulih_restore"),
    )
    assert source.preflight() == []
    dump = dumped(source)
    copy = dump.load()
    assert dump.differences(copy) == []
    assert source.free_space() > 0
    receipt = source.prepare_swap(copy)
    assert source.quiet() == {"sessions": [], "proven": True}
    source.swap(receipt)
    assert source.live_is(receipt) == "new"
    source.swap_back(receipt)
    source.discard(copy)
    assert source.copies() == []
    # What these rights are not enough for is named before a backup; all of it would fail the restore.
    beyond = {
        "ALTER ROLE simpel_app IN DATABASE simpel SET statement_timeout = '5s'": "the settings of the role simpel_app",
        "ALTER DATABASE simpel SET log_min_duration_statement = 500": "the setting log_min_duration_statement",
        "CREATE PUBLICATION siaran FOR TABLES IN SCHEMA public": "the publication siaran",
        "REVOKE EXECUTE ON FUNCTION pg_sleep(float8) FROM PUBLIC": "the changed rights on function pg_sleep(double pre",
    }
    granted = "GRANT SET ON PARAMETER log_min_duration_statement TO pulih_restore"
    foreign = "the role pulih_restore could not restore: GRANT postgres TO pulih_restore"
    found: list[str] = []
    for statement, expected in beyond.items():
        postgresql.execute(statement, "simpel")
        before, found = found, source.preflight()
        assert expected in found[-1] and found[-1].startswith("only a superuser could restore ")
        assert expected not in "".join(before)
    assert [foreign] == found[:-1], "the server notes down no owner that is its first role"
    postgresql.execute(granted)
    assert "the setting log_min" not in source.preflight()[-1], "a superuser may let others change it"
    postgresql.execute(granted.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))


@pytest.fixture
def guarded(postgresql: PostgreSQLServer) -> Iterator[PostgresqlSource]:
    """A database whose server asks a role for its password."""
    rules = postgresql.directory / "data" / "pg_hba.conf"
    before = rules.read_text()
    source = make_database(postgresql)
    postgresql.execute("SET password_encryption = 'scram-sha-256'")
    quoted_password = PASSWORD.replace("'", "''")
    postgresql.execute(f"CREATE ROLE berkunci LOGIN SUPERUSER PASSWORD '{quoted_password}'")
    rules.write_text("local all berkunci scram-sha-256\n" + before)
    postgresql.execute("SELECT pg_reload_conf()")
    yield source_of(postgresql, source.database, account=Account("berkunci", lambda: PASSWORD))
    rules.write_text(before)
    postgresql.execute("SELECT pg_reload_conf()")
    postgresql.execute("DROP ROLE berkunci")


def test_a_password_is_in_no_process_list_and_stays_nowhere(
    guarded: PostgresqlSource,
    postgresql: PostgreSQLServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nor does anybody write it down: neither our log, nor the server's, nor an error."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    caplog.set_level(logging.DEBUG)
    # Each statement that the server is given.
    postgresql.execute("ALTER ROLE berkunci SET log_statement = 'all'")
    log_before = (postgresql.directory / "log").stat().st_size
    raised = []
    with watched_processes() as seen:
        dump = dumped(guarded)
        while not any(b"pg_dump" in line for line in seen.copy()):
            dumped(guarded)  # it is short, and the watcher looked elsewhere
        copy = dump.load()
        assert dump.differences(copy) == []
        url = guarded.judge_url(copy, tmp_path)
        verdict = judge_copy(guarded, copy, dump.result.fingerprint, "", MOMENT, tmp_path)
        assert guarded.preflight() == [superuser("berkunci")]
        assert guarded.identify()["system"]
        assert guarded.size() > 0
        receipt = guarded.prepare_swap(copy)
        for work in (guarded.swap, guarded.swap_back):
            assert guarded.quiet()["proven"]
            work(receipt)
        missing = source_of(postgresql, "tiada", account=guarded.account)
        for fails in (dump.load, lambda: dump.load("rusak", plain=dump.plain[:2000]), missing.preflight):
            with pytest.raises(PulihError) as failed:
                fails()
            raised.append(failed.value)
        guarded.discard(copy)
        guarded.account = guarded.restore_account = Account("berkunci", lambda: "salah-rahasia")
        for fails in (guarded.preflight, lambda: dumped(guarded), dump.load, guarded.quiet):
            with pytest.raises(SourceError, match='password authentication failed for user "berkunci"') as refused:
                fails()
            assert refused.value.hint == "check user, password and the server's pg_hba.conf"
            raised.append(refused.value)
    assert verdict.state == "pass"
    log = (postgresql.directory / "log").read_bytes()[log_before:]
    assert b"ALTER DATABASE" in log and b'authentication failed for user "berkunci"' in log
    told = ["".join(traceback.format_exception(error)).encode() for error in raised]
    written = [*seen, url.encode(), caplog.text.encode(), log, *told]
    assert [line for line in written if b"sulit" in line or b"salah-rahasia" in line] == []
    assert (tmp_path / "pgpass").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name != "pgpass"] == []


def test_a_role_that_the_server_does_not_give_the_account_is_sent_to_the_page_that_says_how(
    postgresql: PostgreSQLServer,
) -> None:
    """As Debian's server says it to Pulih's account on the host, before it was told of the roles."""
    source = make_database(postgresql)
    said = 'psql: error: connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: FATAL:  '
    refused = 'Peer authentication failed for user "pulih_backup"'
    with source._target(source.account) as target:
        error = explained(said + refused, Target(target.encode()), source.database).report
    assert error["message"].endswith(f": {refused}")
    assert error["hint"] == "tell the server who this account is: see 'How the roles log in' in docs/postgresql.md"
    assert "\n## How the roles log in\n" in (Path(__file__).parents[3] / "docs" / "postgresql.md").read_text()


# --- the server of a proof --------------------------------------------------------------------------------------------


def test_the_server_of_a_proof_listens_in_its_directory_alone(rich: Dumped, tmp_path: Path) -> None:
    directory = tmp_path / "bukti"
    with scratch_of(rich.source, directory) as scratch:
        rich.load("proof", into=scratch)
        process = int((directory / "server" / "postmaster.pid").read_text().splitlines()[0])
        sockets = {os.readlink(path) for path in Path(f"/proc/{process}/fd").iterdir() if path.is_symlink()}
        numbers = {link[8:-1] for link in sockets if link.startswith("socket:[")}
        listening = [
            line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if line.split()[6] in numbers
        ]
        internet = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        assert "./.s.PGSQL.5432" in listening
        assert [number for number in numbers if f" {number} " in internet] == []
        assert directory.stat().st_mode & 0o777 == 0o700
        own = PostgreSQLServer(Path(scratch.server), scratch.account.user)
        assert value(own, "postgres", "SHOW fsync") == "off", "nothing there must survive a power cut"
        if os.geteuid() == 0:
            assert Path(f"/proc/{process}").stat().st_uid != 0
    assert not Path(f"/proc/{process}").exists()


# What the owner of a table can write: it runs while rows are loaded, in the proof alone, by its number of connections.
# No sign of the texts of COPY is in what the program tells.
RUNS_A_PROGRAM = r"""
CREATE TABLE ceritera (baris text);
CREATE FUNCTION periksa(integer) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN
    IF current_setting('max_connections') = '20' THEN
        COPY public.ceritera FROM PROGRAM
            '(sudo -n true && echo naik) 2>&1; {program} -u; tr "\\0" "\\n" < /proc/self/environ'
            (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02');
    END IF;
    RETURN true;
END $f$;
CREATE TABLE t (a integer CHECK (periksa(a)));
INSERT INTO t VALUES (1);
"""


def test_a_program_that_a_copy_starts_gets_no_more_rights_and_no_secret(
    postgresql: PostgreSQLServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it can start one at all is not kept from it: the proof's role has every right in its own server."""
    for name in ("CREDENTIALS_DIRECTORY", "PREFECT_API_KEY", "PGPASSWORD", "PULIH_SANDI"):
        monkeypatch.setenv(name, "rahasia-lingkungan")
    # As sudo is: whoever runs it has the rights of its owner.
    place = Path(tempfile.mkdtemp(prefix="pulih-uji-"))
    place.chmod(0o755)
    try:
        program = shutil.copy(shutil.which("id") or "id", place / "id")
        program.chmod(0o4755)
        source = make_database(postgresql, RUNS_A_PROGRAM.replace("{program}", str(program)))
        with scratch_of(source, tmp_path / "bukti") as scratch:
            copy = dumped(source).load("proof", into=scratch)
            server = int((tmp_path / "bukti" / "server" / "postmaster.pid").read_text().splitlines()[0])
            status = Path(f"/proc/{server}/status").read_text()
            with closing(connect(PostgreSQLServer(Path(scratch.server), scratch.account.user), copy)) as connection:
                told = [line for (line,) in connection.execute("SELECT baris FROM public.ceritera")]
    finally:
        shutil.rmtree(place)
    assert str(Path(f"/proc/{os.getpid()}").stat().st_uid) not in told or os.geteuid() != 0, "it became the worker"
    assert status.partition("Uid:")[2].split()[1] in told, "the program ran, as the server's account"
    assert "NoNewPrivs:\t1" in status
    assert "naik" not in told
    names = {line.partition("=")[0] for line in told if "=" in line}
    assert "PATH" in names, "the environment was told"
    assert [line for line in told if "rahasia" in line or line.startswith(("PREFECT", "CREDENTIALS"))] == []


@pytest.mark.parametrize("victim", ["worker", "keeper"])
def test_the_server_of_a_proof_dies_with_whoever_keeps_it(rich: Dumped, tmp_path: Path, victim: str) -> None:
    program = f"""
import pathlib, sys, time
from recovery.sources.postgresql_scratch import ScratchSource
scratch = ScratchSource(pathlib.Path({str(tmp_path)!r}), "simpel", 5)
scratch._start("postgres", {read_globals(rich.result.server_globals)["server version"]})
print("berjalan", flush=True)
time.sleep(600)
"""
    worker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"berjalan\n"
    server = int((tmp_path / "server" / "postmaster.pid").read_text().splitlines()[0])
    status = Path(f"/proc/{server}/status").read_text()
    keeper = int(status.partition("PPid:")[2].split()[0])
    os.kill(worker.pid if victim == "worker" else keeper, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{server}").exists())
    worker.kill()
    worker.communicate()


def test_a_proof_needs_the_servers_own_version(rich: Dumped, tmp_path: Path) -> None:
    scratch = ScratchSource(tmp_path, "simpel", 5)
    with closing(scratch), pytest.raises(SourceError, match="the server programs of PostgreSQL 99 are not installed"):
        scratch._start("postgres", 990001)
