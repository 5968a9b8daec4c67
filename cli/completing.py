"""What the shell completes: names from the inventory and the catalog. Whatever goes wrong, nothing is offered."""

from collections.abc import Callable, Iterable

import click

from cli.output import Output

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _quietly(names: Callable[[Output], Iterable[str]]) -> Complete:
    """Return a completer of these names; a prompt is no place for an error."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        output = context.find_object(Output)
        try:
            found = sorted(set(names(output))) if output is not None else []
        except Exception:  # noqa: BLE001 — the person is still typing; the verb itself will say what is wrong
            return []
        return [name for name in found if name.startswith(incomplete)]

    return complete


def _backups(output: Output) -> list[str]:
    from recovery.records.backups import list_backups

    with output.installation.catalog.read() as connection:
        found = [backup for backup in list_backups(connection) if backup.stores and backup.state != "destroyed"]
    return [backup.name for backup in found if backup.name]


def _procedures(output: Output) -> list[str]:
    from recovery.records.procedures import list_all

    with output.installation.catalog.read() as connection:
        return [procedure.id for procedure in list_all(connection)]


def _components(output: Output) -> list[str]:
    found = output.inventory.applications
    return [f"{each.name}/{component.name}" for each in found for component in each.components]


applications = _quietly(lambda output: (each.name for each in output.inventory.applications))
schedules = _quietly(lambda output: (each.name for each in output.inventory.schedules))
host_names = _quietly(lambda output: (each.name for each in output.inventory.hosts))
store_names = _quietly(lambda output: (each.name for each in output.inventory.stores))
component_names = _quietly(_components)
nips = _quietly(lambda output: (each.nip for each in output.inventory.officials))
backup_names = _quietly(_backups)
procedure_ids = _quietly(_procedures)
backups_and_procedures = _quietly(lambda output: [*_backups(output), *_procedures(output)])
