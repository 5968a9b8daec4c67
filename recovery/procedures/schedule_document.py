"""The facts of the Jadwal Back Up, from what its procedure has recorded."""

from typing import Any

from sqlalchemy import Connection

from recovery.forms import schedule as form_of_schedule
from recovery.forms.model import Approval, Document, FormFacts, mask_nik
from recovery.forms.schedule import ScheduledApplication, ScheduleForm
from recovery.installation import Installation
from recovery.procedures.people import approval_of, signer
from recovery.procedures.schedule_approval import APPROVED
from recovery.records import procedures
from recovery.sop import SCHEDULE_APPROVAL


def schedule_facts(installation: Installation, procedure_id: str, document: Document) -> FormFacts:
    """Given an approval of a schedule, return the facts of its document, with the decision when there is one."""
    with installation.catalog.read() as connection:
        content = procedures.get(connection, procedure_id).parameters["content"]
        _official, approval, decision = approval_of(connection, procedure_id, SCHEDULE_APPROVAL)
        return facts_of_content(connection, content, document, _status(decision), approval)


def facts_of_content(
    connection: Connection, content: dict[str, Any], document: Document, status: str, approval: Approval | None = None
) -> FormFacts:
    """Given a schedule's content (`content_of`) and in which state the document is, return its facts."""
    return form_of_schedule.build(
        document,
        ScheduleForm(
            status=status,
            period=content["period"],
            applications=tuple(
                ScheduledApplication(
                    name=application["title"],
                    owner_unit=application["owner_unit"],
                    category=application["category"],
                    components=tuple(application["components"]),
                )
                for application in content["applications"]
            ),
            frequency=content["frequency"],
            cron=content["cron"],
            main_location=content["main_location"],
            offsite_location=content["offsite_location"],
            retention=retention_words(content["retention_days"], content.get("retention")),
            recovery_point_objective=content["recovery_point_objective"],
            recovery_time_objective=content["recovery_time_objective"],
            executor=signer(connection, content["executor"]),
            reviewer=signer(connection, content["reviewer"]),
            valid_from=content["valid_from"],
            approved_by=signer(connection, content["approved_by"]),
            approval=approval,
        ),
    )


def retention_words(days: int, retention: dict[str, int] | None) -> str:
    """Given what a schedule says of retention, return it as printed; earlier releases said no more than the days."""
    if retention is None:
        return f"paling sedikit {days} hari"
    periods = (("daily", "harian"), ("weekly", "mingguan"), ("monthly", "bulanan"), ("yearly", "tahunan"))
    kept = ", ".join(f"{retention[name]} {word}" for name, word in periods if retention[name])
    return "\n".join(
        filter(
            None,
            (
                f"paling sedikit {days} hari",
                f"sesudah itu tinggal: {kept}" if kept else "",
                f"selalu tinggal: {retention['verified']} cadangan terverifikasi terbaru tiap komponen",
            ),
        )
    )


def _status(decision: dict[str, Any]) -> str:
    if not decision:
        return form_of_schedule.DRAFT
    if decision["decision"] == APPROVED:
        return form_of_schedule.APPROVED
    return f"{form_of_schedule.REJECTED} – {mask_nik(decision['note'])}"
