"""Keys: there, of use, the right ones, and readable by nobody else."""

import stat
from collections.abc import Iterator
from pathlib import Path

from recovery.doctor.finding import Finding, attempt
from recovery.errors import KeyMissingError
from recovery.installation import Installation


def examine_keys(installation: Installation) -> Iterator[Finding]:
    """Yield whether each key can be used, and whether others can read its file."""
    keys = installation.keys
    for name, reference, use in (
        ("signing key", keys.signing_key, lambda: installation.signer),
        ("operations identity", keys.operations_identity, lambda: _operations_identity(installation)),
        ("enrolment key", keys.enrolment_key, installation.enrolment_key),
    ):
        yield attempt(name, use, "readable and of use")
        if reference.startswith("file:"):
            yield from only_the_owner_reads(name, Path(reference.removeprefix("file:")))
    if keys.operations_recipient == keys.escrow_recipient:
        yield Finding(
            "escrow recipient", "problem", "is the operations recipient", "make a second key and put it into escrow"
        )


def _operations_identity(installation: Installation) -> None:
    from recovery.crypto import recipient_of

    recipients = [recipient_of(identity) for identity in installation.operations_identities()]
    if installation.keys.operations_recipient not in recipients:
        # Backups would go on well, and no restore could open one.
        raise KeyMissingError(
            f"it opens what is encrypted for {', '.join(recipients)} and not for the operations recipient",
            hint="put the right identity there, or its recipient into the inventory",
        )


def only_the_owner_reads(name: str, path: Path) -> Iterator[Finding]:
    """Yield the problem that others can read a file, if they can."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return  # said by the look at the key itself
    if mode & 0o077:
        yield Finding(f"{name} file", "problem", f"others can read {path}", f"chmod 600 {path}")
