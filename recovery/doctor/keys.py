"""Keys: there, of use, the right ones, and readable by nobody else."""

import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from recovery.crypto import public_fingerprint, recipient_of, split_pem
from recovery.doctor.finding import Finding, attempt
from recovery.errors import KeyMissingError, PulihError, SignatureError, StoreError
from recovery.guard.escrow import escrow_alarms, escrow_rotations
from recovery.installation import Installation
from recovery.keys_rotation import NEXT
from recovery.keys_succession import recorded_successions
from recovery.records import backups
from recovery.secrets import place_of


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
    yield from _rotations(installation)
    yield attempt("succession of signing keys", lambda: _successions(installation), "whole, and in every store")
    yield from _backups(installation)


def _rotations(installation: Installation) -> Iterator[Finding]:
    """What a rotation waits for: a line of the inventory, or a second call because the first one died."""
    keys = installation.keys
    with suppress(PulihError):  # said by the look at the key itself
        held = [recipient_of(identity) for identity in installation.operations_identities()]
        if keys.operations_recipient in held[1:]:
            yield Finding(
                "operations rotation",
                "warning",
                f"new backups still use the recipient before {held[0]}",
                f"write operations_recipient: {held[0]} into the inventory, then: pulih apply",
            )
    if keys.signing_key.startswith("file:"):
        path = place_of(keys.signing_key)
        if path.with_name(path.name + NEXT).exists():
            yield Finding(
                "signing rotation", "warning", "was begun and not finished", "run `pulih key rotate signing` again"
            )


def _successions(installation: Installation) -> None:
    """Every statement beside the key counts because of it, and lies in every store."""
    signer = installation.signer
    statements = recorded_successions(installation.keys.signing_key)
    trusted = split_pem(signer.trusted_pem)
    for statement in statements:
        if not {statement.old.encode(), statement.new.encode()} <= set(trusted):
            raise SignatureError(
                f"the statement about {public_fingerprint(statement.old.encode())} is not signed by a key that counts",
                hint="put back the file that `pulih key rotate signing` wrote beside the key; stores have copies",
            )
    for name in sorted(installation.stores):
        store = installation.store(name)
        for statement in statements:
            if not store.exists(statement.key):
                raise StoreError(
                    f"the store {name} lacks {statement.key}",
                    hint="run `pulih key rotate signing` again if a rotation died; else copy it from another store",
                )
            if store.read(statement.key) != statement.to_bytes():
                raise StoreError(
                    f"{statement.key} in the store {name} is another statement than the one beside the key",
                    hint="somebody put it there by hand: find out who; the one beside the key counts",
                )


def _backups(installation: Installation) -> Iterator[Finding]:
    """Whether what is in the stores can be opened with what is held, and which escrow identities must be kept."""
    try:
        held = {recipient_of(identity) for identity in installation.operations_identities()}
        with installation.catalog.read() as connection:
            secured = [each for each in backups.list_backups(connection) if each.state == "secured"]
            strange = escrow_alarms(installation, connection)
            rotated = {entry.facts["old"] for entry in escrow_rotations(connection)}
    except PulihError:
        return  # said by the looks at the key and at the catalog
    lost = [each for each in secured if not held & set(each.facts["recipients"])]
    for backup in lost:
        yield Finding(
            f"backup {backup.name}",
            "problem",
            "no operations identity that is held opens it",
            f"add the identity of one of {', '.join(backup.facts['recipients'])} to the operations identities",
        )
    if secured and not lost:
        yield Finding("recipients of backups", "ok", f"all {len(secured)} can be opened")
    for alarm in strange:
        yield Finding(f"escrow of {alarm.subject}", "problem", alarm.message, alarm.mend)
    current = {installation.keys.operations_recipient, installation.keys.escrow_recipient}
    earlier = {recipient for each in secured for recipient in each.facts["recipients"]} - held - current
    for recipient in sorted(earlier):
        count = sum(recipient in each.facts["recipients"] for each in secured)
        message = f"{recipient} still opens {count} backups: keep it in the safe"
        if recipient in rotated:
            yield Finding("earlier escrow identity", "ok", message)
        else:
            mend = "if it was never this office's, somebody else reads those backups: find out who"
            yield Finding("earlier escrow identity", "warning", f"{message}; no rotation of it is on record", mend)


def _operations_identity(installation: Installation) -> None:
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
