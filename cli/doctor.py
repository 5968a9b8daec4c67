"""pulih doctor: find what an installation gets wrong, and how to mend it."""

import os

import click

from cli.output import Output
from recovery.doctor import examine

MARKS = {"ok": "ok      ", "warning": "WARNING ", "problem": "PROBLEM "}
INDENT = " " * len(MARKS["ok"])


@click.command("doctor")
@click.pass_context
def command(context: click.Context) -> None:
    """Look at packages, keys, stores, catalog, officials, sources, services and server. Ends with 1 on a problem."""
    output: Output = context.obj
    findings = examine(output.inventory.installation(), os.environ.get("PREFECT_API_URL", ""))
    counts = {state: sum(finding.state == state for finding in findings) for state in MARKS}
    lines = []
    for finding in findings:
        lines.append(f"{MARKS[finding.state]}{finding.subject}: {finding.message}")
        lines += [f"{INDENT}HINT: {finding.mend}"] if finding.mend else []
    lines.append(f"{counts['problem']} problems, {counts['warning']} warnings, {counts['ok']} ok")
    output.show({"findings": [finding.to_json() for finding in findings], **counts}, lines)
    if counts["problem"]:
        context.exit(1)
