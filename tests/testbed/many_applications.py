"""A small office with many small applications on one catalog and one store, and what its processes do, all at once."""

import sqlite3
import tempfile
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recovery.guard.rounds import make_round
from recovery.procedures.backup.b2_verify import judge_copy
from recovery.procedures.drill import begin_drill, prove
from recovery.procedures.drill_conclude import conclude_drill, report
from recovery.records import backups
from recovery.records.approvals import Decision
from recovery.sets import BackupSet, open_set, read_back, set_prefix
from recovery.settings import ScheduleSettings, StoreSettings
from recovery.sources.base import Fingerprint, Source
from recovery.sync import sync
from tests.testbed.former_application import FORMER, add_former_application, destroy_expired
from tests.testbed.rebuilding import rebuild_meanwhile
from tests.testbed.small_office import SmallOffice, attach, open_office, web_service, write_application
from tests.testbed.two_stores import add_offsite_store

# What the guard must never find while everything goes well.
TROUBLE = ("ledger", "restore", "service", "sweep", "store")
# The guard comes every minute in service; here it may not take all of the machine from those whom it is to meet.
PAUSE_SECONDS = 3.0
# What takes as long as ten rounds of the guard, and finds as much to do when it comes less often.
LONG_PAUSE_SECONDS = 10.0
SELDOM = ("destroy", "rebuild")


def name_of(number: int) -> str:
    """The name of an application."""
    return f"aplikasi-{number:02}"


def open_many(
    root: Path, count: int, *, served: int, catalog_url: str = "", main: StoreSettings | None = None
) -> SmallOffice:
    """Build the installation with two stores, and sets of a former application in them; the first `served` of its
    applications have a web service, which runs. The main store is a directory, or what `main` says."""
    office = open_office(root, catalog_url=catalog_url)
    installation = office.installation
    if main is not None:
        installation.stores[main.name] = main
    one, monthly = installation.applications.pop("simpel"), installation.schedules.pop("bulanan")
    for number in range(count):
        name = name_of(number)
        database, uploads, state = _places(root, name)
        state.mkdir(parents=True)
        write_application(database, uploads)
        with sqlite3.connect(database) as connection:
            connection.execute("UPDATE pegawai SET nama = ? || nama", (name,))
        connection.close()
        places = (str(database), str(uploads))
        changes = {
            "name": name,
            "title": name.upper(),
            "services": [web_service(database, state)] if number < served else [],
            "components": [
                part.model_copy(update={"path": path}) for part, path in zip(one.components, places, strict=True)
            ],
        }
        installation.applications[name] = one.model_copy(update=changes)
        # Each has a schedule of its own, so that each is a run, a form and a review of its own.
        installation.schedules[name] = ScheduleSettings(
            **{**monthly.model_dump(), "name": name, "applications": [name]}
        )
        for service in installation.services(name):
            service.start()
    office.stop_service_for_good()
    add_offsite_store(office)
    add_former_application(office)
    return office


def _places(root: Path, name: str) -> tuple[Path, Path, Path]:
    return root / name / "data.db", root / name / "unggahan", root / name / "service"


def secured(office: SmallOffice) -> list[backups.Backup]:
    """All backups of the inventory's applications that are secured by now."""
    with office.installation.catalog.read() as connection:
        found = backups.list_backups(connection)
    return [each for each in found if each.state == "secured" and each.application in office.installation.applications]


@dataclass
class OfficeOfOne(SmallOffice):
    """The office as a procedure of one application sees it; officials answer one after the other."""

    turn: Any = None

    def decide(self, step_id: str, procedure_id: str, nip: str, decision: str, **fields: Any) -> Decision:
        """Answer as the parent does, later than every answer that was given in whatever process."""
        with self.turn.get_lock():
            self.clock = datetime.fromtimestamp(self.turn.value, UTC)
            decided = super().decide(step_id, procedure_id, nip, decision, **fields)
            self.turn.value = self.clock.timestamp()
            return decided


class Worker:
    """A process's own view of the installation; processes share nothing but the turn of the officials."""

    def __init__(self, root: Path, turn: Any) -> None:
        self._office = attach(root)
        self._turn = turn

    def office(self, name: str) -> OfficeOfOne:
        """The office of one application."""
        whole, (database, uploads, state) = self._office, _places(self._office.root, name)
        return OfficeOfOne(
            whole.root,
            whole.installation,
            whole.phones,
            database=database,
            uploads=uploads,
            service_state=state,
            application=name,
            turn=self._turn,
        )

    def back_up(self, name: str) -> None:
        """The whole backup procedure."""
        self.office(name).back_up(schedule_name=name)

    def restore(self, name: str) -> None:
        """Damage an application, and the whole restore procedure."""
        office = self.office(name)
        before = office.rows(), office.files()
        office.damage()
        procedure_id = office.request()
        office.approve(procedure_id)
        for number in (4, 5, 6):
            office.step(f"restore.{number}", procedure_id)
        office.finish(procedure_id)
        if (office.rows(), office.files()) != before or not office.service_running():
            raise AssertionError(f"{name} is not as it was before the damage")

    def guard(self) -> None:
        """A round of the guard."""
        found = [alarm for alarm in make_round(self._office.installation).alarms if alarm.kind in TROUBLE]
        if found:
            raise AssertionError(f"the guard found {found}")

    def prove_newest(self) -> None:
        """Read the newest set that is secured by now, load it in scratch, and judge the copy as step 2 does."""
        found = self.secured()
        if not found:
            return
        opened = self._open(found[-1])
        read_back(opened.store, opened.prefix, opened.manifest, self._office.installation.signer.trusted_pem)
        expected = Fingerprint.from_json(opened.manifest.fingerprint)
        with self._loaded(found[-1], opened) as (scratch, copy, directory):
            verdict = judge_copy(scratch, copy, expected, "", found[-1].moment, directory)
        if verdict.state != "pass":
            raise AssertionError(f"{found[-1].name} is not proven: {verdict.to_json()}")

    def drill(self) -> None:
        """A drill of the component whose backup was secured last."""
        found = self.secured()
        if not found:
            return
        installation = self._office.installation
        opened = begin_drill(installation, str(uuid.uuid4()), component=found[-1].key)
        drilled = prove(installation, opened["id"], found[-1].key)
        report(installation, opened["id"])
        conclude_drill(installation, opened["id"])
        if not drilled.passed:
            raise AssertionError(f"the drill of {drilled.name} from {drilled.store}: {drilled.error}")

    def sync(self) -> None:
        """A synchronisation of the stores."""
        if troubles := sync(self._office.installation).troubles:
            raise AssertionError(f"the synchronisation had {troubles}")

    def destroy(self) -> None:
        """A destruction of what the former application's retention lets go, once backups succeed at all."""
        if self.secured():
            destroy_expired(self.office(FORMER))

    def rebuild(self) -> None:
        """A rebuild from the off-site store."""
        rebuild_meanwhile(self._office)

    def load_and_compare(self, backup_id: str, place: int = 0) -> None:
        """Load a backup from one of its stores: it has the fingerprint that was recorded, and so has the live data."""
        installation = self._office.installation
        with installation.catalog.read() as connection:
            backup = backups.get(connection, backup_id)
        expected = Fingerprint.from_json(backup.facts["fingerprint"])
        with self._loaded(backup, self._open(backup, place)) as (scratch, copy, _directory):
            found = [*expected.differences(scratch.fingerprint(copy)), *scratch.check(copy)]
        found += expected.differences(installation.source(backup.key).fingerprint())
        if found:
            raise AssertionError(f"{backup.name} is not what was backed up: {found}")

    def secured(self) -> list[backups.Backup]:
        """All backups of the inventory's applications that are secured by now."""
        return secured(self._office)

    @contextmanager
    def _loaded(self, backup: backups.Backup, opened: BackupSet) -> Iterator[tuple[Source, str, Path]]:
        installation = self._office.installation
        with tempfile.TemporaryDirectory(dir=installation.state_directory) as name:
            directory = Path(name)
            scratch = installation.source(backup.key).scratch(directory)
            copy = scratch.beside("proof")
            with scratch.load(copy) as load:
                opened.restore("data", installation.operations_identity(opened.manifest.recipients), load.write)
                load.finish()
            yield scratch, copy, directory

    def _open(self, backup: backups.Backup, place: int = 0) -> BackupSet:
        installation = self._office.installation
        return open_set(
            installation.store(backup.stores[place]),
            set_prefix(backup.unit, backup.application, str(backup.name)),
            installation.signer.trusted_pem,
            application=backup.application,
            component=backup.component,
            manifest_sha256=backup.manifest_sha256,
        )


_worker: list[Worker] = []


def begin(root: Path, turn: Any) -> None:
    """Make this process a worker."""
    _worker[:] = [Worker(root, turn)]


def do(deed: str, *arguments: Any) -> str:
    """Let this process's worker do something; return what went wrong, with its whole story."""
    try:
        getattr(_worker[0], deed)(*arguments)
    except Exception:  # noqa: BLE001 - told to the test, whatever it is
        return f"{deed}{arguments}: {traceback.format_exc()}"
    return ""


def keep_doing(root: Path, turn: Any, deed: str, over: Any, told: Any) -> None:
    """In a process of its own, do something again and again until it is over, and twice at least since the first backup
    was secured, however slow the machine is; tell what went wrong."""
    wrong: list[str] = []
    try:
        begin(root, turn)
        times = 0
        while not over.wait(LONG_PAUSE_SECONDS if deed in SELDOM else PAUSE_SECONDS):
            times += bool(_worker[0].secured())
            wrong.append(do(deed))
        wrong += [do(deed) for _ in range(times, 2)]
    finally:
        told.put([story for story in wrong if story])
