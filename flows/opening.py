"""Opening a procedure from its flow run: the flow run's id is the procedure's id, so a retry finds what was done."""

from dataclasses import dataclass

from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from blocks.installation import load_installation
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.restore.begin import begin_restore
from recovery.procedures.restore.request_form import RestoreRequest
from recovery.procedures.schedule_begin import begin_schedule


@dataclass(frozen=True)
class OpenBackup:
    """A backup under way: its id and its components "application/component"."""

    id: str
    components: list[str]


@dataclass(frozen=True)
class OpenRestore:
    """A restore under way: its id and its application."""

    id: str
    application: str


@dataclass(frozen=True)
class OpenSchedule:
    """An approval of a schedule under way: its id; `settled` says why there is nothing to approve, if so."""

    id: str
    settled: str


def open_backup(schedule_name: str, reason: str, cites: str) -> OpenBackup:
    """Given the run's parameters, open its backup procedure; routine is what the schedule itself started."""
    run = _flow_run()
    opened = begin_backup(
        load_installation(),
        str(run.id),
        schedule_name=schedule_name,
        routine=bool(run.auto_scheduled),
        reason=reason,
        cites=cites,
    )
    return OpenBackup(opened["id"], opened["components"])


def open_restore(form: RestoreRequest) -> OpenRestore:
    """Given the request form, open its restore procedure."""
    opened = begin_restore(load_installation(), str(_flow_run().id), form)
    return OpenRestore(opened["id"], opened["application"])


def open_schedule(schedule_name: str) -> OpenSchedule:
    """Given a schedule's name, open its approval, unless what the inventory says of it is approved already."""
    run_id = str(_flow_run().id)
    return OpenSchedule(run_id, begin_schedule(load_installation(), run_id, schedule_name))


def _flow_run() -> FlowRun:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("procedures run only inside a flow run of a deployment")
    return context.flow_run
