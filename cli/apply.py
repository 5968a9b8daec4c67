"""pulih apply: make server, catalog and stores into what the inventory says."""

from pathlib import Path

import click

from cli.output import Output


@click.command("apply")
@click.argument("inventory", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--dry-run", is_flag=True, help="Show what would change and change nothing.")
@click.option("--prune", is_flag=True, help="Also remove what the inventory no longer names.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(output: Output, inventory: Path | None, dry_run: bool, prune: bool, yes: bool) -> None:
    """Compare, show the difference, ask, and apply. Repeating it changes nothing more."""
    if inventory is not None:
        output.inventory_path = inventory
    # Read first: an error in the inventory must not cost the seconds that Prefect's import takes.
    wanted = output.inventory
    from deployments.apply import apply
    from deployments.change import Change

    def ask(changes: list[Change]) -> None:
        if not output.as_json:
            for change in changes:
                click.echo(str(change))
        if changes and not dry_run and not yes:
            click.confirm("Apply?", abort=True)

    changes = apply(wanted, dry_run=dry_run, prune=prune, before=ask)
    data = {
        "dry_run": dry_run,
        "changes": [
            {"kind": change.kind, "name": change.name, "action": change.action, "details": list(change.details)}
            for change in changes
        ],
    }
    output.show(data, ["nothing to change" if not changes else ("nothing was changed (dry run)" if dry_run else "applied")])
