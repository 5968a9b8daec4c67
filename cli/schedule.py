"""pulih schedule: a Jadwal Back Up as a PDF, to be approved."""

from pathlib import Path

import click

from cli.output import Output


@click.command("schedule")
@click.argument("name")
@click.option("--pdf", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where to write it.")
@click.pass_obj
def command(output: Output, name: str, pdf: Path) -> None:
    """Write the Jadwal Back Up NAME as a PDF/A, from the inventory, for the official who approves it."""
    from recovery.procedures.schedule_document import render_schedule

    rendered = render_schedule(output.installation, name)
    pdf.write_bytes(rendered.pdf)
    output.show({"schedule": name, "pdf": str(pdf), "sha256": rendered.sha256}, [f"{pdf}: SHA-256 {rendered.sha256}"])
