"""pulih rebuild: an installation from a store, an identity and the fingerprint on the escrow sheet."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from cli.output import Output
from recovery.errors import ConfigurationError

if TYPE_CHECKING:
    from recovery.rebuild import Rebuilt
    from recovery.settings import StoreSettings


@click.command("rebuild")
@click.option("--from", "place", required=True, help="The store: a directory's path, s3://BUCKET[/PREFIX], or a name.")
@click.option(
    "--identity",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File of the escrow identity, or of an operations identity.",
)
@click.option("--fingerprint", required=True, help="Of the signing key, from the escrow sheet: SHA256:…")
@click.option(
    "--to",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="A new directory, in which everything is made.",
)
@click.option("--store", "store_name", default="", help="What the inventory calls this store, if it names several.")
@click.option(
    "--catalog",
    default="",
    help="Reference to the URL of the catalog's database (file:/…, env:…), or sqlite; else as the records have it.",
)
@click.option(
    "--setting", "pairs", multiple=True, help="Of the store, NAME=VALUE, as in the inventory; may be repeated."
)
@click.pass_obj
def command(
    output: Output,
    place: str,
    identity: Path,
    fingerprint: str,
    directory: Path,
    store_name: str,
    catalog: str,
    pairs: tuple[str, ...],
) -> None:
    """Rebuild catalog, ledger, inventory and keys in a new directory, and list all that cannot be proven.

    Needs no inventory, no catalog and no server. Ends with 0 also when something cannot be proven: read the list.
    """
    from recovery.rebuild import rebuild

    settings = _store(output, place, pairs)
    done = rebuild(settings, directory, fingerprint, identity, store_name=store_name, catalog=catalog)
    output.show(done.to_json(), _told(done))


def _store(output: Output, place: str, pairs: tuple[str, ...]) -> "StoreSettings":
    from pydantic import ValidationError

    from recovery.inventory_stores import bucket_rules
    from recovery.settings import StoreSettings

    if "/" not in place:
        return _of_inventory(output, place)
    given = dict(pair.partition("=")[::2] for pair in pairs)
    if place.startswith("s3://"):
        parts = urlsplit(place)
        where = {"kind": "s3", "bucket": parts.netloc, "prefix": parts.path.strip("/")}
    else:
        where = {"kind": "directory", "path": str(Path(place).absolute())}
    try:
        settings = StoreSettings.model_validate({"name": "utama", **where, **given})
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    else:
        wrong = [f"{each.location[-1]}: {each.message}" for each in bucket_rules({0: settings})]
        if not wrong:
            return settings
    raise ConfigurationError(
        f"the store cannot be opened like this: {'; '.join(wrong)}",
        state="nothing was read or written",
        hint="give each as the inventory has it: --setting endpoint=https://… --setting access_key=file:/…",
    )


def _of_inventory(output: Output, name: str) -> "StoreSettings":
    """A store of the inventory, where one is left."""
    stores = {store.name: store for store in output.inventory.stores}
    if name not in stores:
        raise ConfigurationError(
            f"the inventory has no store named {name!r}",
            state="nothing was read or written",
            hint=f"name one of {', '.join(stores)}, or the path of a directory, which has a / in it",
        )
    return stores[name]


def _told(done: "Rebuilt") -> list[str]:
    lines = [
        f"{done.sets} sets are proven by their signature, {done.added} of them were not in the records",
        f"the catalog comes from {done.source}; the ledger goes on at entry {done.ledger_sequence}",
        f"catalog: {done.catalog}",
        f"{done.forms} forms were fetched back",
        f"inventory: {done.inventory}"
        if done.inventory
        else f"inventory: none could be read; write one with state_directory: {done.directory}/state",
        f"signing key: {done.fingerprint}",
    ]
    if done.to_do:
        lines += ["", "still to do:", *(f"  - {each}" for each in done.to_do)]
    if done.unproven:
        lines += ["", f"NOT PROVEN ({len(done.unproven)}):", *(f"  - {each}" for each in done.unproven)]
    else:
        lines += ["", "everything in the store is proven"]
    return lines
