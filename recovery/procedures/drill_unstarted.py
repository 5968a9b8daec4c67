"""A drill that was to follow a backup and could not be started: told at once, and on record."""

from recovery.installation import Installation
from recovery.notifying import deliver
from recovery.procedures.run_notices import OFFICE
from recovery.records import ledger, notices

NOT_STARTED = "drill.not_started"
SUBJECT = "Pulih: Gladi restore sesudah back up tidak dapat dimulai"


def tell_not_started(installation: Installation, schedule_name: str, procedure_id: str, why: str) -> None:
    """Given a backup's schedule and procedure, and why no drill of it was started, tell the office, once.

    Told before it is on record: a process that dies in between tells it again, and none is silent about it.
    """
    with installation.catalog.read() as connection:
        if ledger.entries(connection, procedure_id=procedure_id, kind=NOT_STARTED):
            return
    body = (
        f"Jadwal: {schedule_name}\n"
        f"Rincian teknis: {why}\n"
        "Tindakan: perbaiki sebabnya, lalu jalankan gladi restore (deployment gladi-restore, atau pulih drill).\n"
        "Back up tidak terhenti; salinannya belum diuji dari penyimpanan."
    )
    told = [(reference, deliver(reference, SUBJECT, body)) for reference in installation.office.notice_targets]
    with installation.catalog.begin() as connection:
        ledger.append(connection, NOT_STARTED, {"schedule": schedule_name, "why": why}, procedure_id=procedure_id)
        for reference, trouble in told:
            notices.record_notice(
                connection,
                procedure_id,
                recipient=OFFICE,
                channel=reference,
                subject=SUBJECT,
                delivered=trouble == "",
                detail=trouble,
            )
