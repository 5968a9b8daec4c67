"""The guard tells which schedules are no approved documents, and an approval that ran out hurts nobody."""

from datetime import UTC, datetime, timedelta

from recovery.guard.report import Alarm, Report
from recovery.procedures.questions import question_of
from recovery.procedures.schedule_begin import begin_schedule, draw_up
from recovery.records.approvals import ask
from recovery.records.waiting import open_requests
from tests.recovery.guard.conftest import Scene


def found(report: Report) -> list[Alarm]:
    return [alarm for alarm in report.alarms if alarm.kind == "schedule"]


def test_an_approved_schedule_is_quiet_and_a_changed_one_is_told(scene: Scene) -> None:
    assert [] == found(scene.guard())
    schedules = scene.installation.schedules
    approved = schedules["bulanan"]
    try:
        schedules["bulanan"] = approved.model_copy(update={"retention_days": 30})
        (alarm,) = found(scene.guard())
        schedules["harian"] = approved.model_copy(update={"name": "harian"})
        alarms = found(scene.guard())
    finally:
        schedules["bulanan"] = approved
        schedules.pop("harian", None)
    assert "bulanan" == alarm.subject
    assert alarm.message.startswith("differs from 001/JBU/KOMINFO/")
    assert alarm.message.endswith(" versi 2, which was approved")
    assert alarm.since != ""
    assert ["bulanan", "harian"] == [each.subject for each in alarms]
    assert "is no approved document" == alarms[1].message
    assert "pengesahan-jadwal" in alarms[1].mend


def test_an_approval_that_cannot_be_checked_is_told(scene: Scene) -> None:
    """Neither believed nor denied. A schedule of whose contents too little is known keeps no other from being told."""
    key = scene.office.root / "keys" / "enrolment"
    content = key.read_bytes()
    key.unlink()
    schedules = scene.installation.schedules
    schedules["aneh"] = schedules["bulanan"].model_copy(update={"name": "aneh", "applications": ["hilang"]})
    try:
        told = {alarm.subject: alarm for alarm in found(scene.guard())}
    finally:
        key.write_bytes(content)
        del schedules["aneh"]
    unknown = told["bulanan"]
    assert "is approved by a decision that cannot be checked without the enrolment key" == unknown.message
    assert "`pulih doctor` says what is wrong with the key" == unknown.mend
    assert told["aneh"].message.startswith("there is no application named 'hilang'")


def test_an_approval_that_ran_out_is_recorded_and_can_be_asked_again(scene: Scene) -> None:
    """Nothing is overdue by the SOP's time, nothing is swept, nobody is told; the next run asks anew."""
    installation = scene.installation
    schedules = installation.schedules
    approved = schedules["bulanan"]
    try:
        schedules["bulanan"] = approved.model_copy(update={"retention_days": 30})
        begin_schedule(installation, "schedule-run", "bulanan")
        draw_up(installation, "schedule-run")
        ask(
            installation.catalog,
            question_of(installation, "schedule-run", "schedule.approve"),
            lifetime=timedelta(days=14),
        )
        report = scene.guard(datetime.now(UTC) + timedelta(days=15))
        assert ["schedule-run"] == [
            each.procedure_id for each in report.actions if each.facts.get("step_id") == "schedule.approve"
        ]
        assert [] == [alarm for alarm in report.alarms if "schedule-run" in alarm.subject]
        assert ["bulanan"] == [alarm.subject for alarm in found(report)]
        with installation.catalog.read() as connection:
            assert "schedule-run" not in {each.request.procedure_id for each in open_requests(connection)}
        assert "" == begin_schedule(installation, "next-run", "bulanan")
    finally:
        schedules["bulanan"] = approved
