"""pulih ledger: the hash-chained record of everything that was done."""

import click

from cli.output import Output
from recovery.calendar import format_moment
from recovery.errors import LedgerError
from recovery.records import ledger


@click.group("ledger")
def command() -> None:
    """Verify and read the ledger."""


@command.command("verify")
@click.pass_obj
def verify(output: Output) -> None:
    """Check the chain, and compare it with the signed heads in the stores. Ends with 19 when anything is wrong."""
    installation = output.installation
    heads = [
        head
        for store_name in sorted(installation.stores)
        for head in ledger.read_heads(installation.store(store_name), installation.signer.public_pem)
    ]
    with installation.catalog.read() as connection:
        findings = ledger.verify(connection, heads)
        newest = ledger.head(connection)
    output.show(
        {"intact": not findings, "entries": newest.sequence, "head": newest.hash, "heads": len(heads), "findings": findings},
        [f"{newest.sequence} entries, {len(heads)} signed heads in the stores: " + ("intact" if not findings else "BROKEN"), *findings],
    )
    if findings:
        raise LedgerError(
            f"the ledger is broken in {len(findings)} places",
            state="nothing was changed",
            hint="keep the catalog as it is, compare it with its own backups, and tell the auditor",
        )


@command.command("show")
@click.option("--procedure", default="", help="Only entries of this procedure.")
@click.option("--last", default=50, show_default=True, help="How many entries at most.")
@click.pass_obj
def show(output: Output, procedure: str, last: int) -> None:
    """Print the newest entries, oldest first."""
    with output.installation.catalog.read() as connection:
        entries = ledger.entries(connection, procedure_id=procedure, last=last)
    output.show(
        [entry.to_json() for entry in entries],
        [f"{entry.sequence:6} {format_moment(entry.at)}  {entry.kind:20} {entry.step_id} {entry.component}".rstrip() for entry in entries],
    )
