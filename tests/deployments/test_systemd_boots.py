"""The units of deployments/systemd on a real systemd, installed and started by the lines of docs/operations.md."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from demo.officials import Phone
from deployments.server import RETENTION_POOL, WORK_POOL
from recovery.errors import ALARMS_EXIT_CODE, KeyMissingError, RecordsError
from recovery.guard.rounds import ROUND
from recovery.guard.telling import TITLES
from recovery.guard.unreadable import MARK
from tests.flows.waiting import wait_until
from tests.flows.working_office import ENDED as ENDED_STATES
from tests.testbed.small_office import DISPOSITION, EXECUTOR, KABID, KADIS, REVIEW, VERIFICATION, restore_request
from tests.testbed.systemd_installation import (
    DATABASE,
    STORES,
    UI,
    UNIT,
    InstalledPulih,
    installed_pulih,
    page_lines,
    run_lines,
)

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(900)]

ENDED = "InactiveEnterTimestampMonotonic"
LONG_AGO = "2020-01-01T00:00:00.000000+00:00"
WORKER, DESTROYER = "pulih-worker.service", "pulih-destruction-worker.service"
REQUESTER = "198504042010012004"
DESTRUCTION = "Pemusnahan Cadangan/pemusnahan"
SCHEDULE, REASON = "harian", "Cadangan pertama setelah pemasangan"
GUARD, LOOK, TIMER = "pulih-guard.service", "pulih-guard-failed.service", "pulih-guard.timer"
UNREADABLE = f"Peringatan: {TITLES['records']}\n"
# Directories are for one account alone; the worker that destroys has another, until the page's last lines are run.
NOT_REMOVED_FROM = ["store terpisah", "store utama"]
NO_ROUND = f"Peringatan: {TITLES['guard']}\n"


@dataclass(frozen=True)
class Office:
    """Officials at their browsers, with their phones."""

    pulih: InstalledPulih
    phones: dict[str, Phone]

    def start(self, deployment: str, **parameters: Any) -> str:
        """Start a run; return its id."""
        return self.pulih.browser.start(deployment, parameters)

    def back_up(self) -> str:
        """Start a backup out of schedule and wait until it works on its first step; return the run's id."""
        run = self.start("Back Up Data/di-luar-jadwal", jadwal=SCHEDULE, alasan_di_luar_jadwal=REASON, mengulang="")
        step = f"SELECT 1 FROM steps WHERE procedure_id = '{run}'"
        wait_until(lambda: self.pulih.sql(step, "pulih"), "a step has begun", every=0.05)
        return run

    def answer(self, run: str, nip: str, decision: str, **fields: str) -> None:
        """Wait until a run asks, and answer as an official."""
        state = self.wait_for(run)
        assert "Suspended" == state["name"], state["message"]
        wait_until(lambda: self.pulih.browser.form(run), "the form is there")
        code = self.pulih.browser.document_code(run)
        person = {"nip": nip, "catatan": "-", "kode_dokumen": code, "kode": self.phones[nip].code()}
        self.pulih.browser.resume(run, {"keputusan": decision, **fields, **person})

    def wait_for(self, run: str) -> dict[str, Any]:
        """Wait until a run asks or has ended; return its state."""

        def look() -> dict[str, Any] | None:
            state = self.pulih.browser.state(run)
            return state if state["name"] == "Suspended" or state["type"] in ENDED_STATES else None

        found = wait_until(look, f"{run} asks or ends")
        assert found is not None
        return found


def problems(said: str) -> list[str]:
    """What the doctor's problems are about."""
    return re.findall("PROBLEM +(.*?):", said)


@pytest.fixture(scope="module")
def pulih(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InstalledPulih]:
    with installed_pulih(tmp_path_factory.mktemp("machine")) as installed:
        yield installed


def test_the_server_shows_its_pages_which_its_account_could_not_put_beside_its_programs(pulih: InstalledPulih) -> None:
    """Without pages no official could answer."""
    status, page = pulih.machine.answer("/")
    assert (200, True) == (status, "<title>Prefect" in page)
    assert "ERROR" not in pulih.journal("prefect-server.service")


def test_a_verb_has_what_the_units_have_and_gives_its_own_exit_code(pulih: InstalledPulih) -> None:
    """Secrets, the server's address, the account, and every character of what was typed."""
    assert "nothing to change\n" == pulih.verb("apply", "--yes")
    # The server's scheduler may still be at it.
    coming = (
        "SELECT count(*) FROM flow_run r JOIN deployment d ON d.id = r.deployment_id JOIN flow f ON f.id = d.flow_id"
    )
    coming += f" WHERE f.name = 'Back Up Data' AND d.name = '{SCHEDULE}' AND r.state_type = 'SCHEDULED'"
    wait_until(lambda: pulih.sql(coming, "prefect") != ["0"], "runs of the schedule are to come")
    found = pulih.verb("doctor", ok=(1,))
    # Nothing else was started yet.
    assert [*NOT_REMOVED_FROM, "guard", "worker", "worker that destroys"] == problems(found)
    reason = "Perkara $HOME 12/2026, ${PATH} dan $$ 100%n \"benar\" 'ya' \\n"
    assert reason == json.loads(pulih.verb("hold", "add", "simpeg", "--reason", reason, "--json"))["reason"]
    assert "pulih 700\n" == pulih.machine.run("stat", "--format=%U %a", "/var/lib/pulih")


def test_the_alarm_asks_catalog_and_server_and_tells(pulih: InstalledPulih) -> None:
    assert ALARMS_EXIT_CODE == pulih.begin("pulih-alarm.service")
    assert "simpeg/basis-data: has no verified backup that counts" in pulih.journal("pulih-alarm.service")
    assert "Perihal: simpeg/basis-data\n" in pulih.notices()


def test_sync_writes_into_the_stores(pulih: InstalledPulih) -> None:
    for store in STORES:
        guide = pulih.machine.inside(f"{store}/pulih/RESTORE.md")
        guide.unlink()
        assert 0 == pulih.begin("pulih-sync.service")
        assert guide.is_file()


def test_a_guard_that_fails_and_one_that_dies_are_followed_by_a_look_that_tells(pulih: InstalledPulih) -> None:
    """Without the catalog both find that out, and one of them tells. A guard that always dies says nothing itself."""
    assert ALARMS_EXIT_CODE == _guard(pulih)
    with _no_catalog(pulih):
        assert RecordsError.exit_code == _guard(pulih)
    assert str(RecordsError.exit_code) == pulih.property(LOOK, "ExecMainStatus")
    assert 1 == pulih.notices().count(UNREADABLE)

    pulih.sql(f"UPDATE leases SET expires_at = '{LONG_AGO}' WHERE resource = '{ROUND}'", "pulih")
    told = pulih.notices().count(NO_ROUND)
    drop_in = f"/etc/systemd/system/{GUARD}.d/dies.conf"
    pulih.machine.write(drop_in, "[Service]\nExecStart=\nExecStart=/bin/sh -c 'kill -KILL $$$$'\n")
    pulih.machine.systemctl("daemon-reload")
    _guard(pulih)
    assert "signal" == pulih.property(GUARD, "Result")
    assert told + 1 == pulih.notices().count(NO_ROUND)
    pulih.machine.inside(drop_in).unlink()
    pulih.machine.systemctl("daemon-reload")


def test_units_start_without_the_file_of_a_credential_and_say_which_is_missing(pulih: InstalledPulih) -> None:
    """The office hears of what the guard needs itself, as long as the credential of its notice target is there."""
    keys = ("signing-key", "enrolment-key", "operations-identity")
    with pulih.without(*keys):
        assert ALARMS_EXIT_CODE == _guard(pulih)
        assert _missing("signing-key") in pulih.notices()
        found = pulih.verb("doctor", ok=(1,))
    assert all(_missing(name) in found for name in keys)
    with pulih.without("notice-target", "prefect-database"):
        found = pulih.verb("doctor", ok=(1,))
    assert all(_missing(name) in found for name in ("notice-target", "prefect-database"))
    with pulih.without("catalog"):
        # It was told of a catalog a moment ago, and would be so again after an hour.
        pulih.machine.inside(f"/var/lib/pulih/{MARK}").unlink(missing_ok=True)
        assert KeyMissingError.exit_code == _guard(pulih)
        assert _missing("catalog") in pulih.notices()


def test_the_timer_begins_rounds_of_the_guard_that_say_what_they_did(pulih: InstalledPulih) -> None:
    """The first a minute after boot. One that ends with alarms has told them itself: nobody looks after it."""
    said, looked, ended = pulih.journal(LOOK), pulih.property(LOOK, ENDED), pulih.property(GUARD, ENDED)
    pulih.machine.systemctl("enable", "--now", TIMER)
    pulih.after(GUARD, ended)
    pulih.after(LOOK, looked)
    assert str(ALARMS_EXIT_CODE) == pulih.property(GUARD, "ExecMainStatus")
    assert "0 actions, 3 alarms\n" in pulih.journal(GUARD)
    assert "Jadwal back up belum disahkan" in pulih.notices()
    assert ("0", said) == (pulih.property(LOOK, "ExecMainStatus"), pulih.journal(LOOK))


def _guard(pulih: InstalledPulih) -> int:
    """Begin a round, and wait for the look that follows one with another status than 0; return that status."""
    looked = pulih.property(LOOK, ENDED)
    status = pulih.begin(GUARD)
    if status:
        pulih.after(LOOK, looked)
    return status


@contextmanager
def _no_catalog(pulih: InstalledPulih) -> Iterator[None]:
    """While this lasts, the catalog lets nobody in."""
    pulih.sql("ALTER ROLE pulih NOLOGIN", "postgres")
    try:
        yield
    finally:
        pulih.sql("ALTER ROLE pulih LOGIN", "postgres")


def _missing(name: str) -> str:
    return f"the secret credential:{name} is empty: its file is not there, or nothing is in it"


# --- server and workers ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def working(pulih: InstalledPulih) -> InstalledPulih:
    """All units of the page, started."""
    run_lines(pulih.machine, page_lines()[1][2:3])
    for pool in (WORK_POOL, RETENTION_POOL):
        wait_until(lambda pool=pool: pulih.workers(pool), f"a worker of {pool} has begun")  # type: ignore[misc]
    return pulih


@pytest.fixture(scope="module")
def backed_up(working: InstalledPulih) -> Office:
    """The schedule approved and a backup reviewed, whose worker was restarted while it ran."""
    office = Office(working, {nip: working.enrol(nip) for nip in (KADIS, KABID, EXECUTOR)})
    schedule = office.start("Jadwal Back Up/pengesahan-jadwal", jadwal=SCHEDULE)
    office.answer(schedule, KADIS, "disahkan")
    backup = office.back_up()
    worker = working.property(WORKER, "MainPID")
    working.machine.systemctl("restart", WORKER)
    assert worker != working.property(WORKER, "MainPID")
    office.answer(backup, KABID, "sesuai", **REVIEW)
    for run in (schedule, backup):
        assert "COMPLETED" == office.wait_for(run)["type"]
    return office


@pytest.mark.endurance
def test_a_backup_goes_on_while_its_worker_is_restarted_and_the_guard_is_content_afterwards(backed_up: Office) -> None:
    """No alarm is left, and the doctor knows of no problem beside that of directories."""
    pulih = backed_up.pulih
    assert 0 == pulih.begin(GUARD)
    assert pulih.journal(GUARD).endswith("0 actions, 0 alarms\n")
    assert 0 == pulih.begin("pulih-alarm.service")
    assert NOT_REMOVED_FROM == problems(pulih.verb("doctor", ok=(1,)))


@pytest.mark.endurance
def test_a_restore_stops_and_starts_the_application_s_unit_by_sudo(backed_up: Office) -> None:
    """What a unit of ours must not forbid; its account has no other right."""
    machine, good = backed_up.pulih.machine, backed_up.pulih.rows()
    machine.run("sqlite3", DATABASE, "DELETE FROM pegawai", user="pulih")
    process = backed_up.pulih.property(UNIT, "MainPID")
    form = restore_request(aplikasi="simpeg", nip_pemohon=REQUESTER).model_dump(mode="json")
    restore = backed_up.start("Restore Data/restore", formulir=form)
    backed_up.answer(restore, KADIS, "diteruskan", **DISPOSITION)
    backed_up.answer(restore, KABID, "disetujui", **VERIFICATION)
    assert [] == backed_up.pulih.rows()
    backed_up.answer(restore, EXECUTOR, "mulai")
    state = backed_up.wait_for(restore)
    assert "restore-8-percobaan-1" == state["state_details"]["pause_key"], state["message"]
    assert good == backed_up.pulih.rows()
    assert machine.is_active(UNIT)
    assert process != backed_up.pulih.property(UNIT, "MainPID")


@pytest.mark.endurance
def test_a_run_that_fails_is_told_with_an_address_that_people_reach(backed_up: Office) -> None:
    """By an automation, a run of another deployment, and a secret that only the worker's unit has."""
    run = backed_up.start("Back Up Data/harian")
    assert "FAILED" == backed_up.wait_for(run)["type"]
    wait_until(lambda: f"Tautan: {UI}/runs/flow-run/{run}\n" in backed_up.pulih.notices(), "the office was told")


@pytest.mark.endurance
def test_a_worker_that_dies_is_started_again_and_no_unit_minds_that_the_server_is_restarted(
    working: InstalledPulih,
) -> None:
    for unit in (WORKER, DESTROYER):
        died = working.property(unit, "MainPID")
        working.machine.systemctl("kill", "--kill-whom=main", "--signal=KILL", unit)
        wait_until(lambda: working.property(unit, "MainPID") not in ("0", died), f"{unit} runs again")  # noqa: B023
    working.machine.systemctl("restart", "prefect-server.service")
    wait_until(working.answers, "the Prefect server answers")
    for unit in (WORKER, DESTROYER, "prefect-server.service"):
        assert working.machine.is_active(unit)


@pytest.mark.endurance
def test_a_run_whose_worker_is_stopped_fails_without_its_secrets_and_goes_on_by_retry(backed_up: Office) -> None:
    """systemd takes them away with the unit, which has not failed."""
    pulih, run = backed_up.pulih, backed_up.back_up()
    pulih.machine.systemctl("stop", WORKER)
    assert ("inactive", "success") == (pulih.property(WORKER, "ActiveState"), pulih.property(WORKER, "Result"))
    state = backed_up.wait_for(run)
    assert ("FAILED", True) == (state["type"], "the secret credential:" in state["message"])
    pulih.machine.systemctl("start", WORKER)
    pulih.retry(run)
    assert "Suspended" == backed_up.wait_for(run)["name"]


@pytest.mark.endurance
def test_the_worker_that_destroys_reads_directories_with_the_account_of_the_other_and_not_with_its_own(
    backed_up: Office,
) -> None:
    """What is in a store is nobody else's; the page has the lines for an office with directories."""
    state = backed_up.wait_for(backed_up.start(DESTRUCTION))
    assert ("FAILED", True) == (state["type"], "Permission denied" in state["message"])
    run_lines(backed_up.pulih.machine, page_lines()[2])
    assert "pulih" == backed_up.pulih.property(DESTROYER, "User")
    state = backed_up.wait_for(backed_up.start(DESTRUCTION))
    assert "COMPLETED" == state["type"], state["message"]
    assert "\n0 problems, " in backed_up.pulih.verb("doctor")
