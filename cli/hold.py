"""pulih hold: what is held is destroyed by no plan, however old it is."""

from typing import TYPE_CHECKING, Any

import click

from cli.completing import applications
from cli.output import Output, table
from recovery.calendar import format_moment
from recovery.errors import NotFoundError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from recovery.records.holds import Hold


@click.group("hold")
def command() -> None:
    """Hold backups, end holds, and list them."""


@command.command("add")
@click.argument("target", shell_complete=applications)
@click.option("--reason", required=True, help="Why: the case, the audit, who asked for it.")
@click.pass_obj
def add(output: Output, target: str, reason: str) -> None:
    """Hold TARGET from now on: an application, application/component (their later backups, too), or one backup."""
    from recovery.records import holds

    with output.installation.catalog.begin() as connection:
        hold = holds.add(connection, **_named(output, connection, target), reason=reason)
    output.show(_document(hold), [f"{hold.target} is held; end it by: pulih hold remove {hold.id[:8]} --reason …"])


@command.command("remove")
@click.argument("hold")
@click.option("--reason", required=True, help="Why it ends.")
@click.pass_obj
def remove(output: Output, hold: str, reason: str) -> None:
    """End the hold with this id, or with the only id that begins so."""
    from recovery.records import holds

    with output.installation.catalog.begin() as connection:
        ended = holds.remove(connection, hold, reason)
    output.show(_document(ended), [f"{ended.target} is held by this no more"])


@command.command("list")
@click.option("--all", "ended", is_flag=True, help="Also those that are over.")
@click.pass_obj
def list_(output: Output, ended: bool) -> None:
    """List the holds in force, oldest first."""
    from recovery.records import holds

    with output.installation.catalog.read() as connection:
        found = holds.list_holds(connection, ended=ended)
    rows = [
        [each.id[:8], each.target, format_moment(each.added_at), format_moment(each.removed_at), each.reason]
        for each in found
    ]
    head = ["ID", "HELD", "SINCE", "ENDED", "REASON"]
    output.show([_document(each) for each in found], table(head, rows) if rows else ["nothing is held"])


def _named(output: Output, connection: "Connection", target: str) -> dict[str, str]:
    """What is held, by what was typed: also what the inventory names no more, as long as there are backups of it."""
    from recovery.records import backups
    from recovery.retention_own_records import KEY as OWN_RECORDS

    everything = backups.list_backups(connection)
    backup = next((each for each in everything if target in (each.name, each.id)), None)
    if backup is not None:
        return {"application": backup.application, "component": "", "backup_id": backup.id}
    application, slash, component = target.partition("/")
    known = {each.key for each in everything} | {
        f"{each.name}/{part.name}" for each in output.inventory.applications for part in each.components
    }
    known.add(OWN_RECORDS)
    if target in known or (not slash and application in {key.partition("/")[0] for key in known}):
        return {"application": application, "component": component}
    raise NotFoundError(
        f"neither an application, nor a component, nor a backup is called {target!r}",
        state="nothing is held by this",
        hint="`pulih backups --all` lists names; a component is written application/component",
    )


def _document(hold: "Hold") -> dict[str, Any]:
    return {**vars(hold), "target": hold.target}
