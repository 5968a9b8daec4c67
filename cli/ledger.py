"""pulih ledger: the hash-chained record of everything that was done."""

import click

from cli.output import Output
from recovery.calendar import format_moment
from recovery.errors import LedgerError, SignatureError, StoreError
from recovery.records import backup_entries, destructions, ledger, ledger_heads


@click.group("ledger")
def command() -> None:
    """Verify and read the ledger."""


@command.command("verify")
@click.pass_obj
def verify(output: Output) -> None:
    """Check the chain, and compare it with the signed heads in the stores. Ends with 19 when anything is wrong."""
    installation = output.installation
    heads: list[ledger.Head] = []
    findings: list[str] = []
    unread: list[StoreError] = []
    for store_name in sorted(installation.stores):
        try:
            heads += ledger_heads.read_heads(installation.store(store_name), installation.signer.trusted_pem)
        except (SignatureError, LedgerError) as error:
            findings.append(f"store {store_name}: {error.message}")
        except StoreError as error:
            unread.append(error)
    with installation.catalog.read() as connection:
        findings += ledger.verify(connection, heads, installation.signer.trusted_pem)
        findings += destructions.verify(connection)
        findings += backup_entries.verify(connection)
        newest = ledger.head(connection)
    found = "BROKEN" if findings else "intact as far as it could be looked at" if unread else "intact"
    output.show(
        {
            "intact": not findings and not unread,
            "entries": newest.sequence,
            "head": newest.hash,
            "heads": len(heads),
            "findings": findings,
            "unread": [error.message for error in unread],
        },
        [f"{newest.sequence} entries, {len(heads)} signed heads in the stores: {found}", *findings],
    )
    if findings:
        count = "one place" if len(findings) == 1 else f"{len(findings)} places"
        raise LedgerError(
            f"the ledger is broken in {count}",
            state="nothing was changed",
            hint="keep the catalog as it is, compare it with its own backups, and tell the auditor",
        )
    if unread:
        raise unread[0]


@command.command("show")
@click.option("--procedure", default="", help="Only entries of the procedure with this id.")
@click.option("--last", default=50, show_default=True, type=click.IntRange(min=1), help="How many entries at most.")
@click.pass_obj
def show(output: Output, procedure: str, last: int) -> None:
    """Print the newest entries, oldest first."""
    with output.installation.catalog.read() as connection:
        entries = ledger.entries(connection, procedure_id=procedure, last=last)
    lines = [
        f"{entry.sequence:6} {format_moment(entry.at)}  {entry.kind:20} {entry.step_id} {entry.component}".rstrip()
        for entry in entries
    ]
    output.show([entry.to_json() for entry in entries], lines or ["no entries"])
