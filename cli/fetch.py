"""pulih fetch: take a set out of a store, checked and decrypted, as files."""

from dataclasses import asdict
from pathlib import Path

import click

from cli.completing import backup_names, store_names
from cli.output import Output
from recovery.calendar import format_bytes, format_moment


@click.command("fetch")
@click.argument("name", shell_complete=backup_names)
@click.option(
    "--to",
    "parent",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Where the directory with the backup's name is made.",
)
@click.option("--store", default="", shell_complete=store_names, help="From which store; else the first good copy.")
@click.option("--encrypted", is_flag=True, help="Fetch the objects as they are, to send them elsewhere.")
@click.pass_obj
def command(output: Output, name: str, parent: Path, store: str, encrypted: bool) -> None:
    """Write the backup NAME as plain dumps into a new directory, after checking signature and every digest.

    The live data is not touched. Nothing is overwritten, and an interrupted fetch leaves nothing under the name.
    """
    # Here, because help must not cost the import of everything.
    from recovery.fetching import fetch

    fetched = fetch(output.installation, name, parent, store_name=store, encrypted=encrypted)
    data = {**asdict(fetched), "directory": str(fetched.directory), "files": [asdict(file) for file in fetched.files]}
    lines = [
        f"{fetched.directory / file.file}: {format_bytes(file.bytes)}, SHA-256 {file.sha256}" for file in fetched.files
    ]
    lines.append(f"from {fetched.store}, of {format_moment(fetched.moment)}: signature and every digest are right")
    if not encrypted:
        lines.append("this is plain data: keep it where nobody else reads, and remove it when it is no longer needed")
    output.show(data, lines)
