"""pulih guard: one round of the guard, as a timer makes it every minute."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cli.alarms import alarm_lines
from cli.output import Output
from recovery.errors import ALARMS_EXIT_CODE

if TYPE_CHECKING:
    from recovery.guard.report import Report


@click.command("guard")
@click.pass_context
def command(context: click.Context) -> None:
    """Finish or undo what died, start its service, sweep, and raise alarms. Ends with 30 when there are alarms.

    Safe at any time, beside running procedures and other guards: what somebody works on is left alone. Needs no
    Prefect. Repeating it does nothing more. When catalog or inventory cannot be used, the office is told once in an
    hour.
    """
    output: Output = context.obj
    # Here, because help must not cost the import of everything.
    from recovery.guard import make_round
    from recovery.guard.unread_inventory import inventory_or_told
    from recovery.guard.unreadable import told_when_unreadable

    now = datetime.now(UTC)
    inventory = inventory_or_told(lambda: output.inventory, output.inventory_path, now)
    with told_when_unreadable(inventory.installation(), now):
        report = make_round(output.installation)
    output.show(report.to_json(), _lines(report))
    if report.alarms:
        context.exit(ALARMS_EXIT_CODE)


def _lines(report: "Report") -> list[str]:
    if report.busy:
        return [f"another guard is at work: {report.busy}"]
    lines = [f"DONE  {action.message}" for action in report.actions]
    return [*lines, *alarm_lines(report.alarms), f"{len(report.actions)} actions, {len(report.alarms)} alarms"]
