"""Jadwal Back Up as a document, from the installation's settings and officials."""

from datetime import UTC, datetime

from recovery.calendar import WIB
from recovery.forms import schedule as form_of_schedule
from recovery.forms.model import FormFacts
from recovery.forms.render import RenderedForm, render
from recovery.forms.schedule import ScheduledApplication, ScheduleForm
from recovery.installation import Installation
from recovery.procedures.documents import document_of
from recovery.procedures.people import signer


def render_schedule(installation: Installation, schedule_name: str, *, now: datetime | None = None) -> RenderedForm:
    """Given a schedule's name, return its Jadwal Back Up as PDF. Its number is the configured one: it is approved once
    and cited by every run. Raises NotFoundError for an unknown schedule."""
    return render(schedule_facts(installation, schedule_name, now or datetime.now(UTC)))


def schedule_facts(installation: Installation, schedule_name: str, now: datetime) -> FormFacts:
    """Given a schedule's name, return the facts of its document."""
    schedule = installation.schedule(schedule_name)
    # A schedule that says from when it is valid is the same document on every day on which it is printed.
    made_at = datetime.fromisoformat(schedule.valid_from).replace(tzinfo=WIB) if schedule.valid_from else now
    with installation.catalog.read() as connection:
        executor, reviewer, approver = (
            signer(connection, nip) for nip in (schedule.executor, schedule.reviewer, schedule.approved_by)
        )
    applications = [installation.application(name) for name in schedule.applications]
    return form_of_schedule.build(
        document_of(installation, schedule.number, 1, made_at),
        ScheduleForm(
            number=schedule.number,
            period=schedule.period,
            applications=tuple(
                ScheduledApplication(
                    name=application.title,
                    owner_unit=application.owner_unit_title,
                    category=application.category,
                    components=tuple(component.title or component.name for component in application.components),
                )
                for application in applications
            ),
            frequency=schedule.frequency,
            main_location=_title(installation, schedule.store),
            offsite_location=_title(installation, schedule.offsite_store) if schedule.offsite_store else "",
            retention=f"paling sedikit {schedule.retention_days} hari",
            recovery_point_objective=schedule.recovery_point_objective,
            recovery_time_objective=schedule.recovery_time_objective,
            executor=executor,
            reviewer=reviewer,
            valid_from=schedule.valid_from,
            approved_by=approver,
        ),
    )


def _title(installation: Installation, store_name: str) -> str:
    return installation.stores[store_name].title or store_name
