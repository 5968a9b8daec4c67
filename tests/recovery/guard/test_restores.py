"""Restores that died between their steps 4 and 6: after a round the data is whole and the service runs."""

import json
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
from recovery.hosts.services import Service
from recovery.hosts.services_managers import Permit
from recovery.procedures.restore.plan import approved_plan
from recovery.procedures.restore.swapping import swap_all, undo_all
from recovery.procedures.working import work_on
from recovery.records import forms, leases, ledger, steps
from tests.recovery.guard.conftest import COMPONENTS, Scene

# Each stops and starts a real service.
pytestmark = pytest.mark.slow

ALL = ["guard.took_over", "guard.service_started"]


def nothing_journalled(scene: Scene) -> None:
    scene.stop()


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
    scene: Scene, die: Callable[[Scene], None]
) -> None:
    """Every state of the journal: whole old data over both components, said once, and a second round has no work."""
    die(scene)
    scene.forget_leases()
    assert not scene.office.service_running()
    report = scene.guard()
    assert ALL == [action.kind for action in report.actions]
    assert scene.old == scene.content()
    assert scene.office.service_running()
    assert scene.states() in ([], ["undone", "undone"])
    assert scene.ledger_is_intact()
    assert [] == [alarm for alarm in report.alarms if alarm.kind in ("restore", "service")]
    assert [] == scene.guard().actions
    assert ALL == scene.kinds()


def test_a_swap_that_was_finished_stays_when_the_service_is_well_on_it(scene: Scene) -> None:
    """Step 5 has its evidence: the data stays new, and is final from now on."""
    scene.stop()
    scene.office.step("restore.5", scene.procedure_id)
    scene.forget_leases()
    scene.guard()
    assert scene.new == scene.content()
    assert ["kept", "kept"] == scene.states()
    assert scene.office.service_running()
    assert 2 == len(scene.copies()), "the old data is kept as the safety copy"
    assert [] == scene.guard().actions


def test_a_swap_that_was_finished_goes_back_when_the_service_is_not_well_on_it(scene: Scene) -> None:
    """As step 6 would have done; the reason is on record, and on the form when the run goes on."""
    replace_table(scene)
    scene.stop()
    scene.office.step("restore.5", scene.procedure_id)
    (scene.office.service_state / "unhealthy-with-pegawai").touch()
    scene.forget_leases()
    report = scene.guard()
    assert "on the new it was not well: the service web is not healthy" in report.actions[-1].message
    assert ["undone", "undone"] == scene.states()
    assert scene.old[1] == scene.office.files()
    assert ["lain"] == tables(scene)
    assert scene.office.service_running()
    started = scene.office.step("restore.6", scene.procedure_id)
    assert "dikembalikan" == started["status"]
    assert "the service web is not healthy" in started["trouble"]


def test_a_look_that_takes_too_long_on_the_new_data_brings_the_old_data_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says as little good as a service that is not well, and nobody may be left without a service for it."""
    scene.stop()
    scene.office.step("restore.5", scene.procedure_id)
    scene.forget_leases()
    start, begun = Service.start, []

    def slow_at_first(service: Service, permit: Permit) -> dict[str, Any]:
        begun.append(service.name)
        if len(begun) == 1:
            raise CommandError("the shipped program (service look) on local did not end within 20 s")
        return start(service, permit)

    monkeypatch.setattr(Service, "start", slow_at_first)
    report = scene.guard()
    assert "on the new it was not well: the shipped program (service look)" in report.actions[-1].message
    assert ["undone", "undone"] == scene.states()
    assert scene.old == scene.content()
    assert scene.office.service_running()


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


def test_final_data_stays_even_when_its_service_died_since(scene: Scene) -> None:
    """The process died after step 6 had found the service well, before its evidence; then the service stopped."""
    scene.stop()
    scene.office.step("restore.5", scene.procedure_id)
    scene.guard()
    for component in COMPONENTS:
        scene.mark(component, "kept")
    scene.forget_leases()
    (scene.office.service_state / "refuse-start").touch()
    report = scene.guard()
    assert ["restore"] == [alarm.kind for alarm in report.alarms]
    assert "the service web is not healthy" in report.alarms[0].message
    assert ["kept", "kept"] == scene.states()
    (scene.office.service_state / "refuse-start").unlink()
    scene.guard()
    assert scene.new == scene.content()
    assert scene.office.service_running()


def test_a_living_lease_keeps_the_guard_away(scene: Scene) -> None:
    """A run between two of its steps holds its leases for two minutes."""
    one_of_two_swapped(scene)
    report = scene.guard()
    assert [] == report.actions
    assert ["prepared", "swapped"] == sorted(scene.states())
    assert not scene.office.service_running()


def test_a_backup_that_works_on_one_component_keeps_the_guard_away(scene: Scene) -> None:
    """Whoever holds the lease: it may be reading what the guard would exchange."""
    one_of_two_swapped(scene)
    scene.forget_leases()
    with work_on(scene.installation, ["simpel/berkas"], "a-backup", "back up"):
        assert [] == scene.guard().actions
    assert ["prepared", "swapped"] == sorted(scene.states())
    assert ALL == [action.kind for action in scene.guard().actions]


def test_the_old_holder_is_fenced_out(scene: Scene) -> None:
    """A process that was only asleep wakes up after the guard: it can neither swap, nor undo, nor hold its lease."""
    one_of_two_swapped(scene)
    held, plan = scene.held, approved_plan(scene.installation, scene.procedure_id)
    rehearsal = (scene.evidence("restore.3") or {})["rehearsal"]
    scene.forget_leases()
    scene.guard()
    with pytest.raises(LeaseLostError, match="was lost by"):
        leases.renew(scene.installation.catalog, held[0])
    with scene.installation.catalog.begin() as connection, pytest.raises(LeaseLostError):
        leases.holder_is(connection, held[0])
    with pytest.raises(SwapError, match="this restore was undone before"):
        swap_all(scene.installation, scene.procedure_id, plan, rehearsal, held)
    # Past its last look at the lease, and about to exchange the names: there is nothing left to make live.
    for component in COMPONENTS:
        with pytest.raises(SwapError):
            scene.installation.source(component).swap(scene.receipt(component))
    assert scene.old == scene.content()


def test_a_lease_taken_over_in_the_middle_of_a_swap_stops_it(scene: Scene) -> None:
    """The journal is prepared, nothing undone: only the token tells the old holder to stop."""
    prepared(scene)
    scene.forget_leases()
    held, plan = scene.held, approved_plan(scene.installation, scene.procedure_id)
    with work_on(scene.installation, plan.components, "guard-of-another-machine", "test"):
        with pytest.raises(LeaseLostError):
            swap_all(scene.installation, scene.procedure_id, plan, {}, held)
        with pytest.raises(LeaseLostError):
            undo_all(scene.installation, scene.procedure_id, held)
    assert ["prepared", "prepared"] == scene.states()
    assert scene.old == scene.content()


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


def test_an_old_holder_that_wakes_up_starts_nothing(scene: Scene) -> None:
    """Somebody else decides when the service runs by now."""
    scene.stop()
    process = freeze(scene, "restore.6", "service: before starting web")
    with work_on(scene.installation, list(COMPONENTS), "guard-of-another-machine", "test"):
        assert "LeaseLostError: the lease of component:simpel/berkas was lost by" in wake(process)
        assert not scene.office.service_running()
    scene.forget_leases()
    scene.guard()


def form_of(scene: Scene) -> str:
    with scene.installation.catalog.read() as connection:
        latest = forms.latest(connection, "restore", scene.procedure_id)
    assert latest is not None
    return json.dumps(latest.facts, ensure_ascii=False)


def test_the_run_goes_on_after_an_undo_and_its_form_is_true(scene: Scene) -> None:
    """Step 5 says "undone before" without stopping the service again; times are those of the guard."""
    one_of_two_swapped(scene)
    scene.forget_leases()
    scene.guard()
    pid = (scene.office.service_state / "pid").read_text()
    with pytest.raises(SwapError, match="this restore was undone before"):
        scene.office.step("restore.5", scene.procedure_id)
    started = scene.office.step("restore.6", scene.procedure_id)
    assert pid == (scene.office.service_state / "pid").read_text(), "the service was not disturbed"
    assert "dikembalikan" == started["status"]
    at = guard_started_at(scene)
    assert at == started["started_at"]
    assert milliseconds((scene.evidence("restore.4") or {})["stopped_at"], at) == started["downtime_milliseconds"]
    scene.office.finish(scene.procedure_id)
    assert "penjaga menjalankan layanan dengan data lama" in form_of(scene)
    assert "Gagal–dikembalikan ke salinan pengaman" in form_of(scene)
    assert [] == scene.copies()


def test_the_run_goes_on_after_the_guard_kept_the_new_data(scene: Scene) -> None:
    """A restore that succeeded, with the guard's help, and the form says so."""
    scene.stop()
    scene.office.step("restore.5", scene.procedure_id)
    scene.forget_leases()
    scene.guard()
    started = scene.office.step("restore.6", scene.procedure_id)
    assert "berhasil" == started["status"]
    assert guard_started_at(scene) == started["started_at"]
    scene.office.finish(scene.procedure_id)
    assert "penjaga menjalankan layanan dengan data baru" in form_of(scene)
    assert '"Berhasil"' in form_of(scene)
    assert scene.new == scene.content()


def test_a_restore_that_died_before_anything_moved_can_still_be_carried_out(scene: Scene) -> None:
    """The service ran meanwhile; the time between the guard's start and the second stop is no downtime."""
    scene.stop()
    scene.forget_leases()
    scene.guard()
    swapped = scene.office.step("restore.5", scene.procedure_id)
    started = scene.office.step("restore.6", scene.procedure_id)
    assert "berhasil" == started["status"]
    stopped_at = (scene.evidence("restore.4") or {})["stopped_at"]
    expected = milliseconds(stopped_at, guard_started_at(scene))
    expected += milliseconds(swapped["begun_at"], started["started_at"])
    assert expected == started["downtime_milliseconds"]
    scene.office.finish(scene.procedure_id)
    assert scene.new == scene.content()


def test_the_downtime_of_a_try_that_died_in_step_4_counts_too(scene: Scene) -> None:
    """Stopped, died, started by the guard, stopped again by the retry: two times of being down, and one between."""
    scene.stop()
    first = (scene.evidence("restore.4") or {})["stopped_at"]
    scene.set_step("restore.4", state="open", evidence=None, ended_at=None)
    scene.forget_leases()
    scene.guard()
    for number in (4, 5):
        scene.office.step(f"restore.{number}", scene.procedure_id)
    started = scene.office.step("restore.6", scene.procedure_id)
    second = (scene.evidence("restore.4") or {})["stopped_at"]
    assert first < guard_started_at(scene) < second
    expected = milliseconds(first, guard_started_at(scene)) + milliseconds(second, started["started_at"])
    assert expected == started["downtime_milliseconds"]
    assert scene.new == scene.content()


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


def test_the_requester_of_a_restore_that_stands_still_after_the_guard_is_told_once(scene: Scene) -> None:
    """The service runs again, and nobody goes on with the run."""
    one_of_two_swapped(scene)
    scene.forget_leases()
    scene.guard()
    later = datetime.now(UTC) + timedelta(days=12)
    assert ["guard.requester_told"] == [action.kind for action in scene.guard(later).actions]
    text = (scene.office.root / "notices.txt").read_text()
    assert "terhenti: pelaksanaannya terhenti; layanan sudah dijalankan kembali." in text
    assert [] == scene.guard(later).actions


def guard_started_at(scene: Scene) -> str:
    with scene.installation.catalog.read() as connection:
        (entry,) = ledger.entries(connection, procedure_id=scene.procedure_id, kind="guard.service_started")
    return entry.at


def milliseconds(begin: str, end: str) -> int:
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() * 1000)


def test_a_service_that_does_not_start_is_told_every_time_and_recorded_once(scene: Scene) -> None:
    """The old data is back; the ledger is not filled by a guard that tries every minute."""
    one_of_two_swapped(scene)
    scene.forget_leases()
    (scene.office.service_state / "refuse-start").touch()
    for _ in range(2):
        report = scene.guard()
        assert ["restore"] == [alarm.kind for alarm in report.alarms]
        assert "look at the service's own log" in report.alarms[0].mend
    assert ["guard.took_over", "guard.failed"] == scene.kinds()
    assert scene.old == scene.content()
    assert [] == scene.copies(), "before anybody can use the service again"
    (scene.office.service_state / "refuse-start").unlink()
    assert ["guard.service_started"] == [action.kind for action in scene.guard().actions]
    assert scene.office.service_running()


def test_data_is_not_exchanged_under_a_service_that_cannot_be_stopped(scene: Scene) -> None:
    """Somebody started it on the mixture: the guard stops it first, and says when it cannot."""
    one_of_two_swapped(scene)
    scene.forget_leases()
    (service,) = scene.installation.services("simpel")
    service.start()
    (scene.office.service_state / "ignore-stop").touch()
    report = scene.guard()
    assert "the service web is not down" in report.alarms[0].message
    assert ["prepared", "swapped"] == sorted(scene.states())
    (scene.office.service_state / "ignore-stop").unlink()
    scene.guard()
    assert scene.old == scene.content()
    assert scene.office.service_running()


def test_a_service_that_runs_unwell_is_not_started_once_more(scene: Scene) -> None:
    """A second start could give a second process; people are told."""
    scene.stop()
    scene.forget_leases()
    scene.guard()
    pid = (scene.office.service_state / "pid").read_text()
    (scene.office.service_state / "unhealthy").touch()
    report = scene.guard()
    assert [] == report.actions
    assert [("service", "simpel/web")] == [(alarm.kind, alarm.subject) for alarm in report.alarms]
    assert pid == (scene.office.service_state / "pid").read_text()


def test_two_guards_do_not_meet(scene: Scene) -> None:
    """The second says that the first is at work, and does nothing."""
    one_of_two_swapped(scene)
    scene.forget_leases()
    catalog = scene.installation.catalog
    lease = leases.acquire(catalog, "guard", "guard-first", 60, "guard")
    report = scene.guard()
    assert "guard is held by guard-first" in report.busy
    assert (["prepared", "swapped"], []) == (sorted(scene.states()), report.actions)
    leases.release(catalog, lease)
    reports: list[object] = []
    both = [threading.Thread(target=lambda: reports.append(scene.guard())) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert 2 == len(reports)
    assert ALL == scene.kinds()
    assert scene.old == scene.content()
