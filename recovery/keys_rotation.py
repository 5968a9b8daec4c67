"""Changing keys: new backups use the new one, old backups stay readable, and a call that died is simply repeated."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from recovery.canonical import canonical_json
from recovery.crypto import (
    Signer,
    generate_identity,
    generate_signing_key,
    public_fingerprint,
    read_identities,
    recipient_of,
)
from recovery.durable import remove_file
from recovery.errors import KeyMissingError, PulihError
from recovery.installation import Installation
from recovery.keys import read_file
from recovery.keys_files import alone_with, file_of, replace, write_new
from recovery.keys_succession import Succession, beside, recorded_successions, state_succession
from recovery.own_records import back_up_records
from recovery.points import reached
from recovery.records import ledger
from recovery.records.schema import ledger as ledger_table
from recovery.restore_guide import put_restore_guide

ROTATED = "key.rotated"
NEXT = ".next"
RECORDS_OF = "key-rotation"  # what stands in the place of a procedure
NOT_SIGNED = "the new key is in use; the records that it is to sign are in no store as they are to be"


@dataclass(frozen=True)
class Rotation:
    """A key that was changed: public halves before and now, the file that holds the new one, and what is still to do:
    the inventory's line, empty when there is nothing to write there."""

    kind: str
    old: str
    new: str
    path: Path
    inventory_line: str


def rotate_operations(installation: Installation) -> Rotation:
    """Add a new operations identity before those that are held, and return its recipient for the inventory.

    Until the inventory has it new backups go to the recipient before; both are opened. A second call before that
    returns the same one. Raises KeyMissingError, ConfigurationError, ConflictError, StoreError.
    """
    keys = installation.keys
    path = file_of(keys.operations_identity, "operations identity")
    with alone_with(path):
        content = read_file(path)
        held = [recipient_of(identity) for identity in read_identities(content, str(path))]
        if keys.operations_recipient not in held:
            raise KeyMissingError(
                f"{path} does not hold the identity of {keys.operations_recipient}",
                state="nothing was changed",
                hint="add the identity of the inventory's operations recipient first: what it opened must stay open",
            )
        if held[0] == keys.operations_recipient:
            identity, recipient = generate_identity()
            replace(path, f"# public key: {recipient}\n{identity}\n".encode() + content.rstrip() + b"\n", like=path)
            held.insert(0, recipient)
        reached("key: identity added")
        rotation = Rotation("operations", keys.operations_recipient, held[0], path, f"operations_recipient: {held[0]}")
        _record(installation, rotation)
    return rotation


def rotate_escrow(installation: Installation, path: Path) -> Rotation:
    """Given a file to make, write a new escrow identity into it, and return its recipient for the inventory.

    The old one stays in the safe for as long as there are backups that it opens. A file that holds a new identity
    already, from a call that died, is taken. Raises KeyMissingError, StoreError.
    """
    keys = installation.keys
    with alone_with(path):
        if not path.exists():
            identity, recipient = generate_identity()
            write_new(path, f"# public key: {recipient}\n{identity}\n".encode())
        reached("key: identity made")
        new = recipient_of(read_identities(read_file(path), str(path))[0])
        held = [recipient_of(identity) for identity in installation.operations_identities()]
        if new in (keys.escrow_recipient, *held):
            raise KeyMissingError(
                f"{path} holds an identity that is in use already",
                state="nothing was changed",
                hint="name a file that is not there yet, on a medium that goes into the safe",
            )
        rotation = Rotation("escrow", keys.escrow_recipient, new, path, f"escrow_recipient: {new}")
        _record(installation, rotation)
    return rotation


def rotate_signing(installation: Installation) -> Rotation:
    """Make a new signing key, let both keys sign that it follows the one before, and put it in that one's place.

    The statement lies beside the key and in every store before the new key is used; the old private key is gone then.
    At last the new key signs a set of the installation's records into the stores: a rebuild begins from what the newest
    key signed. Raises KeyMissingError, ConfigurationError, ConflictError, StoreError, RecordsError; the old key is in
    use until all but the records was written. A call that died is finished by the next one, which makes no other key.
    """
    path = file_of(installation.keys.signing_key, "signing key")
    coming = path.with_name(path.name + NEXT)
    with alone_with(path):
        rotation = _exchanged(installation, path, coming) or _exchange(installation, path, coming)
        vars(installation).pop("signer", None)  # whoever signs next in this process signs with the new key
        try:
            back_up_records(installation, RECORDS_OF, needs_prefect=False)
        except PulihError as error:
            error.state = NOT_SIGNED
            error.hint = f"{error.hint}; then `pulih key rotate signing` again: it makes no other key"
            raise
        remove_file(coming)
    return rotation


def _exchanged(installation: Installation, path: Path, coming: Path) -> Rotation | None:
    """The rotation of a call that died when the key was in its place already; None when there is none."""
    if not coming.exists():
        return None
    key = Signer.from_pem(read_file(path), str(path))
    if Signer.from_pem(read_file(coming), str(coming)).fingerprint != key.fingerprint:
        return None
    known = recorded_successions(installation.keys.signing_key)
    before = next((each.old for each in known if each.new == key.public_pem.decode()), None)
    if before is None:
        raise KeyMissingError(
            f"{beside(path)} does not say which key the one in {path} follows",
            state=NOT_SIGNED,
            hint="put back what `pulih key rotate signing` wrote (every store holds a copy in its folder kunci) and "
            "call it again",
        )
    return Rotation("signing", public_fingerprint(before.encode()), key.fingerprint, path, "")


def _exchange(installation: Installation, path: Path, coming: Path) -> Rotation:
    """Exchange the key, and leave the new one under its other name, too: what is to be done yet is known by that."""
    old = Signer.from_pem(read_file(path), str(path))
    if not coming.exists():
        write_new(coming, generate_signing_key(), like=path)
    reached("key: signing key made")
    new = Signer.from_pem(read_file(coming), str(coming))
    statement = _stated(installation, path, old, new)
    reached("key: succession stated")
    for name in sorted(installation.stores):
        store = installation.store(name)
        store.put_bytes(statement.key, statement.to_bytes())
        put_restore_guide(store, new.public_pem)
        reached("key: succession in a store")
    rotation = Rotation("signing", old.fingerprint, new.fingerprint, path, "")
    _record(installation, rotation)
    reached("key: before the signing key is exchanged")
    replace(path, read_file(coming), like=path)
    return rotation


def _stated(installation: Installation, path: Path, old: Signer, new: Signer) -> Succession:
    """The statement about these two keys: of the call that died, or a new one, written beside the key."""
    known = recorded_successions(installation.keys.signing_key)
    for statement in known:
        if statement.new == new.public_pem.decode():
            return statement
    statement = state_succession(old, new)
    lines = b"".join(each.to_bytes() + b"\n" for each in [statement, *known])
    replace(beside(path), lines, like=path)
    return statement


def _record(installation: Installation, rotation: Rotation) -> None:
    """Record a rotation in the ledger, once."""
    facts = {"key": rotation.kind, "old": rotation.old, "new": rotation.new}
    recorded = select(ledger_table.c.sequence).where(
        ledger_table.c.kind == ROTATED, ledger_table.c.facts == canonical_json(facts).decode()
    )
    with installation.catalog.begin() as connection:
        if connection.execute(recorded).first() is None:
            ledger.append(connection, ROTATED, facts)
    reached("key: rotation recorded")
