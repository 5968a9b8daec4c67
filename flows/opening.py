"""Opening a procedure from its flow run: the flow run's id is the procedure's id, so a retry finds what was done."""

from dataclasses import dataclass

from blocks.installation import load_installation
from recovery.procedures import retention, schedule_approval
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.drill import begin_drill
from recovery.procedures.drill_unstarted import tell_not_started
from recovery.procedures.restore.begin import begin_restore
from recovery.procedures.restore.request_form import RestoreRequest
from recovery.procedures.retention import NotOpened, begin_retention
from recovery.procedures.schedule_begin import begin_schedule
from recovery.records import procedures
from tasks.dashboard import tag_run
from tasks.drill_start import start_drill
from tasks.replaced_runs import cancel_replaced
from tasks.this_run import this_run


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


@dataclass(frozen=True)
class OpenRetention:
    """A destruction under way: its id; `not_opened` says why there is nothing to decide, if so."""

    id: str
    not_opened: NotOpened | None


def open_backup(schedule_name: str, reason: str, cites: str) -> OpenBackup:
    """Given the run's parameters, open its backup procedure; routine is what the schedule itself started."""
    run = this_run()
    opened = begin_backup(
        load_installation(),
        str(run.id),
        schedule_name=schedule_name,
        routine=bool(run.auto_scheduled),
        reason=reason,
        cites=cites,
    )
    tag_run(run, sorted({component.partition("/")[0] for component in opened["components"]}))
    return OpenBackup(opened["id"], opened["components"])


def open_restore(form: RestoreRequest) -> OpenRestore:
    """Given the request form, open its restore procedure."""
    run = this_run()
    opened = begin_restore(load_installation(), str(run.id), form)
    tag_run(run, [opened["application"]])
    return OpenRestore(opened["id"], opened["application"])


def open_drill(schedule_name: str, component: str, store_name: str, choice: str) -> OpenBackup:
    """Given the run's parameters, open its drill: which copy of which backup it takes is chosen here, once."""
    run = this_run()
    opened = begin_drill(
        load_installation(),
        str(run.id),
        schedule_name=schedule_name,
        component=component,
        store_name=store_name,
        choice=choice,
    )
    tag_run(run, sorted({component.partition("/")[0] for component in opened["components"]}))
    return OpenBackup(opened["id"], opened["components"])


def drill_by_policy(procedure_id: str) -> None:
    """Given a backup whose sets are secured, start a drill of them where its schedule wanted one after each backup.

    A run of its own, on whatever worker may open backups. That it could not be started fails no backup: the office is
    told at once, and again by the guard when no drill has followed a backup for a day.
    """
    installation = load_installation()
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
    # As the backup was opened: the inventory may name no such schedule any more when the run comes again.
    drill = procedure.parameters["schedule"].get("drill", {})  # a release before it knew of none
    if drill.get("after_backup") and (why := start_drill(procedure.schedule, procedure_id)):
        tell_not_started(installation, procedure.schedule, procedure_id, why)


def open_schedule(schedule_name: str) -> OpenSchedule:
    """Given a schedule's name, open its approval, unless what the inventory says of it is approved already."""
    installation, run_id = load_installation(), str(this_run().id)
    opened = OpenSchedule(run_id, begin_schedule(installation, run_id, schedule_name))
    cancel_replaced(installation, schedule_approval.KIND, schedule_name)
    return opened


def open_retention() -> OpenRetention:
    """Draw up what may be destroyed and open its procedure, unless there is nothing."""
    installation, run_id = load_installation(), str(this_run().id)
    opened = OpenRetention(run_id, begin_retention(installation, run_id))
    cancel_replaced(installation, retention.KIND)
    return opened
