"""Swaps of MariaDB databases: one RENAME TABLE, and what cannot be renamed behind it; killed at any instant."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from recovery.errors import ConfigurationError, SourceBusyError, SourceLockedError, SwapError
from recovery.hosts.program_error import ProgramError
from recovery.hosts.program_mariadb_client import Session
from recovery.hosts.program_mariadb_swap import swap, swap_back
from recovery.sources.base import Fingerprint
from recovery.sources.mariadb import MariadbSource
from tests.recovery.sources.mariadb_databases import Dumped, dumped, make_database, make_rich, source_of
from tests.testbed.mariadb import MariaDBServer, run_mariadb
from tests.testbed.s3 import free_ports

# What a server has confirmed is there after it was killed, as on every server that somebody relies on.
DURABLE = ("innodb-flush-log-at-trx-commit=2",)
DAMAGE = """
DELETE FROM pegawai WHERE id > 100; DROP TRIGGER dicatat; DROP FUNCTION pajak; ALTER TABLE pegawai DROP KEY nama;
CREATE TABLE sampah (a int); CREATE VIEW sampahan AS SELECT * FROM sampah; ALTER DATABASE COLLATE utf8mb4_bin;
CREATE PROCEDURE lain() SELECT 1; ALTER EVENT tiap_hari DISABLE;
"""


@dataclass(frozen=True)
class Beside:
    """A database of which much was lost, and the copy that has it all."""

    server: MariaDBServer
    source: MariadbSource
    whole: Fingerprint
    damaged: Fingerprint
    copy: str

    def live(self) -> str:
        """Which data an application finds, with everything that belongs to it."""
        seen = self.source.fingerprint()
        for name, known in (("new", self.whole), ("old", self.damaged)):
            if not known.differences(seen):
                return name
        return f"neither: {self.whole.differences(seen)} {self.damaged.differences(seen)}"

    def databases(self) -> list[str]:
        """The database and what stands beside it."""
        found = self.server.rows("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY 1")
        return [name for (name,) in found if name.startswith(self.source.database)]


def make_beside(server: MariaDBServer) -> Beside:
    source = make_database(server)
    # A server that dies forgets numbers that it gave out and that nobody used.
    server.execute("ALTER TABLE pegawai AUTO_INCREMENT = 300", source.database)
    dump = dumped(source)
    copy = dump.load("cadangan")
    server.execute(DAMAGE, source.database)
    return Beside(server, source, dump.result.fingerprint, source.fingerprint(), copy)


@pytest.fixture
def beside(mariadb: MariaDBServer) -> Iterator[Beside]:
    made = make_beside(mariadb)
    yield made
    # Those with keys that point to others come first.
    for name in reversed(made.databases()):
        mariadb.execute(f"DROP DATABASE IF EXISTS `{name}`")


def test_a_swap_makes_the_copy_live_and_a_swap_back_undoes_it(beside: Beside) -> None:
    source, name = beside.source, beside.source.database
    receipt = source.prepare_swap(beside.copy)
    assert source.live_is(receipt) == "old"
    assert beside.live() == "old"

    assert source.swap(receipt) == {"live": "new", "moved": True}
    assert beside.live() == "new"
    assert source.live_is(receipt) == "new"
    assert source.safety_copy(receipt) == beside.copy
    assert beside.server.rows("SELECT count(*) FROM pegawai", beside.copy) == [(100,)]
    assert source.swap(receipt) == {"live": "new", "moved": False}

    assert source.swap_back(receipt) == {"live": "old", "moved": True}
    assert beside.live() == "old"
    assert source.live_is(receipt) == "old"
    assert source.swap_back(receipt) == {"live": "old", "moved": False}
    assert source.swap(receipt) == {"live": "new", "moved": True}
    assert beside.live() == "new"
    assert beside.databases() == [name, beside.copy]

    source.discard(beside.copy)
    source.discard(beside.copy)
    assert beside.databases() == [name]
    assert source.live_is(receipt) == "unknown"


def test_every_kind_of_object_goes_live_and_comes_back_with_the_old_data(mariadb: MariaDBServer) -> None:
    """Once as the new data, once as the old; and what takes numbers of a sequence takes them of the live one."""
    source = make_rich(mariadb)
    name, dump = source.database, dumped(source)
    copy = dump.load("kaya")
    mariadb.execute("SELECT SETVAL(naik, 5000); INSERT INTO bernomor (isi) VALUES ('lama'); DROP TABLE kosong", name)
    (sequence,) = mariadb.rows("SELECT next_not_cached_value FROM naik", copy)
    old = dumped(source)
    receipt = source.prepare_swap(copy)

    source.swap(receipt)
    assert dump.differences(None) == []
    mariadb.execute("INSERT INTO bernomor (isi) VALUES ('baru')", name)
    assert mariadb.rows("SELECT id FROM bernomor WHERE isi = 'baru'", name) == [sequence]
    mariadb.execute("DELETE FROM bernomor WHERE isi = 'baru'", name)

    source.swap_back(receipt)
    assert old.differences(None) == []
    mariadb.execute("INSERT INTO bernomor (isi) VALUES ('baru')", name)
    assert mariadb.rows("SELECT id FROM bernomor WHERE isi = 'baru'", name)[0][0] > 5000
    source.discard(copy)
    mariadb.execute(f"DROP DATABASE `{name}`")


def test_a_database_that_is_gone_comes_back(beside: Beside) -> None:
    source, name = beside.source, beside.source.database
    beside.server.execute(f"DROP DATABASE `{name}`")
    receipt = source.prepare_swap(beside.copy)
    source.swap(receipt)
    assert beside.live() == "new"
    assert source.safety_copy(receipt) == ""
    source.swap_back(receipt)
    assert beside.databases() == [beside.copy]
    source.swap(receipt)
    assert beside.live() == "new"


def test_a_view_whose_table_was_lost_does_not_keep_the_old_data_from_coming_back(beside: Beside) -> None:
    beside.server.execute("DROP TABLE sampah", beside.source.database)
    receipt = beside.source.prepare_swap(beside.copy)
    beside.source.swap(receipt)
    assert beside.live() == "new"
    beside.source.swap_back(receipt)
    assert beside.damaged.differences(beside.source.fingerprint()) == [
        "object 'sampah' is missing",
        "structure: tables 'sampah' is missing",
        "structure: views 'sampahan' is missing",
        "the total of objects is 2 and not 3",
    ]


def test_a_view_without_its_table_comes_back_when_the_table_does(beside: Beside) -> None:
    beside.server.execute("DROP TABLE sampah", beside.source.database)
    receipt = beside.source.prepare_swap(beside.copy)
    beside.source.swap(receipt)
    beside.server.execute("CREATE TABLE sampah (a int)", beside.copy)
    beside.source.swap_back(receipt)
    assert beside.live() == "old"


def test_a_view_of_a_copy_that_lacks_a_right_stops_the_swap(beside: Beside) -> None:
    name, server = beside.source.database, beside.server
    view = "CREATE DEFINER=tanpa_hak@localhost VIEW terlarang AS SELECT nama FROM pegawai"
    server.execute(f"CREATE USER tanpa_hak@localhost; {view}", name)
    try:
        receipt = beside.source.prepare_swap(beside.copy)
        server.execute(view, beside.copy)
        said = f"views of the copy {beside.copy} lack what they read, or the right to: terlarang; nothing was moved"
        with pytest.raises(SwapError, match=said):
            beside.source.swap(receipt)
        server.execute("DROP VIEW terlarang", beside.copy)
        beside.source.swap(receipt)
        assert beside.live() == "new"
        beside.source.swap_back(receipt)
        views = f"SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = '{name}' ORDER BY 1"
        assert server.rows(views) == [("kaya",), ("sampahan",), ("terlarang",)]
    finally:
        server.execute("DROP USER tanpa_hak@localhost")


def test_whoever_uses_the_database_is_named_and_stops_the_swap(beside: Beside) -> None:
    source = beside.source
    receipt = source.prepare_swap(beside.copy)
    with closing(beside.server.connect(source.database)) as connection:
        said = (
            f"the database {source.database} is still used by Sleep (root from localhost, pid {connection.thread_id()})"
        )
        with pytest.raises(SourceBusyError) as quiet:
            source.quiet()
        with pytest.raises(SourceBusyError) as swapping:
            source.swap(receipt)
    assert quiet.value.message == said
    assert swapping.value.message == said
    assert swapping.value.state == "nothing was moved"
    assert beside.live() == "old"


def test_an_account_of_the_application_is_seen_before_it_chose_a_database(beside: Beside) -> None:
    source = beside.source
    name = source.database.replace("_", "\\_")
    beside.server.execute(f"CREATE USER simpel@localhost; GRANT SELECT ON `{name}`.* TO simpel@localhost")
    try:
        with (
            closing(beside.server.connect(None, "simpel")),
            pytest.raises(SourceBusyError, match=r"is still used by Sleep \(simpel from localhost"),
        ):
            source.quiet()
    finally:
        beside.server.execute("DROP USER simpel@localhost")


def test_a_session_in_another_database_that_holds_a_table_is_seen(beside: Beside) -> None:
    with closing(beside.server.connect("mysql")) as connection, connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLES `{beside.source.database}`.pegawai READ")
        with pytest.raises(SourceBusyError, match="is still used by a session in the table pegawai"):
            beside.source.quiet()


def test_a_replica_that_applies_changes_is_named_and_stops_a_swap() -> None:
    """Where the changes come from, a session that only hands them on disturbs nobody."""
    (port,) = free_ports(1)
    network = ("server-id=1", "log-bin=binlog", "skip-networking=0", "bind-address=127.0.0.1", f"port={port}")
    with run_mariadb(*network) as primary, run_mariadb("server-id=2") as replica:
        primary.execute("CREATE USER replika@'127.0.0.1' IDENTIFIED BY 'x'")
        primary.execute("GRANT REPLICATION SLAVE ON *.* TO replika@'127.0.0.1'")
        there = make_database(primary)
        replica.execute(
            f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USER = 'replika',"
            " MASTER_PASSWORD = 'x', MASTER_USE_GTID = slave_pos; START SLAVE"
        )
        replica.execute(f"SELECT MASTER_GTID_WAIT('{primary.rows('SELECT @@gtid_binlog_pos')[0][0]}', 60)")
        source = source_of(replica, there.database)
        dump = dumped(source)
        copy = dump.load("replika")
        receipt = source.prepare_swap(copy)
        said = rf"the database {source.database} is still used by replication \(system user from local, pid \d+\), "
        for refused in (source.quiet, lambda: source.swap(receipt)):
            with pytest.raises(SourceBusyError, match=said):
                refused()
        assert source.live_is(receipt) == "old"
        assert there.quiet()["proven"] is True
        replica.execute("STOP SLAVE")
        assert source.quiet()["proven"] is True
        source.swap(receipt)
        assert dump.differences(None) == []


def test_a_lock_that_is_not_given_up_moves_nothing(beside: Beside) -> None:
    """A transaction that has only read is in no list, and holds its tables all the same."""
    source = beside.source
    source.lock_timeout = 1
    receipt = source.prepare_swap(beside.copy)
    with closing(beside.server.connect("mysql")) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT count(*) FROM `{source.database}`.pegawai")
        with pytest.raises(SourceLockedError, match="Lock wait timeout exceeded"):
            source.swap(receipt)
        cursor.execute("ROLLBACK")
    assert source.live_is(receipt) == "old"
    assert beside.live() == "old"
    source.swap(receipt)
    assert beside.live() == "new"


def test_foreign_keys_of_another_database_stop_the_swap(beside: Beside) -> None:
    source = beside.source
    beside.server.execute(
        f"CREATE DATABASE `{source.database}_lain`; CREATE TABLE `{source.database}_lain`.x (id int,"
        f" FOREIGN KEY (id) REFERENCES `{source.database}`.pegawai (id))"
    )
    with pytest.raises(SwapError, match=f"foreign keys of {source.database}_lain.x point to the database"):
        source.prepare_swap(beside.copy)


def test_a_half_copy_and_a_copy_that_was_changed_are_not_made_live(beside: Beside) -> None:
    source = beside.source
    receipt = source.prepare_swap(beside.copy)
    beside.server.execute("DROP TABLE `~pulih`", beside.copy)
    with pytest.raises(SwapError, match=f"{beside.copy} does not say what is live under the name {source.database}"):
        source.swap(receipt)
    with pytest.raises(SwapError, match=f"there is no whole copy {beside.copy}; nothing was moved"):
        source.prepare_swap(beside.copy)


def test_another_server_under_the_same_address_is_not_touched(beside: Beside) -> None:
    receipt = {**beside.source.prepare_swap(beside.copy), "system": "1"}
    with pytest.raises(SwapError, match="is not the one of the receipt"):
        beside.source.swap(receipt)


@pytest.mark.parametrize("name", ["mysql", "simpel", "simpel.pulih-", "simpel.pulih-x;y", "lain.pulih-x"])
def test_only_copies_of_ours_are_discarded(rich_mariadb: Dumped, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no copy of"):
        rich_mariadb.source.discard(name)


# --- killed -----------------------------------------------------------------------------------------------------------

KILLED = """
import json, os, signal, sys
from recovery.points import observe
from tests.recovery.sources.mariadb_databases import source_of
from tests.testbed.mariadb import MariaDBServer
from pathlib import Path
server, database, receipt, verb, point = sys.argv[1:]
def die(name):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)
source = source_of(MariaDBServer(Path(server), ()), database)
with observe(die):
    getattr(source, verb)(json.loads(receipt))
"""


@pytest.mark.parametrize("verb", ["swap", "swap_back"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_a_swap_everything_is_whole_and_a_retry_ends_it(beside: Beside, verb: str, when: str) -> None:
    source = beside.source
    receipt = source.prepare_swap(beside.copy)
    if verb == "swap_back":
        source.swap(receipt)
    place = [str(beside.server.directory), source.database, json.dumps(receipt), verb, f"mariadb: {when} {verb}"]
    process = subprocess.run([sys.executable, "-c", KILLED, *place], capture_output=True)
    assert process.returncode == -signal.SIGKILL, process.stderr
    first, then = ("old", "new") if verb == "swap" else ("new", "old")
    assert beside.live() == (first if when == "before" else then)
    getattr(source, verb)(receipt)
    assert beside.live() == then


class _DeadError(BaseException):
    """Raised where the shipped program or the server dies."""


def dying(beside: Beside, receipt: dict[str, Any], verb: Any, at: int, kill: Any, patch: pytest.MonkeyPatch) -> bool:
    """Let a swap die before its statement with this number; say whether it came that far."""
    counted = 0
    run = Session.run

    def run_until(session: Session, statement: str, encoding: str = "utf-8") -> list[list[str]]:
        nonlocal counted
        if not statement.startswith(("SELECT", "SHOW", "SET")):
            counted += 1
            if counted == at:
                kill()
                raise _DeadError
        return run(session, statement, encoding)

    with beside.source._target(beside.source.account) as target, patch.context() as patched:
        patched.setattr(Session, "run", run_until)
        try:
            verb([target.encode(), json.dumps(receipt).encode()])
        except _DeadError:
            return True
    return False


def sweep(
    beside: Beside, step: int, patch: pytest.MonkeyPatch, kill: Any = lambda: None, mend: Any = lambda: None
) -> int:
    """Die before every step-th statement of swaps there and back; each time the next call finishes or undoes it."""
    source = beside.source
    receipt = source.prepare_swap(beside.copy)
    died = 0
    for verb, back, coming, leaving in ((swap, "swap_back", "new", "old"), (swap_back, "swap", "old", "new")):
        at = 1
        while dying(beside, receipt, verb, at, kill, patch):
            mend()
            died += 1
            # What the tables say is what is live, and the next call makes the rest of it whole, one way or the other.
            assert source.live_is(receipt) in (coming, leaving)
            if died % 2:
                getattr(source, verb.__name__)(receipt)
                assert beside.live() == coming
                getattr(source, back)(receipt)
            else:
                getattr(source, back)(receipt)
            assert beside.live() == leaving
            at += step
        assert beside.live() == coming
    return died


def test_wherever_a_swap_dies_the_next_call_finishes_or_undoes_it(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sweep(beside, 7, monkeypatch) >= 4


@pytest.mark.endurance
def test_at_every_statement_a_swap_may_die(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sweep(beside, 1, monkeypatch) >= 30


@pytest.mark.endurance
def test_at_every_statement_the_server_may_die(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_mariadb(*DURABLE) as server:
        beside = make_beside(server)
        assert sweep(beside, 1, monkeypatch, kill=server.kill, mend=server.start) >= 30


@pytest.mark.parametrize(
    "delay", [0.01, *(pytest.param(number / 200, marks=pytest.mark.endurance) for number in range(1, 20))]
)
def test_the_server_killed_while_tables_move_leaves_all_or_nothing(
    monkeypatch: pytest.MonkeyPatch, delay: float
) -> None:
    """Killed while the renames go on; whatever it did of them, it did for all tables."""
    with run_mariadb(*DURABLE) as server:
        beside = make_beside(server)
        tables = "".join(f"CREATE TABLE t{number} (a int);" for number in range(60))
        server.execute(tables, beside.source.database)
        damaged = beside.source.fingerprint()
        receipt = beside.source.prepare_swap(beside.copy)
        rows = Session.rows

        def killing(session: Session, statement: str, encoding: str = "utf-8") -> Iterator[list[str]]:
            if statement.startswith("RENAME TABLE"):
                threading.Timer(delay, server.kill).start()
            return rows(session, statement, encoding)

        with beside.source._target(beside.source.account) as target, monkeypatch.context() as patched:
            patched.setattr(Session, "rows", killing)
            # It may have been quicker than the kill.
            with suppress(ProgramError):
                swap([target.encode(), json.dumps(receipt).encode()])
        server.wait_until_dead()
        server.start()
        now = beside.source.live_is(receipt)
        beside.source.swap_back(receipt)
        assert now in ("old", "new")
        assert damaged.differences(beside.source.fingerprint()) == []
        beside.source.swap(receipt)
        assert beside.live() == "new"


@pytest.mark.parametrize(
    "delay", [0.02, *(pytest.param(number / 100, marks=pytest.mark.endurance) for number in range(3, 20))]
)
def test_a_client_killed_while_tables_move_says_what_the_server_did(
    beside: Beside, monkeypatch: pytest.MonkeyPatch, delay: float
) -> None:
    """The server goes on with the renames; who looks too early would call the wrong data live."""
    tables = "".join(f"CREATE TABLE t{number} (a int);" for number in range(60))
    beside.server.execute(tables, beside.source.database)
    beside = replace(beside, damaged=beside.source.fingerprint())
    receipt = beside.source.prepare_swap(beside.copy)
    # The next call waits for the renames, or says that it waited in vain: here it never does.
    beside.source.lock_timeout = 120
    rows = Session.rows

    def killing(session: Session, statement: str, encoding: str = "utf-8") -> Iterator[list[str]]:
        if statement.startswith("RENAME TABLE"):
            threading.Timer(delay, session._process.kill).start()
        return rows(session, statement, encoding)

    with beside.source._target(beside.source.account) as target, monkeypatch.context() as patched:
        patched.setattr(Session, "rows", killing)
        try:
            said = swap([target.encode(), json.dumps(receipt).encode()])["live"]
        except ProgramError:
            said = "old"
    assert beside.source.live_is(receipt) == said
    assert beside.live() == said
    beside.source.swap_back(receipt)
    assert beside.live() == "old"


def test_while_tables_still_move_nobody_says_that_nothing_was_changed(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = beside.source.prepare_swap(beside.copy)
    run = Session.run

    def busy(session: Session, statement: str, encoding: str = "utf-8") -> list[list[str]]:
        if statement.startswith(("RENAME TABLE", f"CREATE DATABASE IF NOT EXISTS `{beside.copy}~`")):
            raise ProgramError("SourceLockedError", "Lock wait timeout exceeded", "nothing was changed")
        return run(session, statement, encoding)

    with beside.source._target(beside.source.account) as target, monkeypatch.context() as patched:
        patched.setattr(Session, "run", busy)
        with pytest.raises(ProgramError, match="Lock wait timeout exceeded") as raised:
            swap([target.encode(), json.dumps(receipt).encode()])
    assert raised.value.report["state"].startswith("tables may move still, all or none of them")
    beside.source.swap(receipt)
    assert beside.live() == "new"


def test_a_table_that_stopped_on_its_way_is_never_dropped(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = beside.source.prepare_swap(beside.copy)
    run = Session.run
    moved = []

    def stopping(session: Session, statement: str, encoding: str = "utf-8") -> list[list[str]]:
        if not statement.startswith("RENAME TABLE"):
            return run(session, statement, encoding)
        first = statement.partition(", ")[0]
        moved.append(first.rpartition(".")[2].strip("`"))
        run(session, first, encoding)
        raise ProgramError("SourceError", "the server died", "unknown")

    with beside.source._target(beside.source.account) as target, monkeypatch.context() as patched:
        patched.setattr(Session, "run", stopping)
        with pytest.raises(ProgramError, match=f"the database {beside.copy}~ is not empty") as raised:
            swap([target.encode(), json.dumps(receipt).encode()])
    assert raised.value.report["error"] == "SwapError"
    for verb in (beside.source.swap, beside.source.swap_back):
        with pytest.raises(SwapError, match=f"the database {beside.copy}~ is not empty"):
            verb(receipt)
    assert beside.server.rows("SHOW TABLES", f"{beside.copy}~") == [(moved[0],)]
