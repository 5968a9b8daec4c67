"""Every kind of source on another machine: dump, load, proof, swap, and connections that are cut in the midst of it."""

import itertools
import os
import random
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from recovery.errors import HostError, PulihError, SourceError
from recovery.hosts.ssh import SshHost
from recovery.points import observe
from recovery.procedures.backup.b2_verify import judge_copy
from recovery.sources.base import Source
from recovery.sources.mariadb import MariadbSource
from recovery.sources.postgresql import PostgresqlSource
from recovery.sources.server import Account
from tests.recovery.hosts.looking import watched_processes
from tests.recovery.sources import directory_trees, mariadb_databases, sqlite_databases
from tests.recovery.sources.postgresql_databases import HOSTILE, Dumped, connect, make_database
from tests.testbed.mariadb import MariaDBServer
from tests.testbed.postgresql import PostgreSQLServer
from tests.testbed.sshd import SshServer, run_sshd

MOMENT = "2026-11-20T15:00:00+00:00"
PASSWORD = "sulit sekali: '\\ :*"
TOTAL = "SELECT count(*), sum(saldo) FROM rekening"


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    """The server of these tests."""
    with run_sshd() as running:
        yield running


@pytest.fixture
def host(server: SshServer, request: pytest.FixtureRequest) -> SshHost:
    """The machine, by a connection of this test's own."""
    return SshHost(server.settings(title=request.node.name))


@pytest.fixture
def bank(host: SshHost, tmp_path: Path) -> sqlite_databases.SqliteSource:
    """A database with a WAL."""
    (tmp_path / "data").mkdir()
    source = sqlite_databases.make_bank(tmp_path / "data" / "bank '$(x)' ü.db", "WAL", padding=30_000)
    source.host = host
    return source


@pytest.fixture
def tree(host: SshHost, tmp_path: Path) -> directory_trees.FilesSource:
    """A tree with everything that is easily lost, hostile names among it."""
    source = directory_trees.make_difficult_tree(tmp_path / "data" / "pohon")
    source.host = host
    return source


def dumped(source: Source) -> Dumped:
    pieces, buffer = [], bytearray(1 << 20)
    with source.dump() as stream:
        while count := stream.readinto(buffer):
            pieces.append(bytes(buffer[:count]))
        return Dumped(source, b"".join(pieces), stream.finish())  # type: ignore[arg-type]


def all_of(source: sqlite_databases.SqliteSource, path: str) -> Any:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(TOTAL).fetchone()


def test_a_sqlite_database_is_dumped_proven_and_swapped_on_another_machine(bank, tmp_path):
    assert bank.preflight() == []
    dump = dumped(bank)
    copy = dump.load()
    assert (dump.differences(copy), bank.check(copy)) == ([], [])
    private = tmp_path / "hakim"
    private.mkdir()
    verdict = judge_copy(bank, copy, dump.result.fingerprint, "", MOMENT, private)
    assert verdict.state == "pass"
    assert [path.name for path in private.iterdir()] == ["brought"]
    assert (private / "brought").stat().st_mode & 0o777 == 0o600
    assert (private / "brought").read_bytes() == Path(copy).read_bytes()
    bank.quiet()
    with closing(sqlite3.connect(bank.path)) as connection:
        connection.execute("DELETE FROM rekening")
        connection.commit()
    receipt = bank.prepare_swap(copy)
    bank.swap(receipt)
    assert bank.live_is(receipt) == "new"
    assert all_of(bank, bank.path) == (2000, 0)
    assert all_of(bank, bank.safety_copy(receipt)) == (0, None)


def test_a_tree_with_hostile_names_is_dumped_proven_and_swapped_on_another_machine(tree, tmp_path):
    assert tree.preflight() == ([] if os.geteuid() == 0 else [directory_trees.UNPRIVILEGED_WARNING])
    dump = dumped(tree)
    copy = dump.load()
    assert dump.differences(copy) == []
    (tmp_path / "hakim").mkdir()
    verdict = judge_copy(tree, copy, dump.result.fingerprint, "", MOMENT, tmp_path / "hakim")
    assert verdict.state == "pass"
    receipt = tree.prepare_swap(copy)
    tree.swap(receipt)
    assert tree.live_is(receipt) == "new"
    assert dump.differences(None) == []
    tree.discard(tree.safety_copy(receipt))
    assert tree.copies() == []


@pytest.mark.parametrize("kind", ["bank", "tree"])
def test_a_connection_that_is_cut_in_a_dump_gives_no_backup(kind, request, server):
    source = request.getfixturevalue(kind)
    if kind == "tree":
        directory_trees.write(Path(source.path) / "besar", os.urandom(30 << 20))
    with source.dump() as stream:
        assert stream.readinto(bytearray(1 << 16))
        server.cut()
        with pytest.raises(PulihError, match="the connection to server was lost"):
            while stream.readinto(bytearray(1 << 20)):
                pass
            stream.finish()
    assert source.copies() == []


@pytest.mark.parametrize("kind", ["bank", "tree"])
def test_a_connection_that_is_cut_in_a_load_leaves_no_copy(kind, request, server):
    source = request.getfixturevalue(kind)
    dump = dumped(source)
    copy = source.beside("uji")
    with (
        pytest.raises(PulihError, match="the connection to server was lost"),
        source.load(copy, dump.result.server_globals) as stream,
    ):
        stream.write(dump.plain[: 1 << 16])
        server.cut()
        for _ in range(100):
            stream.write(bytes(1 << 20))
        stream.finish()
    assert source.copies() == []
    assert dump.differences(None) == []
    assert dump.differences(dump.load()) == []


def test_a_connection_that_is_cut_in_a_swap_leaves_old_or_new_and_the_swap_is_finished(bank, server):
    dump = dumped(bank)
    receipt = bank.prepare_swap(dump.load())
    chance = random.Random(7)
    cutters: list[threading.Thread] = []

    def cut_soon(point: str) -> None:
        if point in ("sqlite: before swap", "sqlite: before swap_back"):
            delay = chance.uniform(0.02, 0.15)
            cutters.append(threading.Thread(target=lambda: (time.sleep(delay), server.cut())))
            cutters[-1].start()

    met = set()
    for there, goal in itertools.islice(itertools.cycle(((bank.swap, "new"), (bank.swap_back, "old"))), 6):
        try:
            with observe(cut_soon):
                there(receipt)
        except HostError:
            met.add("cut")
        cutters[-1].join()
        assert bank.live_is(receipt) in ("old", "new")
        there(receipt)
        assert bank.live_is(receipt) == goal
        assert dump.differences(None) == []
    assert met == {"cut"}


# --- a server's database --------------------------------------------------------------------------------------------


@pytest.fixture
def database(host: SshHost, postgresql: PostgreSQLServer) -> Iterator[PostgresqlSource]:
    """A database whose server asks a role for its password."""
    rules = postgresql.directory / "data" / "pg_hba.conf"
    before = rules.read_text()
    plain = make_database(postgresql).database
    # As hard to write down as a tree's or a file's, and each test's own.
    name = f"{plain} {HOSTILE}"
    quoted_name = name.replace('"', '""')
    postgresql.execute(f'ALTER DATABASE {plain} RENAME TO "{quoted_name}"')
    quoted_password = PASSWORD.replace("'", "''")
    postgresql.execute(f"CREATE ROLE jauh LOGIN SUPERUSER PASSWORD '{quoted_password}'")
    rules.write_text("local all jauh scram-sha-256\n" + before)
    postgresql.execute("SELECT pg_reload_conf()")
    account = Account("jauh", lambda: PASSWORD)
    yield PostgresqlSource(host, name, server=str(postgresql.directory), port=5432, account=account, lock_timeout=3)
    rules.write_text(before)
    postgresql.execute("SELECT pg_reload_conf()")
    postgresql.execute("DROP ROLE jauh")


def test_a_postgresql_database_is_proven_and_swapped_there_and_its_password_shown_nowhere(
    database, postgresql, tmp_path, server
):
    with watched_processes() as seen:
        (warning,) = database.preflight()
        assert warning.startswith("the role jauh is a superuser")
        dump = dumped(database)
        while not any(b"pg_dump" in line for line in seen.copy()):
            dumped(database)  # it is short, and the watcher looked elsewhere
        copy = dump.load()
        assert dump.differences(copy) == []
        with closing(database):
            verdict = judge_copy(database, copy, dump.result.fingerprint, "", MOMENT, tmp_path)
            url = database.judge_url(copy, tmp_path)
            tunnel = Path(str(make_url(url).query["host"]))
            assert tunnel.stat().st_mode & 0o777 == 0o700
        assert not tunnel.exists()
        assert verdict.state == "pass"
        postgresql.execute("DELETE FROM pegawai", database.database)
        receipt = database.prepare_swap(copy)
        database.quiet()
        database.swap(receipt)
    assert database.live_is(receipt) == "new"
    assert dump.differences(None) == []
    with closing(connect(postgresql, database.database)) as connection:
        assert connection.execute("SELECT count(*) FROM pegawai").fetchone()[0] > 0
    assert [line for line in [*seen, url.encode()] if b"sulit" in line] == []


def test_a_mariadb_database_is_proven_and_swapped_there(host: SshHost, mariadb: MariaDBServer, tmp_path: Path) -> None:
    """By an account with a password, and judged through a tunnel that ends with the judge."""
    name = mariadb_databases.make_database(mariadb).database
    quoted_password = PASSWORD.replace("\\", "\\\\").replace("'", "''")
    mariadb.execute(f"CREATE USER jauh@localhost IDENTIFIED BY '{quoted_password}'; GRANT ALL ON *.* TO jauh@localhost")
    try:
        account = Account("jauh", lambda: PASSWORD)
        source = MariadbSource(host, name, server=str(mariadb.socket), account=account, lock_timeout=3)
        assert source.preflight() == []
        dump = dumped(source)
        copy = dump.load()
        assert dump.differences(copy) == []
        with closing(source):
            verdict = judge_copy(source, copy, dump.result.fingerprint, "", MOMENT, tmp_path)
            url = source.judge_url(copy, tmp_path)
            tunnel = Path(str(make_url(url).query["unix_socket"])).parent
            assert tunnel.stat().st_mode & 0o777 == 0o700
        assert not tunnel.exists()
        assert [check for check in verdict.checks if check.state != "pass"] == []
        assert "sulit" not in url
        mariadb.execute("DELETE FROM pegawai", name)
        receipt = source.prepare_swap(copy)
        source.quiet()
        source.swap(receipt)
        assert source.live_is(receipt) == "new"
        assert dump.differences(None) == []
        source.discard(copy)
    finally:
        mariadb.execute("DROP USER jauh@localhost")


def test_a_database_connection_that_is_cut_in_a_load_leaves_no_copy(database, server):
    dump = dumped(database)
    with pytest.raises(PulihError), database.load(database.beside("uji"), dump.result.server_globals) as stream:
        stream.write(dump.plain[:1000])
        server.cut()
        stream.write(dump.plain[1000:])
        stream.finish()
    assert database.copies() == []


def test_many_connections_go_through_one_tunnel_at_once(database, tmp_path):
    copy = dumped(database).load()
    with closing(database):
        engine = create_engine(database.judge_url(copy, tmp_path), pool_size=5)
        with engine.connect() as one, engine.connect() as other:
            for connection in (one, other, one):
                query = text("SELECT length(repeat('x', 3000000)), repeat('y', 3000000)")
                assert connection.execute(query).one()[1] == "y" * 3_000_000
            with pytest.raises(Exception, match="read-only transaction"):
                one.execute(text("CREATE TABLE x (y int)"))
        engine.dispose()
    database.discard(copy)


def test_a_tunnel_leads_to_an_address_and_ends_both_directions(host):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with host.tunnel(["/tidak/ada", f"127.0.0.1:{port}"], "soket") as directory:
            listener.accept()[0].close()  # the look whether somebody answers
            with socket.socket(socket.AF_UNIX) as near:
                near.connect(f"{directory}/soket")
                far, _ = listener.accept()
                with far:
                    near.sendall(b"tanya")
                    near.shutdown(socket.SHUT_WR)
                    assert (far.recv(100), far.recv(100)) == (b"tanya", b"")
                    far.sendall(b"jawab")
                assert (near.recv(100), near.recv(100)) == (b"jawab", b"")
    assert not Path(directory).exists()


def test_a_tunnel_to_where_nobody_listens_says_so(host):
    with (
        pytest.raises(SourceError, match=r"nothing answers at /tidak/ada: No such file or directory") as caught,
        host.tunnel(["127.0.0.1:1", "/tidak/ada"], "soket"),
    ):
        pass
    assert caught.value.hint == "see whether the server runs and listens there"
