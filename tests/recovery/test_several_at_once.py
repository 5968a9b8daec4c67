"""Several processes on one catalog and one pair of stores: backups, restores, drills, synchronisations, destructions,
rebuilds and the guard at the same time, and all ends well."""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from recovery.records import leases, ledger, ledger_heads, procedures
from recovery.settings import StoreSettings
from recovery.sync import sync
from tests.testbed.former_application import FORMER, require_destroyed_for_good
from tests.testbed.many_applications import begin, do, keep_doing, name_of, open_many, secured
from tests.testbed.postgresql import run_postgresql
from tests.testbed.s3 import OWNER, S3Server, secret
from tests.testbed.s3_juicefs import run_juicefs
from tests.testbed.small_office import SmallOffice
from tests.testbed.two_stores import MAIN, OFFSITE, objects_of

# Processes of their own, forked from one that has imported what is slow to import.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["great_expectations", "typst", "tests.testbed.many_applications"])
# In `make test`, at the size of the office, and for minutes.
APPLICATIONS, OFFICE, MANY = 6, 20, 60
RESTORED = 2
WORKERS = 4
MEANWHILE = ("guard", "prove_newest", "drill", "sync", "destroy", "rebuild")
# As long as the slowest machine may take; nothing here is measured.
PATIENCE = 3000


@pytest.fixture(
    params=[
        pytest.param(("sqlite", APPLICATIONS), id="sqlite"),
        pytest.param(("postgresql", APPLICATIONS), id="postgresql"),
        pytest.param(("postgresql", OFFICE), id="postgresql-office", marks=pytest.mark.endurance),
        pytest.param(("sqlite", OFFICE), id="sqlite-office", marks=pytest.mark.endurance),
        pytest.param(("juicefs", APPLICATIONS), id="juicefs", marks=pytest.mark.endurance),
        pytest.param(("sqlite", MANY), id="for-minutes", marks=pytest.mark.endurance),
    ]
)
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallOffice]:
    """An installation with many applications, on each kind of catalog in turn, and once with a bucket as its main
    store."""
    kind, count = request.param
    if kind == "sqlite":
        yield from _opened(tmp_path, count)
        return
    if kind == "juicefs":
        with run_juicefs() as server:
            yield from _opened(tmp_path, count, main=_bucket(server, tmp_path))
        return
    with run_postgresql() as server:
        server.execute("CREATE DATABASE catalog")
        yield from _opened(tmp_path, count, catalog_url=server.url("catalog"))


def _bucket(server: S3Server, secrets: Path) -> StoreSettings:
    """A new bucket; where objects are never removed by their writer, those who remove have files of their own."""
    (secrets / "removal").mkdir()
    keys = [secret(secrets / "removal", word) for word in OWNER]
    removal = dict(zip(("removal_access_key", "removal_secret_key"), keys, strict=True))
    return server.settings(secrets, server.make_bucket(), name=MAIN, **removal)


def _opened(root: Path, count: int, **given: Any) -> Iterator[SmallOffice]:
    office = open_many(root / "office", count, served=RESTORED, **given)
    yield office
    for number in range(RESTORED):
        for service in office.installation.services(name_of(number)):
            service.stop()
    office.installation.catalog.dispose()


@pytest.mark.slow
@pytest.mark.timeout(3500)
def test_many_backups_and_two_restores_at_once_beside_all_else_that_reads_and_removes_sets(office: SmallOffice) -> None:
    """Nobody waits for ever, nobody meets a locked database, every backup restores afterwards, and what was destroyed
    meanwhile stays away."""
    turn, over, told = PROCESSES.Value("d", time.time()), PROCESSES.Event(), PROCESSES.Queue()
    beside = [PROCESSES.Process(target=keep_doing, args=(office.root, turn, deed, over, told)) for deed in MEANWHILE]
    for process in beside:
        process.start()
    with ProcessPoolExecutor(WORKERS, mp_context=PROCESSES, initializer=begin, initargs=(office.root, turn)) as workers:
        try:
            wrong = list(_played(workers, len(office.installation.applications)))
        finally:
            over.set()
        stories = [story for _ in beside for story in told.get(timeout=PATIENCE)]
        for process in beside:
            process.join(PATIENCE)
        made = [backup.id for backup in secured(office)]
        loaded = [workers.submit(do, "load_and_compare", backup_id, turn % 2) for turn, backup_id in enumerate(made)]
        wrong += [future.result(PATIENCE) for future in loaded]
    assert [] == [story for story in wrong if story]
    assert "" == "\n".join(stories)
    assert [0] * len(beside) == [process.exitcode for process in beside]
    assert 2 * len(office.installation.applications) == len(made)
    _require_whole_records(office)
    # After a synchronisation, which might have brought it back.
    require_destroyed_for_good(office)


def _played(workers: ProcessPoolExecutor, count: int) -> Iterator[str]:
    """Back up all and restore two, which begin as soon as they have a backup."""
    names = [name_of(number) for number in range(count)]
    first = [workers.submit(do, "back_up", name) for name in names[:WORKERS]]
    yield from (future.result(PATIENCE) for future in first[:RESTORED])
    restores = [workers.submit(do, "restore", name) for name in names[:RESTORED]]
    others = [workers.submit(do, "back_up", name) for name in names[WORKERS:]]
    yield from (future.result(PATIENCE) for future in (*first[RESTORED:], *restores, *others))


def _require_whole_records(office: SmallOffice) -> None:
    # What the last of them put while the last synchronisation was looking elsewhere.
    assert () == sync(office.installation).troubles
    assert objects_of(office.installation.store(MAIN)) == objects_of(office.installation.store(OFFSITE))
    store, public_pem = office.installation.store(OFFSITE), office.installation.signer.public_pem
    with office.installation.catalog.read() as connection:
        heads = ledger_heads.read_heads(store, public_pem)
        assert [] == ledger.verify(connection, heads)
        (closed,) = ledger.entries(connection, kind="procedure.closed", last=1)
        assert heads[-1].sequence >= closed.sequence
        assert [] == leases.list_leases(connection)
        everything: list[Any] = procedures.list_all(connection)
        outcomes = [(each.kind, each.state, each.outcome) for each in everything if each.schedule != FORMER]
    beside = ("drill", "retention")
    assert {(kind, "closed", "berhasil") for kind in beside} == {each for each in outcomes if each[0] in beside}
    assert 2 <= sum(each[0] == "retention" for each in outcomes)
    outcomes = [outcome for outcome in outcomes if outcome[0] not in beside]
    count = len(office.installation.applications)
    assert [("backup", "closed", "berhasil")] * count == sorted(outcomes)[:count]
    assert [("restore", "closed", "berhasil")] * RESTORED == sorted(outcomes)[count:]
