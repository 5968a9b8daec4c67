"""pulih verify: read a backup's set in its stores again and check signature and every byte."""

import click

from cli.output import Output
from recovery.errors import NotFoundError
from recovery.records import backups
from recovery.sets import open_set, set_prefix


@click.command("verify")
@click.argument("name")
@click.pass_obj
def command(output: Output, name: str) -> None:
    """Check the backup NAME in every store that holds it: signature, manifest, SHA-256 of every part.

    This does not load the data again; a restore's rehearsal does.
    """
    installation = output.installation
    with installation.catalog.read() as connection:
        backup = backups.by_name(connection, name)
    if backup is None or not backup.stores:
        raise NotFoundError(f"no backup in a store has the name {name!r}", hint="`pulih backups` lists them")
    for store_name in backup.stores:
        found = open_set(
            installation.store(store_name),
            set_prefix(backup.unit, backup.application, name),
            installation.signer.public_pem,
            application=backup.application,
            component=backup.component,
            manifest_sha256=backup.manifest_sha256,
        )
        found.check_parts()
    output.show(
        {"name": name, "verdict": "pass", "stores": list(backup.stores)},
        [f"{name}: signature and every byte are as recorded, in {', '.join(backup.stores)}"],
    )
