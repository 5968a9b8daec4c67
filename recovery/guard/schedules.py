"""Schedules that are no approved document, or no longer the one that was approved: their backups are not conformant."""

from recovery.errors import PulihError
from recovery.guard.report import Alarm, Report
from recovery.installation import Installation
from recovery.procedures.schedule_approval import approval_of

_APPROVE = "start the deployment 'pengesahan-jadwal' in the Prefect UI, and let the official whom it names approve it"


def look_at_schedules(installation: Installation, report: Report) -> None:
    """Raise an alarm for each schedule that is not approved as the inventory has it."""
    for name in sorted(installation.schedules):
        try:
            approval = approval_of(installation, name)
        except PulihError as error:
            report.trouble("schedule", name, error)
            continue
        match approval.state:
            case "never":
                report.alarm(Alarm("schedule", name, "is no approved document", _APPROVE))
            case "changed":
                message = f"differs from {approval.cited}, which was approved"
                report.alarm(Alarm("schedule", name, message, _APPROVE, approval.approved_at))
            case "invalid":
                message = "is approved by a decision that the ledger does not have so"
                report.alarm(Alarm("schedule", name, message, "run `pulih ledger verify`; then approve it anew"))
            case "unknown":
                message = "is approved by a decision that cannot be checked without the enrolment key"
                report.alarm(Alarm("schedule", name, message, "`pulih doctor` says what is wrong with the key"))
