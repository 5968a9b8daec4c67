"""Swaps of PostgreSQL databases: one transaction of renames, told by numbers, whole old or whole new at any instant."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import ConfigurationError, SourceBusyError, SourceLockedError, SwapError
from recovery.hosts.local import LocalHost
from recovery.hosts.program_error import ProgramError
from recovery.hosts.program_postgresql_client import Session
from recovery.hosts.program_postgresql_swap import swap, swap_back
from recovery.sources.base import Fingerprint
from recovery.sources.postgresql import PostgresqlSource
from recovery.sources.server import Account
from tests.recovery.sources.conftest import ENGINE_DATABASE as DATABASE
from tests.recovery.sources.postgresql_databases import Dumped, connect, dumped, make_database
from tests.testbed.engines import PostgresqlServer
from tests.testbed.family import descendants
from tests.testbed.postgresql import PostgreSQLServer

COUNT = "SELECT count(*) FROM pegawai"


@dataclass(frozen=True)
class Beside:
    """A database whose half was lost, and the copy that has it all."""

    server: PostgreSQLServer
    source: PostgresqlSource
    whole: Fingerprint
    copy: str

    def rows(self) -> int:
        """How many rows an application finds."""
        with closing(connect(self.server, self.source.database)) as connection:
            return int(connection.execute(COUNT).fetchone()[0])

    def databases(self) -> dict[str, bool]:
        """The database and its copies, and whether one can connect to each."""
        with closing(connect(self.server, "postgres")) as connection:
            return dict(
                connection.execute(
                    "SELECT datname, datallowconn FROM pg_database WHERE starts_with(datname, %s)",
                    (self.source.database,),
                ).fetchall()
            )


@pytest.fixture
def beside(postgresql: PostgreSQLServer) -> Iterator[Beside]:
    source = make_database(postgresql)
    whole = source.fingerprint()
    # What loading comes to, in a fraction of its time.
    copy = source.beside("cadangan")
    postgresql.execute(f'CREATE DATABASE "{copy}" TEMPLATE {source.database}')
    with closing(connect(postgresql, source.database)) as connection:
        connection.execute("DELETE FROM pegawai WHERE id > 100")
    yield Beside(postgresql, source, whole, copy)
    for name in (source.database, source.beside("cadangan")):
        postgresql.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def test_a_swap_makes_the_copy_live_and_a_swap_back_undoes_it(beside: Beside) -> None:
    source, name = beside.source, beside.source.database
    assert source.ties() == []
    receipt = source.prepare_swap(beside.copy)
    assert source.live_is(receipt) == "old"
    assert beside.databases() == {name: True, beside.copy: False}

    assert source.swap(receipt) == {"live": "new", "moved": True}
    assert beside.rows() == 200
    assert beside.whole.differences(source.fingerprint()) == []
    assert source.live_is(receipt) == "new"
    assert source.safety_copy(receipt) == beside.copy
    assert beside.databases() == {name: True, beside.copy: False}
    assert source.swap(receipt) == {"live": "new", "moved": False}

    assert source.swap_back(receipt) == {"live": "old", "moved": True}
    assert beside.rows() == 100
    assert source.live_is(receipt) == "old"
    assert beside.databases() == {name: True, beside.copy: False}
    assert source.swap_back(receipt) == {"live": "old", "moved": False}

    source.discard(beside.copy)
    source.discard(beside.copy)
    assert beside.databases() == {name: True}
    assert source.live_is(receipt) == "old"


def test_a_database_with_every_kind_of_object_is_the_same_under_either_name(rich: Dumped) -> None:
    """The restored one when it is live, and the old one when it is live again."""
    source = rich.source
    copy = rich.load("bertukar")
    receipt = source.prepare_swap(copy)
    for move, live in ((source.swap, "new"), (source.swap_back, "old")):
        assert {"live": live, "moved": True} == move(receipt)
        assert [] == rich.differences(None), live
    source.discard(copy)


def test_a_database_that_is_gone_comes_back(beside: Beside) -> None:
    source, name = beside.source, beside.source.database
    beside.server.execute(f"DROP DATABASE {name}")
    receipt = source.prepare_swap(beside.copy)
    source.swap(receipt)
    assert beside.rows() == 200
    assert source.safety_copy(receipt) == ""
    source.swap_back(receipt)
    assert beside.databases() == {beside.copy: False}


def test_whoever_uses_the_database_is_named_and_stops_the_swap(beside: Beside) -> None:
    source = beside.source
    receipt = source.prepare_swap(beside.copy)
    with closing(connect(beside.server, source.database)) as connection:
        connection.execute("SET application_name = 'simpel-web'")
        pid = connection.info.backend_pid
        said = f"the database {source.database} is still used by simpel-web (postgres from local, pid {pid})"
        with pytest.raises(SourceBusyError) as quiet:
            source.quiet()
        with pytest.raises(SourceBusyError) as swap:
            source.swap(receipt)
    assert quiet.value.message == said
    assert swap.value.message == said
    assert swap.value.state == "nothing was moved"
    assert source.live_is(receipt) == "old"


def test_nobody_can_change_a_copy_that_is_about_to_go_live(beside: Beside) -> None:
    import psycopg

    beside.source.prepare_swap(beside.copy)
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        connect(beside.server, beside.copy)


def test_a_replication_slot_stops_the_swap(beside: Beside) -> None:
    source = beside.source
    with closing(connect(beside.server, source.database)) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('pusat', 'pgoutput')")
    try:
        with pytest.raises(
            SwapError, match=f"the replication slot pusat belongs to the database {source.database} and"
        ):
            source.prepare_swap(beside.copy)
        expected = (
            f"the replication slot pusat belongs to the database {source.database} and would not go with its name"
        )
        assert [expected] == source.ties()
    finally:
        beside.server.execute("SELECT pg_drop_replication_slot('pusat')")


def test_a_prepared_transaction_stops_the_swap(beside: Beside) -> None:
    source = beside.source
    receipt = source.prepare_swap(beside.copy)
    with closing(connect(beside.server, source.database)) as connection:
        connection.execute("BEGIN")
        connection.execute("DELETE FROM pegawai")
        connection.execute("PREPARE TRANSACTION 'menggantung'")
    try:
        with pytest.raises(SwapError, match="the prepared transaction menggantung of postgres belongs to"):
            source.swap(receipt)
        assert "1 prepared transactions wait: what they changed is not in the backup" in source.preflight()
    finally:
        with closing(connect(beside.server, source.database)) as connection:
            connection.execute("ROLLBACK PREPARED 'menggantung'")


@pytest.fixture
def subscribed(beside: Beside) -> Iterator[Beside]:
    """The database receives from another server, which the test does not need."""
    with closing(connect(beside.server, beside.source.database)) as connection:
        connection.execute("CREATE SUBSCRIPTION langganan CONNECTION '' PUBLICATION x WITH (connect = false)")
        connection.execute("COMMENT ON SUBSCRIPTION langganan IS 'dari pusat'")
    yield beside
    with closing(connect(beside.server, beside.source.database)) as connection:
        connection.execute("ALTER SUBSCRIPTION langganan SET (slot_name = NONE)")
        connection.execute("DROP SUBSCRIPTION langganan")


def test_a_subscription_stops_the_swap(subscribed: Beside) -> None:
    with pytest.raises(SwapError, match="the subscription langganan belongs to"):
        subscribed.source.prepare_swap(subscribed.copy)
    (tie,) = subscribed.source.ties()
    assert f"the subscription langganan belongs to the database {subscribed.source.database} and would not" in tie


@pytest.mark.parametrize("rights", ["SUPERUSER", "BYPASSRLS IN ROLE pg_read_all_data"])
def test_a_subscription_is_told_and_in_no_backup_whoever_takes_it(subscribed: Beside, rights: str) -> None:
    """Only a superuser could dump it, and no copy with it could go live."""
    subscribed.server.execute(f"CREATE ROLE berlangganan LOGIN {rights}")
    source = subscribed.source
    source.account = Account("berlangganan")
    told = "the subscription langganan is in no backup, and a restore needs it to be dropped before"
    assert [told] == [line for line in source.preflight() if "langganan" in line]
    dump = dumped(source)
    assert (b"dari pusat" in dump.plain, b"SUBSCRIPTION" in dump.plain, dump.result.warnings) == (False, False, ())
    copy = dump.load("langganan")
    assert [] == dump.differences(copy)
    source.discard(copy)
    subscribed.server.execute("DROP ROLE berlangganan")


def test_a_copy_or_a_database_that_somebody_replaced_is_not_touched(beside: Beside) -> None:
    source, name = beside.source, beside.source.database
    receipt = source.prepare_swap(beside.copy)
    beside.server.execute(f'ALTER DATABASE "{beside.copy}" RENAME TO disisihkan')
    beside.server.execute(f'CREATE DATABASE "{beside.copy}"')
    with pytest.raises(SwapError, match=f"{name} and {beside.copy} are not the databases of the receipt"):
        source.swap(receipt)
    beside.server.execute(f'DROP DATABASE "{beside.copy}"')
    beside.server.execute(f"ALTER DATABASE {name} RENAME TO {name}_lama")
    beside.server.execute(f"ALTER DATABASE disisihkan RENAME TO {name}_baru")
    beside.server.execute(f"CREATE DATABASE {name}")
    assert source.live_is(receipt) == "unknown"
    with pytest.raises(SwapError, match="are not the databases of the receipt; nothing was moved"):
        source.swap_back(receipt)
    for each in (f"{name}_lama", f"{name}_baru"):
        beside.server.execute(f"DROP DATABASE {each}")


def test_another_server_under_the_same_address_is_not_touched(beside: Beside) -> None:
    receipt = {**beside.source.prepare_swap(beside.copy), "system": "1"}
    with pytest.raises(SwapError, match="is not the one of the receipt"):
        beside.source.swap(receipt)


@pytest.mark.parametrize("name", ["postgres", "simpel", "simpel.pulih-", "simpel.pulih-x;y", "lain.pulih-x"])
def test_only_copies_of_ours_are_discarded(rich: Dumped, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no copy of"):
        rich.source.discard(name)


# --- killed -----------------------------------------------------------------------------------------------------------

KILLED = """
import json, os, signal, sys
from recovery.points import observe
from tests.recovery.sources.postgresql_databases import source_of
from tests.testbed.postgresql import PostgreSQLServer
from pathlib import Path
server, database, receipt, verb, point = sys.argv[1:]
def die(name):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)
source = source_of(PostgreSQLServer(Path(server), "postgres"), database)
with observe(die):
    getattr(source, verb)(json.loads(receipt))
"""


def run_killed(beside: Beside, receipt: dict[str, Any], verb: str, point: str) -> "subprocess.Popen[bytes]":
    place = [str(beside.server.directory), beside.source.database, json.dumps(receipt), verb, point]
    return subprocess.Popen([sys.executable, "-c", KILLED, *place], stderr=subprocess.PIPE)


@pytest.mark.parametrize("verb", ["swap", "swap_back"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_a_swap_everything_is_whole_and_a_retry_ends_it(beside: Beside, verb: str, when: str) -> None:
    source = beside.source
    receipt = source.prepare_swap(beside.copy)
    if verb == "swap_back":
        source.swap(receipt)
    process = run_killed(beside, receipt, verb, f"postgresql: {when} {verb}")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    old_first, new_first = (100, 200) if verb == "swap" else (200, 100)
    assert beside.rows() == (old_first if when == "before" else new_first)
    getattr(source, verb)(receipt)
    assert beside.rows() == new_first
    assert beside.databases() == {source.database: True, beside.copy: False}


def test_killed_inside_of_the_transaction_nothing_has_happened(beside: Beside) -> None:
    """The renames wait for a session that came to the copy; meanwhile worker and shipped program die."""
    source = beside.source
    receipt = source.prepare_swap(beside.copy)
    with closing(connect(beside.server, "postgres")) as holder:
        # Holds what a rename needs: the swap stands in the middle of its transaction.
        holder.execute("BEGIN")
        holder.execute(f"COMMENT ON DATABASE \"{beside.copy}\" IS 'ditahan'")
        process = run_killed(beside, receipt, "swap", "")
        program = wait_for_program(beside, process)
        os.kill(process.pid, signal.SIGKILL)
        os.killpg(program, signal.SIGKILL)
        process.communicate()
        holder.execute("ROLLBACK")
    assert wait_until_old(source, receipt) == "old"
    assert beside.rows() == 100
    source.swap(receipt)
    assert beside.rows() == 200


def test_a_swap_that_cannot_get_its_lock_gives_up_and_has_moved_nothing(beside: Beside) -> None:
    source = beside.source
    receipt = source.prepare_swap(beside.copy)
    source.lock_timeout = 0.3
    with closing(connect(beside.server, "postgres")) as holder:
        holder.execute("BEGIN")
        holder.execute(f"COMMENT ON DATABASE \"{beside.copy}\" IS 'ditahan'")
        with pytest.raises(SourceLockedError, match="lock timeout"):
            source.swap(receipt)
        holder.execute("ROLLBACK")
    assert source.live_is(receipt) == "old"
    assert beside.databases() == {source.database: True, beside.copy: False}


# Where the server dies, and what may be live when it runs again: not yet, or either, where nobody heard the answer.
DEATHS = {
    "before the renames": ("leaving",),
    "after the renames": ("leaving",),
    "before COMMIT": ("leaving",),
    "after COMMIT was sent": ("leaving", "coming"),
}


def die_in(
    server: PostgresqlServer, source: PostgresqlSource, receipt: dict[str, Any], verb: Any, when: str, patch: Any
) -> None:
    """Let the server die in a swap, which must be told to have failed."""
    run, died = Session.run, []

    def kill() -> None:
        server.kill()
        died.append(when)

    def run_until(session: Session, statements: str) -> list[Any]:
        renames, commit = statements.startswith("BEGIN"), statements == "COMMIT"
        if (renames and when == "before the renames") or (commit and when == "before COMMIT"):
            kill()
        if commit and when == "after COMMIT was sent":
            assert session._process.stdin is not None
            session._process.stdin.write(b"COMMIT;\n")
            session._process.stdin.flush()
            kill()
        answers = run(session, statements)
        if renames and when == "after the renames":
            kill()
        return answers

    with source._target(source.account) as target, patch.context() as patched:
        patched.setattr(Session, "run", run_until)
        with pytest.raises(ProgramError) as raised:
            verb([target.encode(), json.dumps(receipt).encode()])
    assert [when] == died
    assert raised.value.report["error"] == "SourceError"


def deaths(server: PostgresqlServer, points: dict[str, list[str]], patch: pytest.MonkeyPatch) -> None:
    """Let the server die in swaps to and fro; each time the next call ends what it had begun, or does it."""
    source = PostgresqlSource(LocalHost(), DATABASE, server=str(server.directory), account=Account(server.user))
    copy = source.beside("cadangan")
    server._execute(f'CREATE DATABASE "{copy}" TEMPLATE {DATABASE}')
    whole = server.rows(DATABASE)
    server.damage(DATABASE)
    damaged = server.rows(DATABASE)
    receipt = source.prepare_swap(copy)
    rows = {"old": damaged, "new": whole}
    for verb, back, leaving, coming in ((swap, "swap_back", "old", "new"), (swap_back, "swap", "new", "old")):
        for when in points[verb.__name__]:
            die_in(server, source, receipt, verb, when, patch)
            server.start()
            live = source.live_is(receipt)
            assert live in {{"leaving": leaving, "coming": coming}[each] for each in DEATHS[when]}, when
            assert server.rows(DATABASE) == rows[live]
            assert {DATABASE: True, copy: False} == server.databases(), "the live one is open, and nothing between"
            assert {"live": coming, "moved": live == leaving} == getattr(source, verb.__name__)(receipt)
            assert server.rows(DATABASE) == rows[coming]
            getattr(source, back)(receipt)
        getattr(source, verb.__name__)(receipt)
        assert server.rows(copy) == rows[leaving]


SAMPLE = {"swap": ["after the renames", "after COMMIT was sent"], "swap_back": ["before COMMIT"]}
ALL = {"swap": [*DEATHS], "swap_back": [*DEATHS]}


@pytest.mark.parametrize("points", [SAMPLE, pytest.param(ALL, marks=pytest.mark.endurance)], ids=["sample", "all"])
@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_a_server_that_dies_in_the_transaction_of_a_swap_has_all_of_it_or_nothing(
    server: PostgresqlServer, points: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths(server, points, monkeypatch)


def wait_for_program(beside: Beside, worker: "subprocess.Popen[bytes]") -> int:
    """Wait until the swap's transaction waits for a lock; return the process group of the shipped program."""
    give_up_at = time.monotonic() + 60
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'pulih'"
    with closing(connect(beside.server, "postgres")) as connection:
        while not connection.execute(waiting).fetchone()[0]:
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
    client = next(pid for pid in descendants(worker.pid) if Path(f"/proc/{pid}/comm").read_text() == "psql\n")
    return os.getpgid(client)


def wait_until_old(source: PostgresqlSource, receipt: dict[str, Any]) -> str:
    """The server ends the transaction of a session that is gone when it notices."""
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        try:
            source.quiet()
            return source.live_is(receipt)
        except SourceLockedError:
            time.sleep(0.05)
    raise AssertionError("the server kept the killed transaction")
