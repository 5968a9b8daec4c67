"""pulih restore-plan: what a restore would do, before anybody asks for one."""

from typing import TYPE_CHECKING, Any

import click

from cli.completing import applications, backup_names
from cli.output import Output, table
from recovery.calendar import format_bytes, format_duration, format_moment

if TYPE_CHECKING:
    from recovery.procedures.restore.forecast import Forecast, Measured


@click.command("restore-plan")
@click.argument("application", shell_complete=applications)
@click.option("--moment", default="", help="The recovery point, as in the request form: 2026-11-20 22:00 (WIB).")
@click.option(
    "--backup", default="", shell_complete=backup_names, help="Restore the run in which this backup was made."
)
@click.option(
    "--incident", default="", help="When the damage happened, as in the request form: 2026-11-20 09:00 (WIB)."
)
@click.pass_obj
def command(output: Output, application: str, moment: str, backup: str, incident: str) -> None:
    """Say which backups a restore of APPLICATION would take, where to, what stops, who approves, how long it takes.

    Changes nothing. Without a recovery point it is the newest verified backup of each component, as in the SOP;
    one whose moment cannot be believed, because a clock was wrong, is passed over and named. With --incident it says of
    one that was taken after the damage that it may hold it, and which one is from before.
    """
    if moment and backup:
        raise click.UsageError("name either --moment or --backup")
    if incident and (moment or backup):
        raise click.UsageError("--incident is for the newest backups: name it without --moment and --backup")
    # Here, because help must not cost the import of everything.
    from recovery.procedures.restore.forecast import forecast, point_of
    from recovery.procedures.restore.plan import incident_moment, recovery_point

    installation = output.installation
    installation.application(application)
    point = point_of(installation, application, backup) if backup else recovery_point(moment)
    planned = forecast(installation, application, point, incident_moment(incident))
    output.show(planned.to_json(), _lines(planned))


def _lines(planned: "Forecast") -> list[str]:
    head = ["COMPONENT", "BACKUP", "MOMENT", "VERDICT", "SIZE", "NEEDED BESIDE", "FREE", "REHEARSAL"]
    rows = [
        [
            each.component,
            each.name,
            format_moment(each.moment),
            each.verdict,
            format_bytes(each.bytes),
            format_bytes(each.needed),
            "unknown" if each.free is None else format_bytes(each.free),
            _took(each.rehearsal),
        ]
        for each in planned.components
    ]
    return [
        *table(head, rows),
        *(
            f"  PASSED OVER: {each.component} {other['name']} of {format_moment(other['moment'])}: that is still to "
            "come, or later than a backup that was taken afterwards; --backup takes it"
            for each in planned.components
            for other in each.passed_over
        ),
        *(
            f"  DOUBTFUL: {each.component} {each.name} of {format_moment(each.moment)}: that is still to come, or "
            "later than a backup that was taken afterwards, so what is in it may be of another time"
            for each in planned.components
            if each.doubtful
        ),
        *(
            f"  AFTER THE INCIDENT: {each.component} {each.name} of {format_moment(each.moment)}: the damage is of "
            f"{format_moment(each.after_incident['incident'])}, so it may hold it; {_before(each.after_incident)}"
            for each in planned.components
            if each.after_incident
        ),
        "",
        "targets:",
        *(f"  {each.component}: {place(each.target)} (identity {each.target_sha256})" for each in planned.components),
        *(
            f"  DIFFERENT: the backup of {each.component} was made of {name} {found['backup']}, not {found['target']}"
            for each in planned.components
            for name, found in each.differences.items()
        ),
        "stopped in step 4, in this order:",
        *(f"  {each.name} ({each.kind}), now {each.state}" for each in planned.services),
        *(["  none is configured: a restore could not prove quiet"] if not planned.services else []),
        "approvals:",
        *(f"  {each.title}: {_people(each.officials)}" for each in planned.approvals),
        f"downtime: {_took(planned.downtime)}",
        *([f"to ask for this, the request says titik_pulih: {planned.request_point}"] if planned.request_point else []),
        *(f"OBSTACLE  {obstacle}" for obstacle in planned.obstacles),
        "nothing was changed",
    ]


def _before(after_incident: dict[str, Any]) -> str:
    before = after_incident["before"]
    if before is None:
        return "there is no verified backup from before"
    moment = format_moment(before["moment"])
    return f"the newest verified one from before is {before['name']} of {moment}: --backup takes it"


def place(target: dict[str, Any]) -> str:
    """What a kind of source says of where it lies, without what only tells machines apart."""
    return " ".join(str(value) for name, value in target.items() if name not in ("machine", "server_uid"))


def _took(measured: "Measured") -> str:
    return "unknown" if measured.seconds is None else f"{format_duration(measured.seconds)} ({measured.by})"


def _people(officials: "tuple[dict[str, str | bool], ...]") -> str:
    named = (f"{each['name']}" + ("" if each["enrolled"] else " (no device)") for each in officials)
    return ", ".join(named) or "NOBODY"
