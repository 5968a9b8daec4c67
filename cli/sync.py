"""pulih sync: put into each store what it lacks of the other."""

from typing import TYPE_CHECKING

import click

from cli.completing import store_names
from cli.output import Output

if TYPE_CHECKING:
    from recovery.sync import Synced

WORDS = {
    "set": "set",
    "records": "records",
    "lock": "lock of records",
    "form": "form",
    "head": "ledger head",
    "key": "statement of a signing key",
    "guide": "guide",
}


@click.command("sync")
@click.option("--store", default="", shell_complete=store_names, help="Only what this store lacks.")
@click.option("--dry-run", is_flag=True, help="Only say what is missing.")
@click.pass_obj
def command(output: Output, store: str, dry_run: bool) -> None:
    """Copy sets, forms, heads of the ledger and RESTORE.md that one store has and another lacks.

    Each is checked before and after. A backup of which a copy was missing is secured once all copies match. Own records
    that a store did not lock are locked. Nothing is overwritten or removed; repeating it puts nothing more.
    """
    # Here, because help must not cost the import of everything.
    from recovery.sync import sync

    synced = sync(output.installation, store_name=store, dry_run=dry_run)
    output.show(synced.to_json(), _lines(synced))
    if synced.error:
        raise synced.error


def _lines(synced: "Synced") -> list[str]:
    lines = []
    for missing in synced.missing:
        done = "put" if missing in synced.put else "missing"
        lines.append(f"{missing.store}: {WORDS[missing.kind]} {missing.subject} {done}")
    lines += [f"{trouble.store}: {trouble.subject}: {trouble.message}" for trouble in synced.troubles]
    return [*lines, f"{len(synced.missing)} missing, {len(synced.put)} put, {len(synced.troubles)} troubles"]
