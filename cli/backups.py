"""pulih backups: list backups, newest last."""

import click

from cli.output import Output, table
from recovery.calendar import format_bytes, format_moment
from recovery.records import backups


@click.command("backups")
@click.argument("application", required=False)
@click.pass_obj
def command(output: Output, application: str | None) -> None:
    """List the backups of an application, or of all. A backup counts when its state is "secured"."""
    if application is not None:
        output.installation.application(application)
    with output.installation.catalog.read() as connection:
        found = backups.list_backups(connection, application)
    data = [
        {
            "id": backup.id,
            "name": backup.name,
            "application": backup.application,
            "component": backup.component,
            "moment": backup.moment,
            "state": backup.state,
            "verdict": backup.verdict,
            "bytes": backup.facts.get("digests", {}).get("cipher_size"),
            "manifest_sha256": backup.manifest_sha256,
            "stores": list(backup.stores),
            "retention_until": backup.retention_until,
        }
        for backup in found
    ]
    rows = [
        [
            backup.key,
            format_moment(backup.moment),
            backup.state,
            backup.verdict or "-",
            format_bytes(backup.facts.get("digests", {}).get("cipher_size", 0)),
            backup.name or "-",
        ]
        for backup in found
    ]
    output.show(
        data, table(["COMPONENT", "MOMENT", "STATE", "VERDICT", "SIZE", "NAME"], rows) if rows else ["no backups yet"]
    )
