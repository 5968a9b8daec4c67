"""Telling the requester of a restore that his request stands still, once: the notice on record is what says so. And
telling the office of what did not reach a requester, whoever was to tell him."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from recovery import calendar
from recovery.guard.lateness import failed_for_good
from recovery.guard.report import Action, Alarm, Report
from recovery.guard.telling import TRY_AGAIN_AFTER
from recovery.installation import Installation
from recovery.procedures.informing import Telling, inform_requester, tellings
from recovery.procedures.restore.interventions import interventions
from recovery.records import approvals, forms, ledger, notices, procedures, schema, steps
from recovery.records.procedures import Procedure

# Where a notice of the guard stands among the notices of a procedure.
NOTICE = "guard"


def tell_requesters(installation: Installation, now: datetime, report: Report) -> None:
    """Tell the requester of every restore that died before its step 7, unless he was told; an hour later again when it
    did not reach him. What did not reach a requester is an alarm."""
    for procedure in procedures_without_end(installation, now):
        reason = _reason(installation, procedure, now)
        if reason:
            _tell(installation, procedure, reason, now, report)
    _look_for_who_was_not_reached(installation, now, report)


def procedures_without_end(installation: Installation, now: datetime) -> list[Procedure]:
    """Return the open restores whose requester was neither informed (step 7) nor told by the guard, in its tries."""
    with installation.catalog.read() as connection:
        return [
            procedure
            for procedure in procedures.list_open(connection, "restore")
            if steps.evidence_of(connection, procedure.id, "restore.7") is None
            and _may_be_told(installation, tellings(connection, procedure), now)
        ]


def _may_be_told(installation: Installation, told: list[Telling], now: datetime) -> bool:
    ours = [each for each in told if each.step_id == NOTICE]
    if not ours:
        return True
    last = ours[-1]
    again = last.last_at <= schema.timestamp(now - TRY_AGAIN_AFTER)
    return again and not last.delivered and last.first_at > _too_long_ago(installation, now)


def _too_long_ago(installation: Installation, now: datetime) -> str:
    """What could not be told for as long as an approval is open was told by somebody by then, or never will be."""
    return schema.timestamp(now - timedelta(days=installation.office.approvals.lifetime_days))


def _reason(installation: Installation, procedure: Procedure, now: datetime) -> str:
    """Why the request counts as dead, in the requester's language; "" when it does not."""
    office = installation.office
    with installation.catalog.read() as connection:
        rows = steps.list_steps(connection, procedure.id)
        done = interventions(connection, procedure.id)
        last = _last_activity(connection, procedure)
    failed = [row for row in rows if failed_for_good(row, rows, now, office.working_days)]
    if failed:
        return "satu langkah gagal dan belum diulang dalam satu hari kerja"
    if done and done[-1].at >= last and calendar.deadline(done[-1].at, office.working_days) < now:
        return "pelaksanaannya terhenti; layanan sudah dijalankan kembali"
    # After this no approval of it is open any more, so nobody is about to answer.
    if datetime.fromisoformat(last) < now - timedelta(days=office.approvals.lifetime_days):
        return f"tidak ada kegiatan sejak {calendar.format_moment(last)}"
    return ""


def _last_activity(connection: Connection, procedure: Procedure) -> str:
    """When anybody but the guard did something in this procedure. That people were told of it is nothing done."""
    entries = ledger.entries(connection, procedure_id=procedure.id, last=None)
    ours = ("guard.", "approval.expired", "swap.", "notice.")
    return max((entry.at for entry in entries if not entry.kind.startswith(ours)), default=procedure.opened_at)


def _tell(installation: Installation, procedure: Procedure, reason: str, now: datetime, report: Report) -> None:
    with installation.catalog.read() as connection:
        form = forms.latest(connection, "restore_request", procedure.id)
    sent = inform_requester(
        installation,
        procedure,
        NOTICE,
        subject=f"Permintaan restore {procedure.application} terhenti",
        body=(
            f"Permintaan restore data {procedure.application}"
            + (f" (formulir {form.number})" if form else "")
            + f" terhenti: {reason}.\n"
            "Hubungi Bidang Aptika untuk mengetahui kelanjutannya."
        ),
        again=True,
        now=now,
    )
    told = "told" if sent["delivered"] else "tried in vain to tell"
    message = f"{told} the requester of {procedure.id} that it stands still"
    facts = {"reason": reason, "delivered": sent["delivered"]}
    report.did(installation.catalog, Action("guard.requester_told", message, procedure.id, facts=facts))


def _look_for_who_was_not_reached(installation: Installation, now: datetime, report: Report) -> None:
    """Whatever comes after it and reaches him ends it, as does his own answer, and at last time."""
    limit = _too_long_ago(installation, now)
    with installation.catalog.read() as connection:
        for procedure_id in notices.restores_with_undelivered(connection, limit):
            procedure = procedures.get(connection, procedure_id)
            answered = approvals.decision_of(connection, procedure_id, "restore.8") is not None
            told = tellings(connection, procedure)
            if not answered and told and not told[-1].delivered and told[-1].first_at > limit:
                report.alarm(_not_reached(installation, procedure, told[-1]))


def _not_reached(installation: Installation, procedure: Procedure, telling: Telling) -> Alarm:
    until = datetime.fromisoformat(telling.first_at) + timedelta(days=installation.office.approvals.lifetime_days)
    return Alarm(
        "requester",
        f"{procedure.application}, restore {procedure.id}",
        f"its requester was not told {telling.subject!r}: {telling.detail}",
        f"tell him yourself, and mend his contact or its channel; `pulih show {procedure.id}` has what was sent. This "
        f"is told until something reaches him or he acknowledges, at most until {calendar.format_moment(until)}",
        telling.first_at,
    )
