"""Telling the requester of a restore that his request stands still. Once: the notice on record is what says so."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from recovery import calendar
from recovery.guard.lateness import failed_for_good
from recovery.guard.report import Action, Report
from recovery.installation import Installation
from recovery.procedures.informing import inform_requester
from recovery.procedures.restore.interventions import interventions
from recovery.records import forms, ledger, notices, procedures, steps
from recovery.records.procedures import Procedure

# Where a notice of the guard stands among the notices of a procedure.
NOTICE = "guard"


def tell_requesters(installation: Installation, now: datetime, report: Report) -> None:
    """Tell the requester of every restore that died before its step 7, unless he was told."""
    for procedure in procedures_without_end(installation):
        reason = _reason(installation, procedure, now)
        if reason:
            _tell(installation, procedure, reason, report)


def procedures_without_end(installation: Installation) -> list[Procedure]:
    """Return the open restores whose requester was neither informed (step 7) nor told by the guard."""
    with installation.catalog.read() as connection:
        return [
            procedure
            for procedure in procedures.list_open(connection, "restore")
            if steps.evidence_of(connection, procedure.id, "restore.7") is None
            and not any(notice.step_id == NOTICE for notice in notices.list_notices(connection, procedure.id))
        ]


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
    """When anybody but the guard did something in this procedure."""
    entries = ledger.entries(connection, procedure_id=procedure.id, last=1000)
    ours = ("guard.", "approval.expired", "swap.")
    return max((entry.at for entry in entries if not entry.kind.startswith(ours)), default=procedure.opened_at)


def _tell(installation: Installation, procedure: Procedure, reason: str, report: Report) -> None:
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
    )
    told = "told" if sent["delivered"] else "tried in vain to tell"
    message = f"{told} the requester of {procedure.id} that it stands still"
    facts = {"reason": reason, "delivered": sent["delivered"]}
    report.did(installation.catalog, Action("guard.requester_told", message, procedure.id, facts=facts))
