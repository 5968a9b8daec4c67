"""pulih doctor: find what an installation gets wrong, and how to mend it."""

import os
from dataclasses import asdict
from datetime import UTC, datetime

import click

from cli.alarms import alarm_lines
from cli.output import Output
from recovery.errors import ALARMS_EXIT_CODE

MARKS = {"ok": "ok      ", "warning": "WARNING ", "problem": "PROBLEM "}
INDENT = " " * len(MARKS["ok"])


@click.command("doctor")
@click.option("--alarm", is_flag=True, help="Only ask whether a backup is missing, and tell the office when one is.")
@click.pass_context
def command(context: click.Context, alarm: bool) -> None:
    """Look at packages, keys, stores, catalog, officials, hosts, sources, services and server.

    Ends with 1 on a problem.

    With --alarm: is there a component without a fresh proof, or a schedule that begins no runs? Silence is an alarm.
    The catalog is asked, and the Prefect server too when PREFECT_API_URL names one. Ends with 30 when something is
    missing; the office is told of each thing once, until it is over; once in an hour that catalog or inventory cannot
    be used.
    """
    from recovery.prefect_api import prefect_api

    api = prefect_api(os.environ) if os.environ.get("PREFECT_API_URL") else None
    output: Output = context.obj
    if alarm:
        from recovery.doctor.silence import listen
        from recovery.guard.unread_inventory import inventory_or_told
        from recovery.guard.unreadable import told_when_unreadable

        now = datetime.now(UTC)
        inventory = inventory_or_told(lambda: output.inventory, output.inventory_path, now)
        with told_when_unreadable(inventory.installation(), now):
            alarms, told = listen(output.installation, api, now)
        lines = [*alarm_lines(alarms), f"{len(alarms)} alarms; the office was told of {told} now"]
        output.show({"alarms": [asdict(each) for each in alarms], "told": told}, lines)
        if alarms:
            context.exit(ALARMS_EXIT_CODE)
        return
    from recovery.doctor import examine

    findings = examine(output.inventory.installation(), api)
    counts = {state: sum(finding.state == state for finding in findings) for state in MARKS}
    lines = []
    for finding in findings:
        lines.append(f"{MARKS[finding.state]}{finding.subject}: {finding.message}")
        lines += [f"{INDENT}HINT: {finding.mend}"] if finding.mend else []
    lines.append(f"{counts['problem']} problems, {counts['warning']} warnings, {counts['ok']} ok")
    output.show({"findings": [finding.to_json() for finding in findings], **counts}, lines)
    if counts["problem"]:
        context.exit(1)
