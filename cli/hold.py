"""pulih hold: what is held is destroyed by no plan, however old it is."""

from typing import TYPE_CHECKING, Any

import click

from cli.completing import applications
from cli.output import Output, table
from recovery.calendar import format_moment
from recovery.errors import NotFoundError, PulihError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from recovery.records.holds import Hold


NOT_HELD = "nothing is held by this"


@click.group("hold")
def command() -> None:
    """Hold backups, end holds, and list them."""


@command.command("add")
@click.argument("target", shell_complete=applications)
@click.option("--reason", required=True, help="Why: the case, the audit, who asked for it.")
@click.pass_obj
def add(output: Output, target: str, reason: str) -> None:
    """Hold TARGET from now on: an application, application/component (their later backups, too), or one backup.

    The stores get a copy of the records that knows of it. Where none takes it the hold stands all the same.
    """
    from recovery.records import holds

    with output.installation.catalog.begin() as connection:
        hold = holds.add(connection, **_named(output, connection, target), reason=reason)
    output.show(_document(hold), [f"{hold.target} is held; end it by: pulih hold remove {hold.id[:8]} --reason …"])
    _copy_records(output, hold, f"{hold.target} is held all the same")


@command.command("remove")
@click.argument("hold")
@click.option("--reason", required=True, help="Why it ends.")
@click.pass_obj
def remove(output: Output, hold: str, reason: str) -> None:
    """End the hold with this id, or with the only id that begins so. The stores get a copy of the records."""
    from recovery.records import holds

    with output.installation.catalog.begin() as connection:
        ended = holds.remove(connection, hold, reason)
    output.show(_document(ended), [f"{ended.target} is held by this no more"])
    _copy_records(output, ended, "the hold has ended all the same")


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


def _copy_records(output: Output, hold: "Hold", state: str) -> None:
    """Put the records as they are now into the stores: of a hold, a rebuild knows nothing but what they say. Raises as
    back_up_records(), with what became of the hold."""
    from recovery.own_records import back_up_records

    try:
        back_up_records(output.installation, f"hold-{hold.id}", needs_prefect=False)
    except PulihError as error:
        error.state = f"{state}, and no store has a copy of the records that knows it"
        wait = "do not repeat this: the next procedure puts a copy, and until then no rebuild knows of it"
        error.hint = f"{error.hint}; {wait}" if error.hint else wait
        raise


def _named(output: Output, connection: "Connection", target: str) -> dict[str, str]:
    """What is held, by what was typed: also what the inventory names no more, as long as there are backups of it.

    Raises NotFoundError for what is none of that, and for a backup whose destruction has begun.
    """
    from recovery.records import backups, destructions
    from recovery.retention_own_records import KEY as OWN_RECORDS

    everything = backups.list_backups(connection)
    backup = next((each for each in everything if target in (each.name, each.id)), None)
    if backup is not None:
        try:
            destructions.refuse_destroyed(connection, backup)
        except NotFoundError as error:
            error.state = NOT_HELD
            raise
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
        state=NOT_HELD,
        hint="`pulih backups --all` lists names; a component is written application/component",
    )


def _document(hold: "Hold") -> dict[str, Any]:
    return {**vars(hold), "target": hold.target}
