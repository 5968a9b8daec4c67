"""pulih doctor: find what an installation gets wrong, and how to mend it."""

import os

import click

from cli.output import Output
from recovery.doctor import examine

MARKS = {"ok": "ok      ", "warning": "WARNING ", "problem": "PROBLEM "}


@click.command("doctor")
@click.pass_context
def command(context: click.Context) -> None:
    """Look at packages, keys, stores, catalog, officials, sources, services and server. Ends with 1 on a problem."""
    output: Output = context.obj
    findings = examine(output.inventory.installation(), os.environ.get("PREFECT_API_URL", ""))
    lines = [
        f"{MARKS[finding.state]}{finding.subject}: {finding.message}" + (f"\n        HINT: {finding.mend}" if finding.mend else "")
        for finding in findings
    ]
    output.show([finding.to_json() for finding in findings], lines)
    if any(finding.state == "problem" for finding in findings):
        context.exit(1)
