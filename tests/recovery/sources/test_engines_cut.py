"""The connection to a machine is cut while a database there is dumped, loaded or swapped: whole old or whole new data.

One test for all engines, as in test_engines_killed.py. What sshd started is killed like sshd's own session; what our
programs started must be gone soon after, and whoever comes again finds it as if nothing had been.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.errors import PulihError
from recovery.hosts.ssh import SshHost
from recovery.settings import ComponentSettings
from recovery.sources import open_source
from recovery.sources.base import Source
from tests.recovery.sabotage.proving import dump_of
from tests.recovery.sources.conftest import ENGINE_DATABASE as DATABASE
from tests.recovery.sources.test_engines_killed import HOLDERS, load
from tests.testbed.engines import EngineServer, _wait
from tests.testbed.sshd import SshServer, run_sshd

CLIENTS = {"psql", "pg_dump", "pg_restore", "mariadb", "mariadb-dump"}
# More than what pipes, channels and windows hold between a program there and whoever does not read here.
FILLER = 250_000


@pytest.fixture(scope="module")
def sshd() -> Iterator[SshServer]:
    """The way to the machine."""
    with run_sshd() as running:
        yield running


@pytest.fixture
def source(server: EngineServer, sshd: SshServer) -> Source:
    """The database, as it is reached from another machine."""
    settings = ComponentSettings(name="data", lock_timeout=20, **server.component(DATABASE))
    return open_source(SshHost(sshd.settings(title=server.kind)), settings)


def clients(server: EngineServer) -> set[str]:
    """The programs that work with this server, by name."""
    found, place = set(), os.fsencode(server.directory)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if name in CLIENTS and place in told:
            found.add(name)
    return found


def wait_until_nothing_is_left(server: EngineServer) -> None:
    _wait(lambda: not clients(server), "nothing of the call that was cut runs any more")


@pytest.mark.endurance
def test_a_connection_that_is_cut_in_a_dump_gives_no_dump(
    server: EngineServer, source: Source, sshd: SshServer
) -> None:
    server.fill(DATABASE, FILLER)
    before = server.rows(DATABASE)
    with pytest.raises(PulihError, match="the connection to server was lost"), source.dump() as stream:
        assert stream.readinto(bytearray(1 << 16))
        assert clients(server), "the dump was over before it was cut"
        sshd.cut()
        while stream.readinto(bytearray(1 << 20)):
            pass
        stream.finish()
    wait_until_nothing_is_left(server)
    assert server.rows(DATABASE) == before
    original, copy = dump_of(source), source.beside("sesudah")
    load(source, original, copy)
    assert original.expected.differences(source.fingerprint(copy)) == []


@pytest.mark.endurance
def test_a_connection_that_is_cut_in_a_load_leaves_no_copy(
    server: EngineServer, source: Source, sshd: SshServer
) -> None:
    server.fill(DATABASE, FILLER)
    original, copy, before = dump_of(source), source.beside("setengah"), server.rows(DATABASE)
    half = len(original.plain) // 2
    with pytest.raises(PulihError), source.load(copy, original.server_globals) as stream:
        stream.write(original.plain[:half])
        _wait(lambda: len(server.databases()) == 2, "the copy is being made")
        sshd.cut()
        stream.write(original.plain[half:])
        stream.finish()
    wait_until_nothing_is_left(server)
    assert server.rows(DATABASE) == before
    assert source.copies() == []
    assert set(server.databases()) == {DATABASE}
    load(source, original, copy)
    assert original.expected.differences(source.fingerprint(copy)) == []


@pytest.mark.parametrize("verb", ["swap", pytest.param("swap_back", marks=pytest.mark.endurance)])
def test_a_connection_that_is_cut_inside_of_a_swap_leaves_old_or_new_and_the_next_call_ends_it(
    server: EngineServer, source: Source, sshd: SshServer, verb: str
) -> None:
    original, copy = dump_of(source), source.beside("cadangan")
    load(source, original, copy)
    whole = server.rows(DATABASE)
    server.damage(DATABASE)
    damaged = server.rows(DATABASE)
    receipt = source.prepare_swap(copy)
    if verb == "swap_back":
        source.swap(receipt)
    rows = {"old": damaged, "new": whole}
    goal = "new" if verb == "swap" else "old"
    raised: list[PulihError] = []

    def work() -> None:
        try:
            getattr(source, verb)(receipt)
        except PulihError as error:
            raised.append(error)

    swapping = threading.Thread(target=work)
    with HOLDERS[server.kind](server, copy) as waits:
        swapping.start()
        _wait(waits, "the swap is in its middle")
        sshd.cut()
        swapping.join()
        assert ["the connection to server was lost" in error.message for error in raised] == [True]
        wait_until_nothing_is_left(server)
    live = source.live_is(receipt)
    assert live in ("old", "new")
    assert server.rows(DATABASE) == rows[live]
    assert server.databases()[DATABASE], "the live database must be open"
    getattr(source, verb)(receipt)
    assert source.live_is(receipt) == goal
    assert server.rows(DATABASE) == rows[goal]
    assert server.rows(copy) == rows["old" if goal == "new" else "new"]
    assert set(server.databases()) == {DATABASE, copy}
    assert clients(server) == set()
