"""pulih official: the devices of officials."""

import json
import time
from pathlib import Path

import click

from cli.completing import nips
from cli.output import Output, table
from recovery.errors import NotFoundError
from recovery.records import officials

# Beside the inventory of a demonstration, and of nothing else: the phones of people who do not exist.
DEMONSTRATION_PHONES = "ponsel-peraga.json"


@click.group("official")
def command() -> None:
    """List officials, enrol and revoke their devices."""


@command.command("list")
@click.pass_obj
def list_(output: Output) -> None:
    """List officials with roles and enrolment."""
    with output.installation.catalog.read() as connection:
        found = officials.list_all(connection)
    rows = [
        [official.nip, official.name, official.title, ", ".join(official.roles), _device(official)]
        for official in found
    ]
    data = [{**vars(official), "roles": list(official.roles), "enrolled": official.is_enrolled()} for official in found]
    head = ["NIP", "NAME", "POSITION", "ROLES", "DEVICE"]
    output.show(data, table(head, rows) if rows else ["no officials yet: name them in the inventory and apply"])


@command.command("enrol")
@click.argument("nip", shell_complete=nips)
@click.option(
    "--renew", is_flag=True, help="Replace the device of an official who is enrolled; the old one stops working."
)
@click.pass_obj
def enrol(output: Output, nip: str, renew: bool) -> None:
    """Show the QR code for the official's authenticator, once. Do it in the official's presence."""
    installation = output.installation
    enrolment = officials.enrol(installation.catalog, nip, installation.enrolment_key(), renew=renew)
    output.show(
        {"nip": nip, "uri": enrolment.uri},
        [
            officials.qr_terminal(enrolment.uri),
            "Scan it now: it is shown once and kept nowhere. Then clear the screen.",
        ],
    )


@command.command("revoke")
@click.argument("nip", shell_complete=nips)
@click.option("--reason", required=True, help="Why, for the ledger.")
@click.pass_obj
def revoke(output: Output, nip: str, reason: str) -> None:
    """Destroy the secret of an official's device, for instance after a transfer."""
    officials.revoke(output.installation.catalog, nip, reason=reason)
    output.show({"nip": nip, "revoked": True}, [f"the device of {nip} is revoked"])


@command.command("code")
@click.argument("nip", shell_complete=nips)
@click.pass_obj
def code(output: Output, nip: str) -> None:
    """Play the phone of one of the demonstration's officials. Real officials' codes are on their own devices only."""
    phones = _phones(output.inventory_path.parent / DEMONSTRATION_PHONES)
    if nip not in phones:
        raise NotFoundError(
            f"no demonstration official has the NIP {nip}",
            state="no code was made",
            hint=f"one of: {', '.join(sorted(phones))}",
        )
    import pyotp

    totp = pyotp.TOTP(phones[nip])
    left = totp.interval - int(time.time()) % totp.interval
    output.show({"nip": nip, "code": totp.now(), "seconds_left": left}, [f"{totp.now()}  (masih {left} detik)"])


def _phones(path: Path) -> dict[str, str]:
    if not path.exists():
        raise NotFoundError(
            "this installation is no demonstration",
            state="no code was made",
            hint="real officials' codes are on their own devices, and nowhere else",
        )
    phones: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return phones


def _device(official: officials.Official) -> str:
    if official.revoked_at:
        return "revoked"
    return "enrolled" if official.is_enrolled() else "NOT ENROLLED"
