"""The usual installation: application, files and database server on another machine, with nothing but what the pages
on hosts, services and the engine tell to set up. Both procedures whole, and a connection that is cut in a restore.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recovery.doctor.applications import examine_applications
from recovery.doctor.hosts import examine_hosts
from recovery.errors import PulihError, SourceError, SwapError
from recovery.points import observe
from recovery.records import backups, ledger, ledger_heads, steps
from recovery.sources.base import Fingerprint
from tests.recovery.procedures.checking import Known, content, wrong
from tests.recovery.procedures.playing import COMPONENTS, Play
from tests.testbed.systemd_engine_office import MachineOffice, open_machine_office, wait_until
from tests.testbed.systemd_engines import DATABASE, PASSWORDS
from tests.testbed.systemd_host import run_systemd_host
from tests.testbed.systemd_root import ACCOUNT
from tests.testbed.systemd_site import TEXT, UNIT

pytestmark = [pytest.mark.root, pytest.mark.endurance, pytest.mark.timeout(1800)]

DATA, FILES = COMPONENTS
CLOSED = (503, TEXT)
LOOK_SECONDS = 0.2


@dataclass
class Scene:
    """The office, and what every process that ran since showed of itself."""

    office: MachineOffice
    seen: set[bytes] = field(default_factory=set, repr=False)

    def look(self) -> None:
        """Take in arguments and environments of everything that runs."""
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                with suppress(OSError):
                    self.seen.add((process / name).read_bytes())


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The office, before its server knows Pulih's accounts."""
    with run_systemd_host(tmp_path_factory.mktemp("machine")) as machine:
        office = open_machine_office(tmp_path_factory.mktemp("kantor") / "office", machine, request.param)
        scene, end = Scene(office), threading.Event()

        def watch() -> None:
            while not end.wait(LOOK_SECONDS):
                scene.look()

        watcher = threading.Thread(target=watch)
        watcher.start()
        yield scene
        end.set()
        watcher.join()
        office.installation.catalog.dispose()


def test_what_the_pages_tell_is_all_that_an_installation_needs(scene: Scene) -> None:
    """Before the accounts are made, what to do is told; after it nothing is missing but what the pages say."""
    office = scene.office
    with pytest.raises(SourceError) as raised:
        office.installation.source(DATA).preflight()
    assert {
        "postgresql": "tell the server who this account is: see 'How the roles log in' in docs/postgresql.md",
        "mariadb": "check user and password; without a password only an account of the host with that name gets in",
    }[office.engine.kind] == raised.value.hint
    office.engine.add_accounts()
    found = [*examine_hosts(office.installation), *examine_applications(office.installation)]
    assert [] == [each for each in found if each.state == "problem"]
    assert {f"component {FILES}", "processes on server"} == {each.subject for each in found if each.state == "warning"}


def test_it_is_backed_up_while_it_works_damaged_and_restored(scene: Scene) -> None:
    """Every record, form, set and copy is right, the data is that of one moment, and the application works on it."""
    office = scene.office
    backup, restore = Play(office, "backup"), Play(office, "restore")
    office.let_write(True)
    wait_until(lambda: office.written() > 0, "the application writes")
    moments: list[int] = []

    def work_goes_on(point: str) -> None:
        # It is larger than what stands between the server and us, so it cannot end before this has.
        if point == "stream: data read" and not moments:
            scene.look()
            moments.append(office.written())
            wait_until(lambda: office.written() > moments[0], "the application writes while it is backed up")
            moments.append(office.written())

    begun = office.written()
    with observe(work_goes_on):
        for action in backup.actions:
            backup.act(action)
    assert "" == office.troubles()
    office.let_write(False)
    assert [] == list(wrong(backup, Known(content(office), content(office))))

    office.damage()
    assert 500 == office.there.answer("/sehat")[0]
    office.let_write(True)
    damaged = restored = content(office)
    for action in restore.actions:
        if action == "restore.4":
            office.let_write(False)
            damaged = content(office)
        restore.act(action)
        if action == "restore.4":
            assert CLOSED == office.there.answer("/sehat")
            assert not office.there.is_active(UNIT)
        if action == "restore.5":
            assert CLOSED == office.there.answer("/sehat")
            assert {DATA: [], FILES: []} == {component: differences(office, component) for component in COMPONENTS}
            restored = content(office)
    assert begun <= office.written() <= moments[-1]
    assert [] == list(wrong(restore, Known(restored, damaged)))
    evidence = evidence_of(office, "restore.4", restore.procedure_id)["quiet"]
    assert {DATA: True, FILES: False} == {name: each["proven"] for name, each in evidence["sources"].items()}

    works_again(office)
    nothing_is_left(scene)


def test_a_connection_that_is_cut_before_the_swap_changes_nothing_and_the_restore_goes_on(scene: Scene) -> None:
    """In the midst of the rehearsal's load, and again when the service is down already."""
    office = scene.office
    good = content(office)
    office.back_up()
    office.damage()
    damaged, copies = content(office), all_copies(office)
    databases = office.engine.databases()
    procedure = office.request()
    points: list[str] = []

    def cut_the_load(point: str) -> None:
        points.append(point)
        # Room is looked for, then comes what lies outside of the database, then the first of its data. Now half a copy
        # is there, whose load waits for the end.
        if points[-3:] == [f"{office.engine.kind}: after space", *["stream: data written"] * 2]:
            wait_until(lambda: office.engine.databases() != databases, "the copy is being made")
            office.cut()

    with observe(cut_the_load), pytest.raises(PulihError, match="the connection to server was lost"):
        office.approve(procedure)
    assert (damaged, copies, databases) == (content(office), all_copies(office), office.engine.databases())
    wait_until(lambda: [] == office.remote_programs(), "nothing of the load runs any more")
    office.step("restore.3", procedure)
    office.approve(procedure)
    office.step("restore.4", procedure)

    known_hosts = office.there.known_hosts
    away = known_hosts.with_suffix(".away")

    def cut_the_swap(point: str) -> None:
        if point == f"{office.engine.kind}: before prepare" and not away.exists():
            # Nor does anybody find the way back meanwhile.
            known_hosts.rename(away)
            office.cut()

    with observe(cut_the_swap), pytest.raises(SwapError, match="the new data could not be made live"):
        office.step("restore.5", procedure)
    away.rename(known_hosts)
    assert damaged == content(office)
    assert CLOSED == office.there.answer("/sehat")
    # Nobody came back to take the password away; whoever comes an hour later does.
    for path in private_directories(office):
        assert 0o700 == path.stat().st_mode & 0o777
        os.utime(path, (0, 0))
    office.step("restore.5", procedure)
    office.step("restore.6", procedure)
    office.finish(procedure)
    assert good == content(office)
    with office.installation.catalog.read() as connection:
        heads = ledger_heads.read_heads(office.installation.store("utama"), office.installation.signer.public_pem)
        assert [] == list(ledger.verify(connection, heads))
    works_again(office)
    nothing_is_left(scene)


def differences(office: MachineOffice, component: str) -> list[str]:
    """In what the live data differs from the newest backup's own fingerprint."""
    application, _, name = component.partition("/")
    with office.installation.catalog.read() as connection:
        backup = backups.newest_verified(connection, application, name)
    assert backup is not None
    expected = Fingerprint.from_json(backup.facts["fingerprint"])
    return expected.differences(office.installation.source(component).fingerprint())


def evidence_of(office: MachineOffice, step_id: str, procedure_id: str) -> dict[str, dict[str, dict[str, bool]]]:
    with office.installation.catalog.read() as connection:
        return steps.evidence_of(connection, procedure_id, step_id) or {}


def all_copies(office: MachineOffice) -> list[list[str]]:
    return [office.installation.source(component).copies() for component in COMPONENTS]


def private_directories(office: MachineOffice) -> list[Path]:
    """In which passwords are on the machine."""
    return list(office.there.inside("/tmp").glob(f"pulih-{office.engine.kind}-*"))


def works_again(office: MachineOffice) -> None:
    """The application's own account reads and writes what was restored, and people get to it."""
    before = office.written()
    office.troubles()
    office.let_write(True)
    wait_until(lambda: office.written() > before, "the application writes again")
    office.let_write(False)
    assert "" == office.troubles()
    assert 200 == office.there.answer("/sehat")[0]
    assert office.engine.databases()[DATABASE]


def nothing_is_left(scene: Scene) -> None:
    """No program, no private directory, no password, neither in a list of processes nor in a file or log."""
    office = scene.office
    wait_until(lambda: [] == office.remote_programs(), "nothing of Pulih runs on the machine any more")
    there = office.there
    left = [*there.inside("/tmp").iterdir(), *there.inside("/var/tmp").iterdir()]
    # Systemd's own directories are there from the beginning.
    assert [] == [path.name for path in left if not path.name.startswith((".", "systemd-private-"))]
    home = {path.name for path in there.inside(f"/home/{ACCOUNT}").iterdir()}
    assert {".cache", ".ssh"} == {name for name in home if not re.match(r"\.(bash|profile)", name)}
    dumps = office.engine.dumps.encode()
    assert [line for line in scene.seen if dumps in line]
    logged = there.run("journalctl", "--no-pager", "--output=cat").encode()
    logged += b"".join(path.read_bytes() for path in there.inside("/var/log").rglob("*") if path.is_file())
    for name in ("simpel-backup", "simpel-restore"):
        assert [] == [line for line in [*scene.seen, logged] if PASSWORDS[name].encode() in line]
