"""The database server dies while it is dumped, loaded or in the middle of a swap: nothing half is taken for whole.

One test for all engines: an engine joins by a class in tests/testbed/engines.py, and by a way to hold its swap.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import PulihError, SourceError
from recovery.hosts.local import LocalHost
from recovery.settings import ComponentSettings
from recovery.sources import open_source
from recovery.sources.base import Source
from tests.recovery.sabotage.proving import Original, dump_of
from tests.recovery.sources.conftest import ENGINE_DATABASE as DATABASE
from tests.testbed.engines import EngineServer, MariadbServer, PostgresqlServer, _wait, kill_tree

# More than all pipes between the server and us can hold.
FILLER = 40_000


@contextmanager
def hold_postgresql(server: PostgresqlServer, copy: str) -> Iterator[Callable[[], bool]]:
    """Keep the second rename of a swap waiting; yield what says that it waits."""
    import psycopg

    with closing(psycopg.connect(host=str(server.directory), user=server.user, dbname="postgres")) as holder:
        # Uncommitted, it holds what a rename of this database needs, until the server dies.
        holder.execute(f"COMMENT ON DATABASE \"{copy}\" IS 'ditahan'".encode())
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'pulih'"
        yield lambda: bool(server._execute(waiting))


@contextmanager
def hold_mariadb(server: MariadbServer, copy: str) -> Iterator[Callable[[], bool]]:
    """Keep the RENAME of a swap waiting for a reader of one of its tables; yield what says that it waits."""
    with closing(server._server.connect()) as holder:
        cursor = holder.cursor()
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT count(*) FROM `{copy}`.pegawai")
        waiting = "SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock%'"
        yield lambda: bool(server._server.rows(waiting))


def scratch_mariadb(directory: Path) -> int:
    """The throw-away server of a proof, by what it has open."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "comm").read_text().strip() == "mariadbd" and any(
                str(directory) in os.readlink(file) for file in (path / "fd").iterdir()
            ):
                return int(path.name)
        except OSError:
            continue
    raise AssertionError("no server of a proof runs")


SCRATCH_PIDS: dict[str, Callable[[Path], int]] = {
    "postgresql": lambda directory: int((directory / "postmaster.pid").read_text().split("\n")[0]),
    "mariadb": scratch_mariadb,
}
HOLDERS: dict[str, Callable[..., AbstractContextManager[Callable[[], bool]]]] = {
    "postgresql": hold_postgresql,
    "mariadb": hold_mariadb,
}


def source_of(server: EngineServer) -> Source:
    return open_source(LocalHost(), ComponentSettings(name="data", lock_timeout=20, **server.component(DATABASE)))


def load(source: Source, original: Original, copy: str) -> None:
    with source.load(copy, original.server_globals) as stream:
        stream.write(original.plain)
        stream.finish()


@pytest.mark.endurance
def test_a_server_that_dies_while_it_is_dumped_gives_no_dump(server: EngineServer) -> None:
    server.fill(DATABASE, FILLER)
    source, before = source_of(server), server.rows(DATABASE)
    buffer = bytearray(1 << 16)
    with pytest.raises(PulihError), source.dump() as stream:
        assert stream.readinto(buffer)
        server.kill()
        while stream.readinto(buffer):
            pass
        stream.finish()
    server.start()
    assert server.rows(DATABASE) == before
    original = dump_of(source)
    copy = source.beside("sesudah")
    load(source, original, copy)
    assert original.expected.differences(source.fingerprint(copy)) == []


@pytest.mark.endurance
def test_a_server_that_dies_while_a_copy_is_loaded_leaves_no_whole_copy(server: EngineServer) -> None:
    server.fill(DATABASE, FILLER)
    source, before = source_of(server), server.rows(DATABASE)
    original, copy = dump_of(source), source.beside("setengah")
    half = len(original.plain) // 2
    with pytest.raises(PulihError), source.load(copy, original.server_globals) as stream:
        stream.write(original.plain[:half])
        server.kill()
        stream.write(original.plain[half:])
        stream.finish()
    server.start()
    assert server.rows(DATABASE) == before
    with pytest.raises(PulihError):
        source.prepare_swap(copy)
    # What is left of it is known for what it is, and goes.
    assert set(source.copies()) <= {copy}
    source.discard(copy)
    assert set(server.databases()) == {DATABASE}
    load(source, original, copy)
    assert original.expected.differences(source.fingerprint(copy)) == []


@pytest.mark.parametrize("verb", ["swap", "swap_back"])
def test_a_server_that_dies_inside_of_a_swap_has_all_of_it_or_nothing(server: EngineServer, verb: str) -> None:
    source = source_of(server)
    original, copy = dump_of(source), source.beside("cadangan")
    load(source, original, copy)
    whole = server.rows(DATABASE)
    server.damage(DATABASE)
    damaged = server.rows(DATABASE)
    receipt = source.prepare_swap(copy)
    if verb == "swap_back":
        source.swap(receipt)
    before, after = (damaged, whole) if verb == "swap" else (whole, damaged)
    raised: list[PulihError] = []

    def work() -> None:
        try:
            getattr(source_of(server), verb)(receipt)
        except PulihError as error:
            raised.append(error)

    swapping = threading.Thread(target=work)
    with HOLDERS[server.kind](server, copy) as waits:
        swapping.start()
        _wait(waits, "the swap is in its middle")
        server.kill()
    swapping.join()
    assert [type(error) for error in raised] == [SourceError]
    server.start()
    assert source.live_is(receipt) == ("old" if verb == "swap" else "new")
    assert server.rows(DATABASE) == before
    assert server.databases()[DATABASE], "the live database must be open again"
    getattr(source, verb)(receipt)
    assert server.rows(DATABASE) == after
    assert server.rows(copy) == before
    assert set(server.databases()) == {DATABASE, copy}
    assert server.databases()[DATABASE]


def test_a_proof_whose_server_dies_is_no_proof(server: EngineServer, tmp_path: Any) -> None:
    server.fill(DATABASE, FILLER)
    source = source_of(server)
    original = dump_of(source)
    with closing(source.scratch(tmp_path / "bukti")) as scratch:
        copy = scratch.beside("proof")
        with pytest.raises(PulihError), scratch.load(copy, original.server_globals) as stream:
            stream.write(original.plain[:1000])
            kill_tree(SCRATCH_PIDS[server.kind](tmp_path / "bukti" / "server"))
            stream.write(original.plain[1000:])
            stream.finish()
        with pytest.raises(PulihError):
            scratch.fingerprint(copy)
