"""pulih key: make keys, change them, look whether they are in order, and print the sheet for the safe."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import Output
from recovery.errors import ConfigurationError, KeyMissingError

if TYPE_CHECKING:
    from recovery.keys_rotation import Rotation

KINDS = ("operations", "escrow", "signing", "enrolment")


@click.group("key")
def command() -> None:
    """Make, change, check and describe the installation's keys."""


@command.command("new")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--only", type=click.Choice(KINDS), multiple=True, help="Only this kind of key; may be repeated.")
@click.pass_obj
def new(output: Output, directory: Path, only: tuple[str, ...]) -> None:
    """Make the keys of a new installation as files in DIRECTORY, and print what the inventory needs.

    Needs no inventory. A file that is there is left as it is. Nothing secret is printed.
    """
    from recovery.keys import inventory_lines, make_keys

    keys = make_keys(directory, only or KINDS)
    rows = [{"kind": key.kind, "file": str(key.path), "public": key.public, "made": key.made} for key in keys]
    lines = [
        f"{key.path}: {'new' if key.made else 'was there already, left as it is'}{key.public and f', {key.public}'}"
        for key in keys
    ]
    wanted = inventory_lines(keys)
    lines += ["", "for the inventory:", "keys:", *(f"  {line}" for line in wanted)] if wanted else []
    if any(key.kind == "escrow" for key in keys):
        lines += ["", "move escrow.txt to a medium that goes into the safe; the installation does not need it"]
    output.show({"keys": rows, "inventory": wanted}, lines)


@command.command("rotate")
@click.argument("kind", type=click.Choice(("operations", "escrow", "signing")))
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), help="escrow: the file to make, on a medium for the safe."
)
@click.pass_obj
def rotate(output: Output, kind: str, to: Path | None) -> None:
    """Change the key KIND for new backups; old ones stay readable. A call that died is repeated as it was."""
    from recovery.keys_rotation import rotate_escrow, rotate_operations, rotate_signing

    if (to is None) == (kind == "escrow"):
        raise ConfigurationError(
            "--to names the file of a new escrow identity, and of no other key",
            state="nothing was changed",
            hint="pulih key rotate escrow --to /media/safe/escrow-2.txt",
        )
    installation = output.installation
    if to is not None:
        rotation = rotate_escrow(installation, to.absolute())
    else:
        rotation = rotate_operations(installation) if kind == "operations" else rotate_signing(installation)
    output.show(
        {
            "kind": rotation.kind,
            "old": rotation.old,
            "new": rotation.new,
            "file": str(rotation.path),
            "inventory": rotation.inventory_line,
        },
        _told(rotation),
    )


def _told(rotation: "Rotation") -> list[str]:
    lines = [f"{rotation.kind}: {rotation.old}", f"  is followed by {rotation.new} in {rotation.path}"]
    if rotation.inventory_line:
        lines += [f"write into the inventory, section keys: {rotation.inventory_line}", "then: pulih apply"]
    else:
        lines.append("both keys signed that; every store has the statement, and one at least records of the new key")
    return [*lines, "then print the sheet for the safe anew: pulih key sheet --pdf FILE"]


@command.command("check")
@click.pass_obj
def check(output: Output) -> None:
    """Look whether every key is there, private, the right one, and opens every backup. Ends with 15 if not."""
    from recovery.doctor.keys import examine_keys

    findings = list(examine_keys(output.installation))
    lines = []
    for finding in findings:
        lines.append(f"{finding.state.upper():8} {finding.subject}: {finding.message}")
        if finding.mend:
            lines.append(f"         {finding.mend}")
    output.show([finding.to_json() for finding in findings], lines)
    problems = sum(finding.state == "problem" for finding in findings)
    if problems:
        raise KeyMissingError(
            f"the keys have {problems} problem{'s' if problems > 1 else ''}",
            state="nothing was changed",
            hint="mend what is listed, in its order; docs/keys.md tells more",
        )


@command.command("sheet")
@click.option("--pdf", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where to write it.")
@click.option(
    "--with-private-key",
    "private_key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the escrow identity, to be PRINTED on the sheet. Whoever sees it reads every backup.",
)
@click.pass_obj
def sheet(output: Output, pdf: Path, private_key: Path | None) -> None:
    """Write the escrow sheet for the safe: fingerprints, recipients, where things lie, how to restore.

    No private key is on it, unless --with-private-key names one: then the sheet alone opens every backup.
    """
    from recovery.keys_sheet import buckets, write_sheet

    installation = output.installation
    fingerprint = write_sheet(installation, pdf, private_key=private_key)
    lines = [f"{pdf}: the escrow sheet, with the signing key {fingerprint}"]
    for store in buckets(installation):
        authority = f", {store.ca_file}" if store.ca_file else ""
        lines.append(
            f"the safe needs copies of what leads to {store.name}: {store.access_key}, {store.secret_key}{authority}"
        )
    if private_key is not None:
        lines += [
            "",
            "WARNING: A PRIVATE KEY IS ON THIS SHEET. Whoever sees, photographs or copies it can read EVERY backup,",
            "with all personal data in it. Print it on a printer that stores nothing, seal it in an envelope, keep it",
            f"in the safe and nowhere else, and destroy the file: shred -u {pdf}",
        ]
    output.show({"pdf": str(pdf), "fingerprint": fingerprint, "with_private_key": private_key is not None}, lines)
