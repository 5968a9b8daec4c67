"""pulih backups: list backups, newest last."""

from typing import Any

import click

from cli.completing import applications
from cli.output import Output, table
from recovery.calendar import format_bytes, format_moment
from recovery.records import backups


@click.command("backups")
@click.argument("application", required=False, shell_complete=applications)
@click.option("--all", "everything", is_flag=True, help="Also those whose sets were destroyed.")
@click.pass_obj
def command(output: Output, application: str | None, everything: bool) -> None:
    """List the backups of an application, or of all, newest last. A backup counts when its state is "secured"."""
    if application is not None:
        output.installation.application(application)
    with output.installation.catalog.read() as connection:
        found = backups.list_backups(connection, application)
    found = [backup for backup in found if everything or backup.state != "destroyed"]
    rows = [
        [
            backup.key,
            format_moment(backup.moment),
            backup.state,
            backup.verdict or "–",
            format_bytes(_size(backup)),
            backup.name or f"– (id {backup.id})",
        ]
        for backup in found
    ]
    head = ["COMPONENT", "MOMENT", "STATE", "VERDICT", "SIZE", "NAME"]
    output.show([_document(backup) for backup in found], table(head, rows) if rows else ["no backups yet"])


def _document(backup: backups.Backup) -> dict[str, Any]:
    return {
        "id": backup.id,
        "name": backup.name,
        "application": backup.application,
        "component": backup.component,
        "moment": backup.moment,
        "state": backup.state,
        "verdict": backup.verdict,
        "bytes": _size(backup),
        "manifest_sha256": backup.manifest_sha256,
        "stores": list(backup.stores),
        "retention_until": backup.retention_until,
    }


def _size(backup: backups.Backup) -> int:
    """Bytes in each store that holds it."""
    return int(backup.facts["digests"]["cipher_size"])
