"""pulih schedule: a Jadwal Back Up as a PDF, approved or not."""

from pathlib import Path

import click

from cli.completing import schedules
from cli.output import Output
from recovery.errors import FormError


@click.command("schedule")
@click.argument("name", shell_complete=schedules)
@click.option("--pdf", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where to write it.")
@click.pass_obj
def command(output: Output, name: str, pdf: Path) -> None:
    """Write the newest Jadwal Back Up NAME as a PDF/A: approved, or else marked as a draft that is not."""
    from recovery.procedures.schedule_printing import printed_schedule

    printed = printed_schedule(output.installation, name)
    try:
        pdf.write_bytes(printed.pdf)
    except OSError as error:
        raise FormError(
            f"{pdf} cannot be written ({error.strerror})",
            state="the schedule is as it was",
            hint="name a file in a directory that you may write to",
        ) from error
    document = {
        "schedule": name,
        "state": printed.approval.state,
        "number": printed.number,
        "version": printed.version,
        "pdf": str(pdf),
        "sha256": printed.sha256,
    }
    named = f"{printed.number} version {printed.version}" if printed.number else "a draft without a number"
    approved = "approved" if printed.approval.approved else f"NOT approved ({printed.approval.state})"
    output.show(document, [f"{pdf}: {named}, {approved}", f"SHA-256 {printed.sha256}"])
