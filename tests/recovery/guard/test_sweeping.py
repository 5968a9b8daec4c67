"""What is removed, and above all what is not: safety copies, and what may still be of use."""

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from recovery.guard.report import Report
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.working import work_on
from recovery.records import procedures, schema
from recovery.stores.base import TEMPORARY
from tests.recovery.guard.conftest import COMPONENTS, Scene
from tests.testbed.small_office import SmallOffice

TOMORROW = datetime.now(UTC) + timedelta(days=1, hours=1)


def swept(report: Report) -> list[tuple[str, str]]:
    """Kind and name of what was removed."""
    return [
        (action.facts["kind"], action.facts.get("name", ""))
        for action in report.actions
        if action.kind == "guard.swept"
    ]


def directory(office: SmallOffice, kind: str, procedure_id: str) -> Path:
    """A directory as a step leaves it, with a tree that cannot be entered."""
    found = office.root / "state" / kind / procedure_id
    (found / "simpel_berkas" / "locked").mkdir(parents=True)
    (found / "simpel_berkas" / "locked").chmod(0)
    return found


def close(scene: Scene) -> None:
    """End the restore without what a conclusion does about its copies."""
    scene.installation.sweep(scene.procedure_id)
    procedures.close_procedure(scene.installation.catalog, scene.procedure_id, "dibatalkan")


def test_what_a_closed_procedure_left_is_removed_at_once(scene: Scene) -> None:
    """The process died between the end of the work and the sweep. Said once, in the ledger and in the report."""
    with scene.installation.catalog.read() as connection:
        (closed,) = procedures.list_all(connection, "backup")
    left = [directory(scene.office, kind, closed.id) for kind in ("scratch", "staging")]
    report = scene.guard()
    assert [("scratch", closed.id), ("staging", closed.id)] == swept(report)
    assert not any(path.exists() for path in left)
    assert [] == scene.guard().actions
    assert scene.ledger_is_intact()


def test_what_a_fresh_open_procedure_has_staged_stays(office: SmallOffice, scene: Scene) -> None:
    """It is under way, or somebody retries it in an hour."""
    begin_backup(office.installation, "fresh", schedule_name="bulanan", routine=True)
    left = [directory(office, kind, "fresh") for kind in ("scratch", "staging")]
    assert [] == scene.guard().actions
    assert all(path.exists() for path in left)


def test_what_an_old_open_procedure_has_staged_stays_while_its_steps_can_go_on(
    office: SmallOffice, scene: Scene
) -> None:
    """A retry goes on from the staged bytes; a scratch copy is made anew by every try, and holds plain data."""
    begin_backup(office.installation, "old", schedule_name="bulanan", routine=True)
    staging, scratch = directory(office, "staging", "old"), directory(office, "scratch", "old")
    assert [("scratch", "old")] == swept(scene.guard(TOMORROW))
    assert staging.exists()
    assert not scratch.exists()


def test_staging_goes_when_the_form_has_closed_the_steps_that_needed_it(office: SmallOffice, scene: Scene) -> None:
    """After step 5 no earlier step is done any more; not within the first day, though."""
    opened = begin_backup(office.installation, "failed", schedule_name="bulanan", routine=True)
    office.step("backup.5", opened["id"])
    staging = directory(office, "staging", "failed")
    assert [] == swept(scene.guard())
    assert [("staging", "failed")] == swept(scene.guard(TOMORROW))
    assert not staging.exists()


def test_what_a_running_procedure_uses_stays_however_old_it_is(office: SmallOffice, scene: Scene) -> None:
    """A rehearsal weeks after the request: its lease is alive."""
    scratch = directory(office, "scratch", scene.procedure_id)
    with work_on(scene.installation, COMPONENTS, scene.procedure_id, "rehearse a restore"):
        assert [] == swept(scene.guard(TOMORROW))
    assert scratch.exists()


def test_what_no_procedure_owns_is_removed_after_a_day(office: SmallOffice, scene: Scene) -> None:
    """Left by a catalog that was rebuilt since."""
    directory(office, "scratch", "unknown")
    assert [] == swept(scene.guard())
    assert [("scratch", "unknown")] == swept(scene.guard(TOMORROW))


def test_the_rehearsed_copies_of_an_open_restore_stay(scene: Scene) -> None:
    """However long its officials take: the executor has seen the verdict on these copies."""
    copies = scene.copies()
    assert 2 == len(copies)
    assert [] == swept(scene.guard(TOMORROW))
    assert copies == scene.copies()


def test_the_rehearsed_copies_of_a_restore_that_was_closed_without_a_swap_are_removed(scene: Scene) -> None:
    """They were never live, and hold the whole data of the application."""
    copies = scene.copies()
    close(scene)
    with work_on(scene.installation, ["simpel/data"], "a-backup", "back up"):
        assert [("copy", copies[1])] == swept(scene.guard()), "not beside data that somebody works on"
    assert [("copy", copies[0])] == swept(scene.guard())
    assert [] == scene.copies()
    assert [] == scene.guard().actions


@pytest.mark.slow
def test_a_safety_copy_is_never_removed(scene: Scene) -> None:
    """It is the only place where the data from before the restore still is; it has the name of the rehearsed copy."""
    for number in (4, 5, 6):
        scene.office.step(f"restore.{number}", scene.procedure_id)
    scene.office.finish(scene.procedure_id)
    copies = scene.copies()
    assert 2 == len(copies)
    for now in (None, TOMORROW, TOMORROW + timedelta(days=400)):
        report = scene.guard(now)
        assert [] == swept(report) == [alarm for alarm in report.alarms if alarm.kind == "sweep"]
    assert copies == scene.copies()


def test_a_copy_that_the_journal_does_not_know_as_undone_is_left_alone(scene: Scene) -> None:
    """A restore closed by hand in the middle: what lies beside may be the old data."""
    scene.stop()
    scene.prepare()
    scene.swap("simpel/data")
    close(scene)
    scene.forget_leases()
    copies = scene.copies()
    report = scene.guard()
    assert [] == swept(report) == [alarm for alarm in report.alarms if alarm.kind == "sweep"]
    assert copies == scene.copies()


def test_a_copy_that_nobody_knows_is_left_alone(scene: Scene) -> None:
    """An administrator put it there, or an installation that shares the host."""
    stranger = Path(scene.installation.source("simpel/data").beside("by-hand"))
    stranger.write_bytes(b"somebody's")
    close(scene)
    scene.guard()
    assert [str(stranger)] == scene.copies()


def test_a_copy_that_is_not_clearly_the_rehearsed_one_is_told_and_left_alone(scene: Scene) -> None:
    """The journal says that the old data was put back, and the file system does not."""
    scene.stop()
    scene.prepare()
    for component in COMPONENTS:
        scene.swap(component)
    with scene.installation.catalog.begin() as connection:
        connection.execute(update(schema.swaps).values(state="undone"))
    close(scene)
    scene.forget_leases()
    copies = scene.copies()
    report = scene.guard()
    told = [alarm for alarm in report.alarms if alarm.kind == "sweep"]
    assert list(COMPONENTS) == [alarm.subject for alarm in told]
    expected = f" was left by the closed restore {scene.procedure_id} and is not clearly the rehearsed data"
    assert all(alarm.message.endswith(expected) for alarm in told)
    assert {"look at it and at the live data before anything else"} == {alarm.mend for alarm in told}
    assert ([], copies) == (swept(report), scene.copies())


def test_a_host_that_is_gone_keeps_the_guard_from_nothing_else(scene: Scene) -> None:
    """Its copies are told of, and the rest is swept."""
    close(scene)
    directory(scene.office, "scratch", scene.procedure_id)
    applications = scene.installation.applications
    known = applications["simpel"]
    applications["simpel"] = known.model_copy(update={"host": "hilang"})
    try:
        report = scene.guard()
    finally:
        applications["simpel"] = known
    assert [("scratch", scene.procedure_id)] == swept(report)
    told = [alarm.message for alarm in report.alarms if alarm.kind == "sweep"]
    assert 2 == len(told) and all("there is no host named 'hilang'" in message for message in told)


@pytest.mark.root
def test_what_cannot_be_removed_is_told(office: SmallOffice, scene: Scene) -> None:
    """It may hold plain data. Something is mounted in it, so that root is refused as well."""
    left = directory(office, "scratch", "unknown")
    subprocess.run(["mount", "-t", "tmpfs", "pulih-uji", str(left)], check=True)
    (left / "simpel_berkas").mkdir()
    (left / "simpel_berkas" / "file").touch()
    try:
        report = scene.guard(TOMORROW)
    finally:
        subprocess.run(["umount", str(left)], check=True)
    (alarm,) = [alarm for alarm in report.alarms if alarm.kind == "sweep"]
    assert ("scratch", "remove it by hand, as the account that owns it") == (alarm.subject, alarm.mend)
    assert f"{left} cannot be removed (Device or resource busy); it may hold plain data" == alarm.message
    assert [] == swept(report)


def test_an_installation_that_never_backed_up_has_nothing_to_sweep(office: SmallOffice, scene: Scene) -> None:
    """The directories are made by the first run."""
    for kind in ("scratch", "staging"):
        shutil.rmtree(office.root / "state" / kind, ignore_errors=True)
    assert [] == swept(scene.guard(TOMORROW))


def test_unfinished_objects_are_swept_from_the_stores(office: SmallOffice, scene: Scene) -> None:
    """Older than a day; a put that goes on keeps its file's time fresh."""
    store = office.root / "store"
    for name, age in (("old", 90_000), ("new", 60)):
        path = store / f"{TEMPORARY}{name}"
        path.write_bytes(b"half")
        os.utime(path, (datetime.now(UTC).timestamp() - age,) * 2)
    assert [("store", "")] == swept(scene.guard())
    assert [f"{TEMPORARY}new"] == [path.name for path in store.glob(f"{TEMPORARY}*")]
    assert [] == scene.guard().actions


def test_a_store_that_is_away_is_an_alarm_and_keeps_the_guard_from_nothing_else(
    office: SmallOffice, scene: Scene
) -> None:
    """The disk was not mounted: everything that needs no store is done nevertheless."""
    with scene.installation.catalog.read() as connection:
        (closed,) = procedures.list_all(connection, "backup")
    directory(office, "scratch", closed.id)
    (office.root / "store").rename(office.root / "away")
    try:
        report = scene.guard()
    finally:
        (office.root / "away").rename(office.root / "store")
    assert [("scratch", closed.id)] == swept(report)
    assert {("store", "utama"), ("ledger", "head in the store utama")} <= {
        (alarm.kind, alarm.subject) for alarm in report.alarms
    }
