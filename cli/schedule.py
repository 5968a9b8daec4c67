"""pulih schedule: a Jadwal Back Up as a PDF, to be approved."""

from pathlib import Path

import click

from cli.output import Output
from recovery.errors import FormError


@click.command("schedule")
@click.argument("name")
@click.option("--pdf", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where to write it.")
@click.pass_obj
def command(output: Output, name: str, pdf: Path) -> None:
    """Write the Jadwal Back Up NAME as a PDF/A, from the inventory, for the official who approves it."""
    from recovery.procedures.schedule_document import render_schedule

    rendered = render_schedule(output.installation, name)
    try:
        pdf.write_bytes(rendered.pdf)
    except OSError as error:
        raise FormError(
            f"{pdf} cannot be written ({error.strerror})",
            state="the schedule is as it was",
            hint="name a file in a directory that you may write to",
        ) from error
    output.show({"schedule": name, "pdf": str(pdf), "sha256": rendered.sha256}, [f"{pdf}: SHA-256 {rendered.sha256}"])
