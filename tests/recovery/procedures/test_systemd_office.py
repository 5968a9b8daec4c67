"""Steps 4 to 6 on another machine: an application of several units behind nginx, over SSH, killed and mended."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from recovery.doctor.applications import examine_applications
from recovery.errors import SwapError
from recovery.guard import make_round
from recovery.guard.report import Report
from recovery.hosts.services_sudo import commands_for, sudoers
from recovery.records import forms, journal, schema, steps
from tests.testbed.small_office import SmallOffice
from tests.testbed.systemd_host import SystemdHost, run_systemd_host
from tests.testbed.systemd_office import open_systemd_office
from tests.testbed.systemd_root import ACCOUNT
from tests.testbed.systemd_site import FLAG, HEALTH, PAGE, PORT, TEXT, UNIT, WORKER, install_site, site_settings

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]
LONG_AGO = "2020-01-01T00:00:00.000000+00:00"
CLOSED = (503, TEXT)
# Does one step, and is killed at the first point of that name.
KILLED = """\
import os, signal, sys
from pathlib import Path
from recovery.points import observe
from tests.testbed.small_office import attach

root, procedure_id, step_id, point = sys.argv[1:]
office = attach(Path(root))

def observer(name):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)

with observe(observer):
    office.step(step_id, procedure_id)
"""


@dataclass
class Scene:
    """The office, its machine, and what was live when its backup was made."""

    office: SmallOffice
    machine: SystemdHost
    good: tuple[Any, Any]

    def content(self) -> tuple[Any, Any]:
        return self.office.rows(), self.office.files()

    def damage(self) -> tuple[Any, Any]:
        """Damage what is live, unless a restore left it so, and return it as it is then."""
        if self.content() == self.good:
            self.office.damage()
        return self.content()

    def begin(self) -> str:
        """Bring a restore to where its executor has said "mulai"."""
        procedure_id = self.office.request()
        self.office.approve(procedure_id)
        return procedure_id

    def kill(self, step_id: str, procedure_id: str, point: str) -> None:
        """Let a process of its own do a step, and die at a point of it; nobody renews its leases."""
        command = [sys.executable, "-c", KILLED, str(self.office.root), procedure_id, step_id, point]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert -signal.SIGKILL == done.returncode, done.stderr
        with self.office.installation.catalog.begin() as connection:
            connection.execute(
                update(schema.leases).where(schema.leases.c.resource != "guard").values(expires_at=LONG_AGO)
            )

    def guard(self) -> Report:
        return make_round(self.office.installation)

    def is_open(self) -> bool:
        """People get to the application, nothing keeps them out, and all of it runs."""
        flag = self.machine.inside(FLAG).exists()
        runs = all(self.machine.is_active(unit) for unit in (UNIT, WORKER))
        return self.machine.answer("/sehat")[0] == 200 and runs and not flag

    def states(self, procedure_id: str) -> list[str]:
        with self.office.installation.catalog.read() as connection:
            return [entry.state for entry in journal.entries(connection, procedure_id)]

    def evidence(self, step_id: str, procedure_id: str) -> dict[str, Any]:
        with self.office.installation.catalog.read() as connection:
            return steps.evidence_of(connection, procedure_id, step_id) or {}

    def told(self, procedure_id: str) -> str:
        """What the restore's form says of "tidak ada transaksi"."""
        with self.office.installation.catalog.read() as connection:
            form = forms.latest(connection, "restore", procedure_id)
        assert form is not None
        rows = [row for section in form.facts["sections"] for block in section["blocks"] for row in block["rows"]]
        (told,) = [str(row["value"]) for row in rows if "tidak ada proses" in str(row["value"])]
        return told


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The office with one backup."""
    with run_systemd_host(tmp_path_factory.mktemp("machine")) as machine:
        office = open_systemd_office(tmp_path_factory.mktemp("kantor") / "office", machine)
        good = office.rows(), office.files()
        office.back_up()
        yield Scene(office, machine, good)
        office.installation.catalog.dispose()


def test_a_restore_names_units_page_and_addresses(scene: Scene) -> None:
    """The whole procedure, and what its form says of "tidak ada transaksi"."""
    scene.damage()
    procedure_id = scene.begin()
    scene.office.step("restore.4", procedure_id)
    assert CLOSED == scene.machine.answer("/sehat")
    scene.office.step("restore.5", procedure_id)
    assert CLOSED == scene.machine.answer("/sehat")
    scene.office.step("restore.6", procedure_id)
    scene.office.finish(procedure_id)
    assert scene.is_open()
    assert scene.good == scene.content()
    quiet = scene.evidence("restore.4", procedure_id)["quiet"]
    assert {WORKER: "inactive (dead)", UNIT: "inactive (dead)"} == quiet["down"][0]["units"]
    seen = f"unit {WORKER}, unit {UNIT}, port {PORT}, {HEALTH}, halaman pemeliharaan {PAGE} tampil"
    assert f"layanan web ({seen}) mati, alamat uji tidak menjawab, tidak ada proses yang membuka data" in scene.told(
        procedure_id
    )


def test_the_doctor_says_what_an_account_without_roots_rights_cannot_prove(scene: Scene) -> None:
    """Found before a restore, not on its form."""
    installation = scene.office.installation
    hosts = {"server": scene.machine.settings("server", ACCOUNT)}
    found = {each.subject: each for each in examine_applications(replace(installation, hosts=hosts))}
    processes = found["processes on server"]
    assert "warning" == processes.state
    assert processes.message.endswith("of them: a restore could not prove that none has its files open")
    assert "see 'An account without root's rights' in docs/services.md" == processes.mend
    assert "## An account without root's rights" in (ROOT / "docs" / "services.md").read_text()
    # What belongs to others is named, too: the flag's directory, and the data.
    assert "cannot put the maintenance flag of web on server" in found["service simpel/web"].message
    assert "problem" == found["component simpel/data"].state
    whole = {each.subject: each for each in examine_applications(installation)}
    assert "ok" == whole["processes on server"].state
    assert "ok" == whole["service simpel/web"].state


def test_a_restore_that_is_killed_anywhere_leaves_whole_data_and_open_doors(scene: Scene) -> None:
    """Between flag and stop, between the units, between swaps: the guard puts the old data back and opens."""
    damaged = scene.damage()
    procedure_id = scene.begin()
    # Nothing was changed yet: people go on working.
    scene.kill("restore.4", procedure_id, "service: before closing web")
    assert scene.is_open()
    scene.guard()
    # The page is on, and half of the units are down.
    scene.kill("restore.4", procedure_id, f"unit: after stopping {WORKER}")
    assert CLOSED == scene.machine.answer("/sehat")
    assert scene.machine.is_active(UNIT)
    scene.guard()
    assert scene.is_open()
    assert damaged == scene.content()
    # A restore that had moved nothing goes on.
    scene.office.step("restore.4", procedure_id)
    scene.kill("restore.5", procedure_id, "files: before move")
    assert CLOSED == scene.machine.answer("/sehat")
    scene.guard()
    assert ["undone", "undone"] == scene.states(procedure_id)
    assert scene.is_open()
    assert damaged == scene.content()
    with pytest.raises(SwapError, match="this restore was undone before"):
        scene.office.step("restore.5", procedure_id)
    assert "dikembalikan" == scene.office.step("restore.6", procedure_id)["status"]
    scene.office.finish(procedure_id)


def test_a_restore_that_is_killed_behind_the_page_is_opened_by_the_guard(scene: Scene) -> None:
    """Healthy on the new data, and the process dies before it takes the page away."""
    scene.damage()
    procedure_id = scene.begin()
    scene.office.step("restore.4", procedure_id)
    scene.office.step("restore.5", procedure_id)
    scene.kill("restore.6", procedure_id, f"unit: after starting {UNIT}")
    assert CLOSED == scene.machine.answer("/sehat")
    scene.kill("restore.6", procedure_id, "service: before opening web")
    assert CLOSED == scene.machine.answer("/sehat")
    assert all(scene.machine.is_active(unit) for unit in (UNIT, WORKER))
    scene.guard()
    assert scene.is_open()
    assert scene.good == scene.content()
    assert "berhasil" == scene.office.step("restore.6", procedure_id)["status"]
    scene.office.finish(procedure_id)


def test_an_account_without_roots_rights_backs_up_and_restores_what_it_owns(scene: Scene) -> None:
    """With the file of sudoers alone; what the account cannot prove stands on the form."""
    machine, installation = scene.machine, scene.office.installation
    installation.hosts["server"] = machine.settings("server", ACCOUNT)
    settings = site_settings(sudo=True)
    installation.applications["simpel"].services[:] = [settings]
    machine.write("/etc/sudoers.d/pulih", sudoers("server", ACCOUNT, commands_for([settings])), mode=0o440)
    machine.systemctl("stop", UNIT, WORKER)
    install_site(machine, ACCOUNT)
    for service in installation.services("simpel"):
        service.preflight()
        service.start()
        service.open()
    scene.office.back_up()
    good = scene.content()
    # Its own damage: what the restores before this one left live may be damaged already.
    (scene.office.uploads / "rusak.txt").write_bytes(b"rusak")
    assert good != scene.content()
    procedure_id = scene.office.restore()
    assert good == scene.content()
    assert scene.is_open()
    quiet = scene.evidence("restore.4", procedure_id)["quiet"]
    assert {WORKER: "inactive (dead)", UNIT: "inactive (dead)"} == quiet["down"][0]["units"]
    assert [False, False] == [source["proven"] for source in quiet["sources"].values()]
    assert "tidak ada proses yang membuka data (sebagian proses tidak dapat dilihat)" in scene.told(procedure_id)
