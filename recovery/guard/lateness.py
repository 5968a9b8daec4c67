"""Steps that are late by the SOP's time standard, and steps that failed and that nobody retried."""

from datetime import datetime

from recovery import calendar, sop
from recovery.guard.report import Alarm, Report
from recovery.installation import Installation
from recovery.records import procedures, schema, steps
from recovery.records.procedures import Procedure
from recovery.records.steps import StepRow


def look_for_lateness(installation: Installation, now: datetime, report: Report) -> None:
    """Raise an alarm for each step of an open procedure that is past its deadline or failed a working day ago."""
    with installation.catalog.read() as connection:
        rows_of = [
            (procedure, steps.list_steps(connection, procedure.id)) for procedure in procedures.list_open(connection)
        ]
    for procedure, rows in rows_of:
        for row in rows:
            if row.state == "open" and row.deadline is not None and row.deadline < schema.timestamp(now):
                report.alarm(_overdue(procedure, row))
            elif failed_for_good(row, rows, now, installation.office.working_days):
                report.alarm(_failed(procedure, row))


def failed_for_good(row: StepRow, rows: list[StepRow], now: datetime, counting: calendar.Counting) -> bool:
    """Given a step and all of its procedure, say whether it failed, matters, and nobody retried it in a working day."""
    if row.state != "failed" or row.ended_at is None:
        return False
    final_after = sop.step(row.step_id).final_after
    if any(other.step_id == final_after and other.state == "done" for other in rows):
        # It stands on the form, as the failure that it is; the procedure went on.
        return False
    return calendar.deadline(row.ended_at, counting) < now


def _overdue(procedure: Procedure, row: StepRow) -> Alarm:
    return Alarm(
        "overdue",
        _subject(procedure, row),
        f"waits since {calendar.format_moment(row.opened_at)}, and the SOP's {sop.step(row.step_id).time_standard} "
        f"ended {calendar.format_moment(row.deadline)}",
        # Whether the run is there still is not asked: the guard needs no Prefect.
        "remind the official: he answers in the run of this id in the Prefect UI. One that was cancelled can be "
        f"retried there; when it is gone, pulih close {procedure.id} --reason …",
        row.deadline or "",
    )


def _failed(procedure: Procedure, row: StepRow) -> Alarm:
    return Alarm(
        "failed",
        _subject(procedure, row),
        f"failed {calendar.format_moment(row.ended_at)} and was not retried: {row.error}",
        f"mend the cause and retry the run in the Prefect UI; when it is gone, pulih close {procedure.id} --reason …",
        row.ended_at or "",
    )


def _subject(procedure: Procedure, row: StepRow) -> str:
    what = row.component or procedure.application or procedure.schedule
    return f"{sop.step(row.step_id).title} [{what}] of {procedure.id}"
