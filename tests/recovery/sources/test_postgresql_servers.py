"""What differs from one PostgreSQL server to the next: where its databases lie, how they sort, and what it allows."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recovery.hosts.program_postgresql_client import LIMITS_LIFTED, SETTINGS, Session, Target
from recovery.hosts.program_postgresql_content import fingerprint
from recovery.hosts.program_postgresql_globals import GLOBALS
from recovery.hosts.program_postgresql_identity import DATABASE
from recovery.hosts.program_postgresql_load import create
from recovery.procedures.backup.b2_verify import judge_copy
from recovery.sources.base import Fingerprint
from recovery.sources.postgresql import PostgresqlSource
from recovery.sources.server import Account
from tests.recovery.sources.postgresql_databases import connect, dumped, make_database, scratch_of, source_of
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql

MOMENT = "2026-11-20T15:00:03.000000+00:00"

# --- where databases lie ----------------------------------------------------------------------------------------------

RESTORER = """
CREATE ROLE bendahara;
CREATE ROLE pemulih LOGIN CREATEDB BYPASSRLS;
GRANT pg_read_all_data, pg_monitor, bendahara TO pemulih;
"""
OWNED = """
SET ROLE bendahara;
CREATE TABLE cepat (a int); INSERT INTO cepat VALUES (1);
CREATE TABLE lambat (a int) TABLESPACE arsip; INSERT INTO lambat VALUES (2);
"""


@pytest.fixture
def disks(postgresql: PostgreSQLServer) -> Iterator[PostgreSQLServer]:
    """The server with two more tablespaces, and a role that restores what belongs to another one."""
    names = ("Disk Cepat", "arsip")
    for name in names:
        place = postgresql.directory / name
        place.mkdir()
        shutil.chown(place, (postgresql.directory / "data").owner())
        postgresql.execute(f"CREATE TABLESPACE \"{name}\" LOCATION '{place}'")
    postgresql.execute(RESTORER)
    yield postgresql
    for name in names:
        postgresql.execute(f'DROP TABLESPACE "{name}"')
        shutil.rmtree(postgresql.directory / name)
    postgresql.execute("DROP ROLE pemulih")
    postgresql.execute("DROP ROLE bendahara")


@pytest.fixture
def placed(disks: PostgreSQLServer) -> Iterator[PostgresqlSource]:
    """A database that lies in a tablespace of its own, with a table in another one."""
    disks.execute("GRANT CREATE ON TABLESPACE arsip TO bendahara")
    source = make_database(disks, "GRANT CREATE ON SCHEMA public TO bendahara")
    source.restore_account = Account("pemulih")
    disks.execute(OWNED, source.database)
    disks.execute(f"ALTER DATABASE {source.database} OWNER TO bendahara")
    disks.execute(f'ALTER DATABASE {source.database} SET TABLESPACE "Disk Cepat"')
    yield source
    for name in [*source.copies(), source.database]:
        disks.execute(f'DROP DATABASE "{name}"')
    disks.execute("REVOKE CREATE ON TABLESPACE arsip FROM bendahara")


def lies_in(server: PostgreSQLServer, database: str) -> str:
    with closing(connect(server, "postgres")) as connection:
        query = "SELECT spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = %s"
        return str(connection.execute(query, (database,)).fetchone()[0])


def test_a_copy_lies_where_the_live_database_does(
    placed: PostgresqlSource, disks: PostgreSQLServer, tmp_path: Path
) -> None:
    """There is the room that was looked at; elsewhere it may fill the disk of the whole server."""
    lacking = [
        f"the role pemulih could not restore: GRANT CREATE ON TABLESPACE {names} TO pemulih"
        for names in ('"Disk Cepat"', '"Disk Cepat", arsip')
    ]
    # It has the right on the other one as a member of the owner.
    assert lacking[:1] == placed.preflight()
    disks.execute("REVOKE CREATE ON TABLESPACE arsip FROM bendahara")
    assert lacking[1:] == placed.preflight()
    disks.execute('GRANT CREATE ON TABLESPACE "Disk Cepat", arsip TO pemulih')
    assert [] == placed.preflight()

    dump = dumped(placed)
    copy = dump.load()
    assert [] == dump.differences(copy)
    assert "Disk Cepat" == lies_in(disks, copy)
    receipt = placed.prepare_swap(copy)
    placed.swap(receipt)
    assert ["Disk Cepat"] * 2 == [lies_in(disks, name) for name in (placed.database, copy)]
    placed.discard(copy)

    with scratch_of(placed, tmp_path / "bukti") as scratch:
        assert [] == dump.differences(dump.load("proof", into=scratch), scratch)
    disks.execute('REVOKE CREATE ON TABLESPACE "Disk Cepat", arsip FROM pemulih')


def test_a_database_in_the_servers_own_place_needs_no_right_on_it(disks: PostgreSQLServer) -> None:
    """Nor does one that is gone: its copy is made where the server makes new ones."""
    source = make_database(disks, "GRANT CREATE ON SCHEMA public TO bendahara")
    source.restore_account = Account("pemulih")
    disks.execute("SET ROLE bendahara; CREATE TABLE t (a int)", source.database)
    disks.execute(f"ALTER DATABASE {source.database} OWNER TO bendahara")
    assert [] == source.preflight()
    dump = dumped(source)
    disks.execute(f"DROP DATABASE {source.database}")
    copy = dump.load()
    assert "pg_default" == lies_in(disks, copy)
    source.discard(copy)


# --- how databases sort -----------------------------------------------------------------------------------------------

ICU_WORDS = "LOCALE_PROVIDER icu ICU_LOCALE 'und-u-ks-level2' LOCALE 'C.UTF-8' TEMPLATE template0"
SYSTEM_WORDS = "LOCALE_PROVIDER libc LOCALE 'C.UTF-8' TEMPLATE template0"


@pytest.fixture(scope="module")
def icu_server() -> Iterator[PostgreSQLServer]:
    """A server whose template sorts by ICU, as an administrator may have made it."""
    with run_postgresql(made_with=("--locale-provider=icu", "--icu-locale=id")) as server:
        yield server


@pytest.mark.parametrize("words", [ICU_WORDS, SYSTEM_WORDS])
@pytest.mark.parametrize("name", ["postgresql", "icu_server"])
def test_a_copy_sorts_as_the_database_whatever_the_server_does_by_itself(
    name: str, words: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: PostgreSQLServer = request.getfixturevalue(name)
    server.execute(f"CREATE DATABASE urut {words}")
    server.execute("CREATE TABLE t (a text); INSERT INTO t VALUES ('b'), ('A')", "urut")
    source = source_of(server, "urut")
    try:
        dump = dumped(source)
        copy = dump.load()
        assert [] == dump.differences(copy)
        with scratch_of(source, tmp_path / "bukti") as scratch:
            assert [] == dump.differences(dump.load("proof", into=scratch), scratch)
        source.discard(copy)
    finally:
        server.execute("DROP DATABASE urut")


MADE = {"owner": "simpel", "encoding": "UTF8", "collate": "C", "ctype": "C.UTF-8", "locale": None}
BEGINNING = (
    """CREATE DATABASE "x" TEMPLATE template0 OWNER "simpel" ENCODING E'UTF8' LC_COLLATE E'C' LC_CTYPE E'C.UTF-8'"""
)


@pytest.mark.parametrize(
    ("version", "database", "expected"),
    [
        (140011, {"provider": "c"}, ""),
        (150006, {"provider": "c"}, " LOCALE_PROVIDER libc"),
        (150006, {"provider": "i", "locale": "id"}, " LOCALE_PROVIDER icu ICU_LOCALE E'id'"),
        (
            160004,
            {"provider": "i", "locale": "id", "icu rules": "&a < b"},
            " LOCALE_PROVIDER icu ICU_LOCALE E'id' ICU_RULES E'&a < b'",
        ),
        (170002, {"provider": "b", "locale": "C.UTF-8"}, " LOCALE_PROVIDER builtin BUILTIN_LOCALE E'C.UTF-8'"),
    ],
)
def test_each_version_is_told_how_to_sort_in_its_own_words(
    version: int, database: dict[str, str], expected: str
) -> None:
    """Rules of ICU and the server's own locale need a server of 16 or 17, which stands here by its words alone."""
    assert BEGINNING + expected == create("x", {**MADE, **database}, version)


def test_rules_of_icu_are_measured_where_a_server_has_them(postgresql: PostgreSQLServer) -> None:
    """Catalogs of servers from 16 on have the column, which is given to this one's for the time of the question."""
    later = DATABASE.replace("FROM pg_database d", "FROM (SELECT *, *rules* AS daticurules FROM pg_database) d")
    assert later != DATABASE
    with closing(connect(postgresql, "postgres")) as connection:
        asked = [DATABASE, later.replace("*rules*", "NULL::text"), later.replace("*rules*", "'&a < b'::text")]
        plain, without, with_rules = (connection.execute(query).fetchone()[0] for query in asked)
    assert plain == without, "what earlier releases measured counts on"
    assert {**plain, "icu rules": "&a < b"} == with_rules


def test_what_a_membership_allows_is_said_where_a_server_knows_it(postgresql: PostgreSQLServer) -> None:
    """Catalogs of servers from 16 on have two more columns, and a membership is there once for each who granted it."""
    postgresql.execute("CREATE ROLE bagian; CREATE ROLE anggota IN ROLE bagian")
    source = make_database(postgresql, "CREATE SCHEMA milik AUTHORIZATION anggota")
    twice = "(VALUES (false, false, true), (true, false, false)) v(admin_option, inherit_option, set_option)"
    later = GLOBALS.replace("pg_auth_members m", f"(SELECT roleid, member, v.* FROM pg_auth_members, {twice}) m")
    with source._target(source.account) as target, Session(Target(target.encode()), source.database) as session:
        found, with_options = session.one(GLOBALS), session.one(later)
    postgresql.execute(f"DROP DATABASE {source.database}")
    postgresql.execute("DROP ROLE anggota, bagian")
    name, statement = "the membership of anggota in bagian", "GRANT bagian TO anggota"
    if found["server version"] < 160000:
        assert statement in found["statements"]
        assert {"admin": False, "inherit": None, "set": None} == found["facts"][name]
    assert f"{statement} WITH ADMIN true, INHERIT false, SET true" in with_options["statements"]
    assert {"admin": True, "inherit": False, "set": True} == with_options["facts"][name]


# --- what is stored and what a server allows --------------------------------------------------------------------------


@pytest.mark.parametrize(("encoding", "inserted"), [("SQL_ASCII", r"E'caf\xe9 \xff'"), ("LATIN1", r"U&'caf\00e9'")])
def test_bytes_that_are_no_unicode_come_back_as_they_were(
    postgresql: PostgreSQLServer, encoding: str, inserted: str, tmp_path: Path
) -> None:
    """As old applications wrote them into a database that checks nothing."""
    postgresql.execute(f"CREATE DATABASE lama ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    postgresql.execute(f"CREATE TABLE t (a text); INSERT INTO t VALUES ({inserted})", "lama")
    source = source_of(postgresql, "lama")
    stored = "SELECT get_byte(convert_to(a, getdatabaseencoding()), 3), octet_length(a) FROM t"
    try:
        dump = dumped(source)
        copy = dump.load()
        assert [] == dump.differences(copy)
        assert "pass" == judge_copy(source, copy, dump.result.fingerprint, "", MOMENT, tmp_path).state
        with closing(connect(postgresql, "lama")) as live, closing(connect(postgresql, copy)) as restored:
            assert live.execute(stored).fetchall() == restored.execute(stored).fetchall()
            assert 0xE9 == live.execute(stored).fetchone()[0]
        with scratch_of(source, tmp_path / "bukti") as scratch:
            assert [] == dump.differences(dump.load("proof", into=scratch), scratch)
    finally:
        for name in [*source.copies(), "lama"]:
            postgresql.execute(f'DROP DATABASE "{name}"')


# What each says of the same values, in other words than any server does by itself.
ODD = {
    "TimeZone": "Asia/Jayapura",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "-12",
    "bytea_output": "escape",
}
WORDED = r"""
CREATE TABLE t (saat timestamptz, hari date, lama interval, berat float8, foto bytea);
INSERT INTO t VALUES ('2026-11-20 23:59:59.9+07', '2026-02-03', '1 mon -1 day 00:00:00.5', 1 / 3.0::float8, '\x00ff');
"""


def test_what_a_role_set_for_itself_changes_no_measure(
    postgresql: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One role dumps, and another one, who reads and writes values otherwise, loads and measures."""
    source = make_database(postgresql, WORDED)
    postgresql.execute("CREATE ROLE aneh LOGIN SUPERUSER")
    for name, setting in ODD.items():
        postgresql.execute(f"ALTER ROLE aneh SET {name} = '{setting}'")
    source.restore_account = Account("aneh")
    dump = dumped(source)
    copy = dump.load()
    assert [] == dump.differences(copy)
    source.account = source.restore_account
    assert [] == dumped(source).differences(copy)
    assert [] == dump.differences(None)

    def measured() -> list[str]:
        with source._target(source.account) as target, Session(Target(target.encode()), copy) as session:
            return dump.result.fingerprint.differences(Fingerprint.from_json(fingerprint(session)))

    assert [] == measured()
    for name in ODD:
        # Otherwise the table would not show whether it is pinned.
        with monkeypatch.context() as unpinned:
            unpinned.delitem(SETTINGS, name)
            assert ["object 'public.t' has other content (digest)"] == measured(), name
    source.discard(copy)
    postgresql.execute(f"DROP DATABASE {source.database}")
    postgresql.execute("DROP ROLE aneh")


def test_limits_of_a_server_hold_for_no_session_of_a_backup(postgresql: PostgreSQLServer) -> None:
    """Those of a version that this one is not are lifted by the same words."""
    source = make_database(postgresql)
    limits = ["statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"]
    for limit in limits:
        postgresql.execute(f"ALTER DATABASE {source.database} SET {limit} = '1min'")
    with source._target(source.account) as target, Session(Target(target.encode()), source.database) as session:
        found = {limit: session.one(f"SELECT to_jsonb(current_setting('{limit}'))") for limit in limits}
        known = set(session.run("SELECT to_jsonb(name) FROM pg_settings WHERE name LIKE '%\\_timeout'"))
    assert dict.fromkeys(limits, "0") == found
    assert ("transaction_timeout" in known) == (source.version() >= 17)
    # What ends nothing that only works or waits its turn, or is the inventory's own.
    others = {"authentication_timeout", "archive_timeout", "checkpoint_timeout", "deadlock_timeout", "lock_timeout"}
    replicas = {"wal_receiver_timeout", "wal_sender_timeout", "tcp_user_timeout", "idle_replication_slot_timeout"}
    assert known - others - replicas - {"transaction_timeout"} == set(limits)
    assert "'transaction_timeout'" in LIMITS_LIFTED
