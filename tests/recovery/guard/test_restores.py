"""Restores that died between their steps 4 and 6: after a round the data is whole and the service runs."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import CommandError, LeaseLostError, SwapError
from recovery.guard.report import Report
from recovery.hosts.services import Service
from recovery.hosts.services_managers import Permit
from recovery.procedures.restore.plan import approved_plan
from recovery.procedures.restore.swapping import swap_all, undo_all
from recovery.procedures.run_notices import Run, compose, send
from recovery.procedures.working import work_on
from recovery.records import leases, ledger, procedures, steps
from tests.recovery.guard.conftest import COMPONENTS, Scene
from tests.testbed.service_patience import patience

# Each stops and starts a real service.
pytestmark = pytest.mark.slow

ALL = ["guard.took_over", "guard.service_started"]


def nothing_journalled(scene: Scene) -> None:
    """Its service is stopped, and no more."""


def prepared(scene: Scene) -> None:
    scene.stop()
    scene.prepare()


def swapping_not_moved(scene: Scene) -> None:
    prepared(scene)
    scene.mark("simpel/data", "swapping")


def swapping_moved(scene: Scene) -> None:
    swapping_not_moved(scene)
    scene.installation.source("simpel/data").swap(scene.receipt("simpel/data"))


def one_of_two_swapped(scene: Scene) -> None:
    prepared(scene)
    scene.swap("simpel/data")


def both_swapped_without_evidence(scene: Scene) -> None:
    one_of_two_swapped(scene)
    scene.swap("simpel/berkas")


def undoing_not_moved(scene: Scene) -> None:
    one_of_two_swapped(scene)
    scene.mark("simpel/data", "undoing")


def undoing_moved(scene: Scene) -> None:
    undoing_not_moved(scene)
    scene.installation.source("simpel/data").swap_back(scene.receipt("simpel/data"))


def undone(scene: Scene) -> None:
    both_swapped_without_evidence(scene)
    undo_all(scene.installation, scene.procedure_id)


@pytest.mark.parametrize(
    "die",
    [
        nothing_journalled,
        prepared,
        swapping_not_moved,
        swapping_moved,
        one_of_two_swapped,
        both_swapped_without_evidence,
        undoing_not_moved,
        undoing_moved,
        undone,
    ],
)
def test_what_was_not_finished_comes_back_whole_and_the_service_runs(
    stopped: Scene, die: Callable[[Scene], None]
) -> None:
    """Every state of the journal: whole old data over both components, said once, and a second round has no work."""
    die(stopped)
    stopped.forget_leases()
    assert not stopped.office.service_running()
    report = stopped.guard()
    assert ALL == [action.kind for action in report.actions]
    assert stopped.old == stopped.content()
    assert stopped.office.service_running()
    assert stopped.states() in ([], ["undone", "undone"])
    assert stopped.ledger_is_intact()
    assert [] == [alarm for alarm in report.alarms if alarm.kind in ("restore", "service")]
    assert [] == stopped.guard().actions
    assert ALL == stopped.kinds()


def test_what_was_closed_in_between_is_not_touched_and_an_alarm_until_the_service_runs(stopped: Scene) -> None:
    """As a rebuild leaves it, whose records know of no end: the end may have come long ago, and work gone on."""
    swapping_moved(stopped)
    before, states = stopped.content(), stopped.states()
    procedures.close_procedure(stopped.installation.catalog, stopped.procedure_id, procedures.GIVEN_UP)
    stopped.forget_leases()
    report = stopped.guard()
    assert ["guard.swept"] == [action.kind for action in report.actions], "its scratch alone"
    assert (before, states) == (stopped.content(), stopped.states())
    assert not stopped.office.service_running()
    assert [
        (
            "simpel/web",
            f"is stopped, and the restore {stopped.procedure_id} was closed between its steps 4 and 6",
            "look at the data of every component, then start the service yourself; nobody else will",
        )
    ] == services_that_stand_still(report)

    application = stopped.installation.applications["simpel"]
    application.host = "gone"
    (trouble,) = [alarm for alarm in stopped.guard().alarms if alarm.kind == "restore"]
    assert ("simpel", "there is no host named 'gone'; nothing was touched") == (trouble.subject, trouble.message)
    application.host = "server"
    for service in stopped.installation.services("simpel"):
        service.start()
    assert [] == services_that_stand_still(stopped.guard())


def services_that_stand_still(report: Report) -> list[tuple[str, str, str]]:
    return [(alarm.subject, alarm.message, alarm.mend) for alarm in report.alarms if alarm.kind == "service"]


def test_a_swap_that_was_finished_stays_when_the_service_is_well_on_it(stopped: Scene) -> None:
    """Step 5 has its evidence: the data stays new, and is final from now on."""
    stopped.office.step("restore.5", stopped.procedure_id)
    stopped.forget_leases()
    stopped.guard()
    assert stopped.new == stopped.content()
    assert ["kept", "kept"] == stopped.states()
    assert stopped.office.service_running()
    assert 2 == len(stopped.copies()), "the old data is kept as the safety copy"
    assert [] == stopped.guard().actions


def test_a_swap_that_was_finished_goes_back_when_the_service_is_not_well_on_it(stopped: Scene) -> None:
    """As step 6 would have done; the reason is on record, and on the form when the run goes on."""
    replace_table(stopped)
    stopped.office.step("restore.5", stopped.procedure_id)
    (stopped.office.service_state / "unhealthy-with-pegawai").touch()
    patience(stopped.office, start=6)
    stopped.forget_leases()
    report = stopped.guard()
    assert "on the new it was not well: the service web is not healthy" in report.actions[-1].message
    assert ["undone", "undone"] == stopped.states()
    assert stopped.old[1] == stopped.office.files()
    assert ["lain"] == tables(stopped)
    assert stopped.office.service_running()
    started = stopped.office.step("restore.6", stopped.procedure_id)
    assert "dikembalikan" == started["status"]
    assert "the service web is not healthy" in started["trouble"]


def test_a_look_that_takes_too_long_on_the_new_data_brings_the_old_data_back(
    stopped: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says as little good as a service that is not well, and nobody may be left without a service for it."""
    stopped.office.step("restore.5", stopped.procedure_id)
    stopped.forget_leases()
    start, begun = Service.start, []

    def slow_at_first(service: Service, permit: Permit) -> dict[str, Any]:
        begun.append(service.name)
        if len(begun) == 1:
            raise CommandError("the shipped program (service look) on local did not end within 20 s")
        return start(service, permit)

    monkeypatch.setattr(Service, "start", slow_at_first)
    report = stopped.guard()
    assert "on the new it was not well: the shipped program (service look)" in report.actions[-1].message
    assert ["undone", "undone"] == stopped.states()
    assert stopped.old == stopped.content()
    assert stopped.office.service_running()


def replace_table(scene: Scene) -> None:
    with sqlite3.connect(scene.office.database) as connection:
        connection.execute("DROP TABLE pegawai")
        connection.execute("CREATE TABLE lain (id INTEGER)")
    connection.close()


def tables(scene: Scene) -> list[str]:
    with sqlite3.connect(scene.office.database) as connection:
        found = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    connection.close()
    return found


def test_final_data_stays_even_when_its_service_died_since(stopped: Scene) -> None:
    """The process died after step 6 had found the service well, before its evidence; then the service stopped."""
    stopped.office.step("restore.5", stopped.procedure_id)
    stopped.guard()
    for component in COMPONENTS:
        stopped.mark(component, "kept")
    stopped.forget_leases()
    (stopped.office.service_state / "refuse-start").touch()
    patience(stopped.office, start=2)
    report = stopped.guard()
    assert ["restore"] == [alarm.kind for alarm in report.alarms]
    assert "the service web is not healthy" in report.alarms[0].message
    assert ["kept", "kept"] == stopped.states()
    (stopped.office.service_state / "refuse-start").unlink()
    patience(stopped.office)
    stopped.guard()
    assert stopped.new == stopped.content()
    assert stopped.office.service_running()


def test_a_living_lease_keeps_the_guard_away(scene: Scene) -> None:
    """A run between two of its steps holds its leases for two minutes."""
    one_of_two_swapped(scene)
    report = scene.guard()
    assert [] == report.actions
    assert ["prepared", "swapped"] == sorted(scene.states())
    assert not scene.office.service_running()


def test_a_backup_that_works_on_one_component_keeps_the_guard_away(stopped: Scene) -> None:
    """Whoever holds the lease: it may be reading what the guard would exchange."""
    one_of_two_swapped(stopped)
    stopped.forget_leases()
    with work_on(stopped.installation, ["simpel/berkas"], "a-backup", "back up"):
        assert [] == stopped.guard().actions
    assert ["prepared", "swapped"] == sorted(stopped.states())
    assert ALL == [action.kind for action in stopped.guard().actions]


def test_the_old_holder_is_fenced_out(stopped: Scene) -> None:
    """A process that was only asleep wakes up after the guard: it can neither swap, nor undo, nor hold its lease."""
    one_of_two_swapped(stopped)
    held, plan = stopped.held, approved_plan(stopped.installation, stopped.procedure_id)
    rehearsal = (stopped.evidence("restore.3") or {})["rehearsal"]
    stopped.forget_leases()
    stopped.guard()
    with pytest.raises(LeaseLostError, match="was lost by"):
        leases.renew(stopped.installation.catalog, held[0])
    with stopped.installation.catalog.begin() as connection, pytest.raises(LeaseLostError):
        leases.holder_is(connection, held[0])
    with pytest.raises(SwapError, match="this restore was undone before"):
        swap_all(stopped.installation, stopped.procedure_id, plan, rehearsal, held)
    # Past its last look at the lease, and about to exchange the names: there is nothing left to make live.
    for component in COMPONENTS:
        with pytest.raises(SwapError):
            stopped.installation.source(component).swap(stopped.receipt(component))
    assert stopped.old == stopped.content()


def test_a_lease_taken_over_in_the_middle_of_a_swap_stops_it(stopped: Scene) -> None:
    """The journal is prepared, nothing undone: only the token tells the old holder to stop."""
    prepared(stopped)
    stopped.forget_leases()
    held, plan = stopped.held, approved_plan(stopped.installation, stopped.procedure_id)
    with work_on(stopped.installation, plan.components, "guard-of-another-machine", "test"):
        with pytest.raises(LeaseLostError):
            swap_all(stopped.installation, stopped.procedure_id, plan, {}, held)
        with pytest.raises(LeaseLostError):
            undo_all(stopped.installation, stopped.procedure_id, held)
    assert ["prepared", "prepared"] == stopped.states()
    assert stopped.old == stopped.content()


# Does one step, and is frozen at the first point of that name.
FROZEN = """\
import os, signal, sys
from pathlib import Path
from recovery.points import observe
from tests.testbed.small_office import attach

root, procedure_id, step_id, point = sys.argv[1:]
office = attach(Path(root))
waiting = [point]

def observer(name):
    if name in waiting:
        waiting.remove(name)
        os.kill(os.getpid(), signal.SIGSTOP)

with observe(observer):
    office.step(step_id, procedure_id)
"""
ROOT = Path(__file__).parents[3]


def freeze(scene: Scene, step_id: str, point: str) -> "subprocess.Popen[str]":
    """Let a process of its own do a step, and return it when it is frozen at a point of that; its leases expire."""
    command = [sys.executable, "-c", FROZEN, str(scene.office.root), scene.procedure_id, step_id, point]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1]), process.communicate()[1]
    scene.forget_leases()
    return process


def wake(process: "subprocess.Popen[str]") -> str:
    """Let it go on, and return what it says at its end."""
    os.kill(process.pid, signal.SIGCONT)
    return process.communicate(timeout=120)[1]


def test_an_old_holder_that_wakes_up_stops_nothing(scene: Scene) -> None:
    """The guard has taken over, and people work: the service that runs is left alone."""
    process = freeze(scene, "restore.4", "service: before stopping web")
    scene.guard()
    pid = (scene.office.service_state / "pid").read_text()
    assert "LeaseLostError: the lease of component:simpel/berkas was lost by" in wake(process)
    assert scene.office.service_running()
    assert pid == (scene.office.service_state / "pid").read_text()


def test_an_old_holder_that_wakes_up_starts_nothing(stopped: Scene) -> None:
    """Somebody else decides when the service runs by now."""
    process = freeze(stopped, "restore.6", "service: before starting web")
    with work_on(stopped.installation, list(COMPONENTS), "guard-of-another-machine", "test"):
        assert "LeaseLostError: the lease of component:simpel/berkas was lost by" in wake(process)
        assert not stopped.office.service_running()
    stopped.forget_leases()
    stopped.guard()


def test_the_run_goes_on_after_an_undo_and_its_form_is_true(stopped: Scene) -> None:
    """Step 5 says "undone before" without stopping the service again; times are those of the guard."""
    one_of_two_swapped(stopped)
    stopped.forget_leases()
    stopped.guard()
    pid = (stopped.office.service_state / "pid").read_text()
    with pytest.raises(SwapError, match="this restore was undone before"):
        stopped.office.step("restore.5", stopped.procedure_id)
    started = stopped.office.step("restore.6", stopped.procedure_id)
    assert pid == (stopped.office.service_state / "pid").read_text(), "the service was not disturbed"
    assert "dikembalikan" == started["status"]
    at = guard_started_at(stopped)
    assert at == started["started_at"]
    assert milliseconds((stopped.evidence("restore.4") or {})["stopped_at"], at) == started["downtime_milliseconds"]
    stopped.office.finish(stopped.procedure_id)
    assert "penjaga menjalankan layanan dengan data lama" in stopped.form()
    assert "Gagal–dikembalikan ke salinan pengaman" in stopped.form()
    assert [] == stopped.copies()


def test_the_run_goes_on_after_the_guard_kept_the_new_data(stopped: Scene) -> None:
    """A restore that succeeded, with the guard's help, and the form says so."""
    stopped.office.step("restore.5", stopped.procedure_id)
    stopped.forget_leases()
    stopped.guard()
    started = stopped.office.step("restore.6", stopped.procedure_id)
    assert "berhasil" == started["status"]
    assert guard_started_at(stopped) == started["started_at"]
    stopped.office.finish(stopped.procedure_id)
    assert "penjaga menjalankan layanan dengan data baru" in stopped.form()
    assert '"Berhasil"' in stopped.form()
    assert stopped.new == stopped.content()


def test_a_restore_that_died_before_anything_moved_can_still_be_carried_out(stopped: Scene) -> None:
    """The service ran meanwhile; the time between the guard's start and the second stop is no downtime."""
    stopped.forget_leases()
    stopped.guard()
    swapped = stopped.office.step("restore.5", stopped.procedure_id)
    started = stopped.office.step("restore.6", stopped.procedure_id)
    assert "berhasil" == started["status"]
    stopped_at = (stopped.evidence("restore.4") or {})["stopped_at"]
    expected = milliseconds(stopped_at, guard_started_at(stopped))
    expected += milliseconds(swapped["begun_at"], started["started_at"])
    assert expected == started["downtime_milliseconds"]
    stopped.office.finish(stopped.procedure_id)
    assert stopped.new == stopped.content()


def test_the_downtime_of_a_try_that_died_in_step_4_counts_too(stopped: Scene) -> None:
    """Stopped, died, started by the guard, stopped again by the retry: two times of being down, and one between."""
    first = (stopped.evidence("restore.4") or {})["stopped_at"]
    stopped.set_step("restore.4", state="open", evidence=None, ended_at=None)
    stopped.forget_leases()
    stopped.guard()
    for number in (4, 5):
        stopped.office.step(f"restore.{number}", stopped.procedure_id)
    started = stopped.office.step("restore.6", stopped.procedure_id)
    second = (stopped.evidence("restore.4") or {})["stopped_at"]
    assert first < guard_started_at(stopped) < second
    expected = milliseconds(first, guard_started_at(stopped)) + milliseconds(second, started["started_at"])
    assert expected == started["downtime_milliseconds"]
    assert stopped.new == stopped.content()


def test_a_restore_that_died_before_it_stopped_anything_is_only_taken_over(scene: Scene) -> None:
    """Its leases ran out while the service went on: there is nothing to put back or to start."""
    steps.open_step(scene.installation.catalog, "restore.4", scene.procedure_id)
    with work_on(scene.installation, list(COMPONENTS), scene.procedure_id, "restore", release=False):
        pass
    scene.forget_leases()
    assert ["guard.took_over"] == [action.kind for action in scene.guard().actions]
    assert scene.old == scene.content()
    assert scene.office.service_running()
    assert [] == scene.guard().actions


def test_the_requester_of_a_restore_that_stands_still_after_the_guard_is_told_once(stopped: Scene) -> None:
    """The service runs again, and nobody goes on with the run."""
    one_of_two_swapped(stopped)
    stopped.forget_leases()
    stopped.guard()
    # Prefect notices minutes later that the run gives no sign of life. That the office is told of it is no activity.
    run = Run(stopped.procedure_id, "Restore", "", "RUNNING", "")
    moment = datetime.now(UTC)
    assert [] == send(stopped.installation, run, compose(stopped.installation, "tanpa-kabar", run, moment))
    assert ["notice.sent"] == stopped.kinds("notice.")
    assert [] == stopped.guard(moment).actions
    later = datetime.now(UTC) + timedelta(days=12)
    assert ["guard.requester_told"] == [action.kind for action in stopped.guard(later).actions]
    text = (stopped.office.root / "notices.txt").read_text()
    assert "terhenti: pelaksanaannya terhenti; layanan sudah dijalankan kembali." in text
    assert [] == stopped.guard(later).actions


def guard_started_at(scene: Scene) -> str:
    with scene.installation.catalog.read() as connection:
        (entry,) = ledger.entries(connection, procedure_id=scene.procedure_id, kind="guard.service_started")
    return entry.at


def milliseconds(begin: str, end: str) -> int:
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() * 1000)


def test_a_service_that_does_not_start_is_told_every_time_and_recorded_once(stopped: Scene) -> None:
    """The old data is back; the ledger is not filled by a guard that tries every minute."""
    one_of_two_swapped(stopped)
    stopped.forget_leases()
    (stopped.office.service_state / "refuse-start").touch()
    patience(stopped.office, start=2)
    for _ in range(2):
        report = stopped.guard()
        assert ["restore"] == [alarm.kind for alarm in report.alarms]
        assert "look at the service's own log" in report.alarms[0].mend
    assert ["guard.took_over", "guard.failed"] == stopped.kinds()
    assert stopped.old == stopped.content()
    assert [] == stopped.copies(), "before anybody can use the service again"
    (stopped.office.service_state / "refuse-start").unlink()
    patience(stopped.office)
    assert ["guard.service_started"] == [action.kind for action in stopped.guard().actions]
    assert stopped.office.service_running()


def test_data_is_not_exchanged_under_a_service_that_cannot_be_stopped(stopped: Scene) -> None:
    """Somebody started it on the mixture: the guard stops it first, and says when it cannot."""
    one_of_two_swapped(stopped)
    stopped.forget_leases()
    (service,) = stopped.installation.services("simpel")
    service.start()
    (stopped.office.service_state / "ignore-stop").touch()
    patience(stopped.office, stop=2)
    report = stopped.guard()
    assert "the service web is not down" in report.alarms[0].message
    assert ["prepared", "swapped"] == sorted(stopped.states())
    (stopped.office.service_state / "ignore-stop").unlink()
    patience(stopped.office)
    stopped.guard()
    assert stopped.old == stopped.content()
    assert stopped.office.service_running()


def test_a_service_that_runs_unwell_is_not_started_once_more(stopped: Scene) -> None:
    """A second start could give a second process; people are told."""
    stopped.forget_leases()
    stopped.guard()
    pid = (stopped.office.service_state / "pid").read_text()
    (stopped.office.service_state / "unhealthy").touch()
    report = stopped.guard()
    assert [] == report.actions
    assert [("service", "simpel/web")] == [(alarm.kind, alarm.subject) for alarm in report.alarms]
    assert pid == (stopped.office.service_state / "pid").read_text()


def test_two_guards_do_not_meet(stopped: Scene) -> None:
    """The second says that the first is at work, and does nothing."""
    one_of_two_swapped(stopped)
    stopped.forget_leases()
    catalog = stopped.installation.catalog
    lease = leases.acquire(catalog, "guard", "guard-first", 60, "guard")
    report = stopped.guard()
    assert "guard is held by guard-first" in report.busy
    assert (["prepared", "swapped"], []) == (sorted(stopped.states()), report.actions)
    leases.release(catalog, lease)
    reports: list[object] = []
    both = [threading.Thread(target=lambda: reports.append(stopped.guard())) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert 2 == len(reports)
    assert ALL == stopped.kinds()
    assert stopped.old == stopped.content()
