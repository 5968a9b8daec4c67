"""pulih apply: make server, catalog and stores into what the inventory says."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import Output

if TYPE_CHECKING:
    from deployments.change import Change


@click.command("apply")
@click.argument("inventory", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--dry-run", is_flag=True, help="Show what would change and change nothing.")
@click.option("--prune", is_flag=True, help="Also remove what the inventory no longer names.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(output: Output, inventory: Path | None, dry_run: bool, prune: bool, yes: bool) -> None:
    """Compare, show the difference, ask, and apply. Repeating it changes nothing more."""
    if output.as_json and not dry_run and not yes:
        raise click.UsageError("with --json nobody can be asked: add --yes, or --dry-run")
    if inventory is not None:
        output.inventory_path = inventory
    # Read first: an error in the inventory must not cost the seconds that Prefect's import takes.
    wanted = output.inventory
    from deployments.apply import apply

    def ask(changes: "list[Change]") -> None:
        output.say(str(change) for change in changes)
        if _made(changes) and not dry_run and not yes:
            _confirm()

    changes = apply(wanted, dry_run=dry_run, prune=prune, before=ask)
    data = {
        "dry_run": dry_run,
        "changes": [
            {"kind": change.kind, "name": change.name, "action": change.action, "details": list(change.details)}
            for change in changes
        ],
    }
    output.show(data, [_summary(changes, dry_run)])


def _made(changes: "list[Change]") -> "list[Change]":
    """Return the changes that do something; what is only left as it is needs no consent."""
    return [change for change in changes if change.action != "leave"]


def _confirm() -> None:
    try:
        agreed = click.confirm("Apply?", err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise click.UsageError("nobody answered, so nothing was changed: add --yes, or --dry-run") from abort
        raise
    if not agreed:
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(1)


def _summary(changes: "list[Change]", dry_run: bool) -> str:
    made = len(_made(changes))
    if made == 0:
        return "nothing to change"
    return f"{made} changes; nothing was changed (dry run)" if dry_run else f"applied {made} changes"
