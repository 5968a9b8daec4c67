"""Whether a schedule is an approved document: what the inventory says of it now, against what was approved last."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from recovery.canonical import digest
from recovery.errors import ApprovalError, KeyMissingError
from recovery.installation import Installation
from recovery.records import approvals, forms, procedures
from recovery.records.procedures import Procedure
from recovery.sop import SCHEDULE_APPROVAL

# The kind of the procedure and of its form.
KIND = "schedule"
# The two decisions, which are also its outcomes.
APPROVED, REJECTED = "disahkan", "ditolak"

State = Literal["approved", "changed", "never", "invalid", "unknown"]

_WORDS: dict[State, str] = {
    "approved": "",
    "changed": "Jadwal berubah sejak disahkan",
    "never": "Jadwal belum disahkan",
    "invalid": "Pengesahan jadwal tidak sesuai dengan buku besar",
    "unknown": "Pengesahan jadwal tidak dapat diperiksa",
}


@dataclass(frozen=True)
class ScheduleApproval:
    """How a schedule stands.

    `state`: "approved" (the newest approved version says what the inventory says), "changed" (the inventory says
    something else since), "never" (no version was approved), "invalid" (the approval on record is not the one that was
    given), "unknown" (the key that tells is not there). `number`, `version`, `official` (NIP) and `approved_at` are of
    the newest approved version, empty when there is none or it is not to be relied on. `content_sha256` is the digest
    of what the inventory says now.
    """

    schedule: str
    state: State
    number: str = ""
    version: int = 0
    official: str = ""
    approved_at: str = ""
    content_sha256: str = ""

    @property
    def approved(self) -> bool:
        """Whether a run of this schedule is conformant."""
        return self.state == "approved"

    @property
    def cited(self) -> str:
        """The newest approved version as documents name it, "001/JBU/KOMINFO/XI/2026 versi 2"; "" for none."""
        return f"{self.number} versi {self.version}" if self.number else ""

    @property
    def words(self) -> str:
        """Why a run of this schedule is not conformant, in Indonesian without a full stop; "" when it is."""
        return _WORDS[self.state]

    def to_json(self) -> dict[str, Any]:
        """Return this as plain data."""
        return asdict(self)


def approval_of(installation: Installation, schedule_name: str) -> ScheduleApproval:
    """Given a schedule's name, say whether it is approved as the inventory has it: under which number and version, by
    whom and when, or why not. Raises NotFoundError for a schedule that the inventory does not name.

    Only the newest approved version counts: one that was replaced does not come back into force by itself.
    """
    content_sha256 = digest(content_of(installation, schedule_name))
    with installation.catalog.read() as connection:
        for procedure in reversed(procedures.list_all(connection, KIND)):
            if procedure.schedule != schedule_name or procedure.outcome != APPROVED:
                continue
            decision = approvals.decision_of(connection, procedure.id, SCHEDULE_APPROVAL)
            issued = forms.latest(connection, KIND, procedure.id)
            if decision is None or issued is None:
                return ScheduleApproval(schedule_name, "invalid", content_sha256=content_sha256)
            try:
                approvals.still_valid(
                    connection,
                    procedure.id,
                    SCHEDULE_APPROVAL,
                    decision.binding,
                    installation.enrolment_key(),
                    # It is in force until the schedule changes, so it is judged as of the moment when it was given.
                    now=datetime.fromisoformat(decision.submitted_at),
                )
            except ApprovalError:
                return ScheduleApproval(schedule_name, "invalid", content_sha256=content_sha256)
            except KeyMissingError:
                # A backup must not fail for the want of what only paper needs.
                return ScheduleApproval(schedule_name, "unknown", content_sha256=content_sha256)
            return ScheduleApproval(
                schedule_name,
                "approved" if decision.binding["content_sha256"] == content_sha256 else "changed",
                issued.number,
                issued.version,
                decision.nip,
                decision.submitted_at,
                content_sha256,
            )
    return ScheduleApproval(schedule_name, "never", content_sha256=content_sha256)


def recorded_approval(procedure: Procedure) -> ScheduleApproval:
    """Given a backup procedure, return how its schedule stood when it was opened."""
    recorded = procedure.parameters.get("approval")
    if recorded is None:
        # Opened by a release that had no approved schedules.
        return ScheduleApproval(procedure.schedule, "never")
    return ScheduleApproval(**recorded)


def basis_of(procedure: Procedure) -> str:
    """Given a backup procedure, return its "Jadwal (dasar)" as forms print it; what is not conformant stands out."""
    approval = recorded_approval(procedure)
    named = f"{approval.cited or procedure.schedule} ({procedure.parameters['schedule']['period']})"
    return named if approval.approved else f"{named} – {approval.words.upper()}"


def content_of(installation: Installation, schedule_name: str) -> dict[str, Any]:
    """Given a schedule's name, return what its document says, as plain data: what an approval is bound to.

    People are named by NIP: another rank or another spelling of a name does not change the schedule.
    """
    schedule = installation.schedule(schedule_name)
    applications = [installation.application(name) for name in schedule.applications]
    return {
        "name": schedule.name,
        "period": schedule.period,
        "applications": [
            {
                "name": application.name,
                "title": application.title,
                "owner_unit": application.owner_unit_title,
                "category": application.category,
                "components": [component.printed_name for component in application.components],
            }
            for application in applications
        ],
        "cron": schedule.cron,
        "frequency": schedule.frequency,
        "main_location": _title(installation, schedule.store),
        "offsite_location": _title(installation, schedule.offsite_store) if schedule.offsite_store else "",
        "retention_days": schedule.retention_days,
        "retention": schedule.retention.model_dump(),
        "recovery_point_objective": schedule.recovery_point_objective,
        "recovery_time_objective": schedule.recovery_time_objective,
        "executor": schedule.executor,
        "reviewer": schedule.reviewer,
        "valid_from": schedule.valid_from,
        "approved_by": schedule.approved_by,
    }


def _title(installation: Installation, store_name: str) -> str:
    return installation.stores[store_name].title or store_name
