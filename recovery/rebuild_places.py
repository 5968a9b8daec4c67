"""What a rebuilt installation needs beside its catalog: keys, and an inventory that names its new places."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from recovery.crypto import Signer, read_identities, recipient_of, split_pem
from recovery.errors import ConfigurationError
from recovery.keys import make_keys, read_file
from recovery.keys_files import replace, write_new
from recovery.keys_succession import Succession, beside, state_succession, trusted_keys
from recovery.own_records_configuration import INVENTORY, as_text, resolved
from recovery.rebuild_target import NEW_ENROLMENT, STATE
from recovery.settings import StoreSettings

KEYS = "keys"
ENROLMENT_KEY = "enrolment.key"
DEFAULT_STORE_NAME = "utama"
# Of a store, what nobody has to give so that it is read: it stays as recorded, a lock above all.
NOT_NEEDED = frozenset(
    {
        "lock",
        "without_lock",
        "removal_access_key",
        "removal_secret_key",
        "connect_timeout",
        "answer_timeout",
        "attempts",
    }
)


@dataclass
class Keys:
    """The new installation's keys: who signs, the statements beside that key, recipients, and what is left to do."""

    directory: Path
    signer: Signer
    successions: list[Succession]
    operations_recipient: str
    to_do: list[str] = field(default_factory=list)


def prepare_keys(
    directory: Path,
    trusted_pem: bytes,
    successions: list[Succession],
    identity_file: Path,
    records: Path | None,
) -> Keys:
    """Given trusted keys, the statements that count, an identity and the unpacked records, put the keys in place. The
    state directory is there.

    Keys that lie there already (brought from the safe) are used. A new signing key vouches for the lost one, whose
    fingerprint the administrator typed from the sheet; a new operations identity comes before the one in hand when
    that is not the operations identity of the inventory. Raises KeyMissingError, StoreError.
    """
    folder = directory / KEYS
    made_enrolment = directory / STATE / NEW_ENROLMENT
    if not (folder / ENROLMENT_KEY).exists():
        # Before it is made: whoever repeats a call that died finds the key there, and is to be told all the same.
        replace(made_enrolment, b"", like=made_enrolment)
    signing, _enrolment = make_keys(folder, ["signing", "enrolment"])
    to_do = []
    signer = Signer.from_pem(read_file(signing.path), str(signing.path))
    sheet = split_pem(trusted_pem)[0]
    statements = list(successions)
    if signer.public_pem not in split_pem(trusted_pem):
        statements.insert(0, _adoption(sheet, signer, beside(signing.path)))
        to_do.append("the signing key is a new one: print the escrow sheet anew (pulih key sheet)")
    lines = b"".join(each.to_bytes() + b"\n" for each in statements)
    replace(beside(signing.path), lines, like=signing.path)
    if made_enrolment.exists():
        to_do.append(
            "the enrolment key is a new one: every official enrols again (pulih official enrol NIP --renew), and every "
            "schedule is approved again; bring the old key from the safe and rebuild again if there is one"
        )
    recipient = _operations(folder / "operations.txt", identity_file, records, to_do)
    trusted = trusted_keys(signer.public_pem, statements)
    return Keys(folder, signer.trusting(trusted), statements, recipient, to_do)


def _adoption(lost: bytes, signer: Signer, path: Path) -> Succession:
    """The statement about the lost key: that of a call that died, or a new one."""
    if path.exists():
        for line in path.read_bytes().splitlines():
            statement = Succession.from_bytes(line, str(path))
            if (statement.old.encode(), statement.new.encode()) == (lost, signer.public_pem):
                return statement
    return state_succession(lost, signer)


def _operations(path: Path, identity_file: Path, records: Path | None, to_do: list[str]) -> str:
    """Put the operations identities in place; return the recipient for new backups."""
    given = read_file(identity_file)
    recorded = "" if records is None else str(_inventory(records)["keys"]["operations_recipient"])
    held = [recipient_of(each) for each in read_identities(given, str(identity_file))]
    if path.exists():  # of a call that died, or brought from the safe
        content = read_file(path)
        there = [recipient_of(each) for each in read_identities(content, str(path))]
        if recorded and recorded not in there and not set(held) <= set(there):
            # The call that died had made a new one, and not yet added the one in hand, which opens the store.
            replace(path, content.rstrip() + b"\n" + given, like=path)
            there += held
        held = there
    elif recorded in held or not recorded:
        write_new(path, given)
    else:
        new = make_keys(path.parent, ["operations"])[0]
        replace(path, read_file(new.path).rstrip() + b"\n" + given, like=path)
        held.insert(0, new.public)
    if recorded in held:
        return recorded
    to_do.append(
        f"new backups are for a new operations identity, {held[0]}; the one that opened the store stays in {path} "
        "for as long as old backups do"
    )
    return held[0]


def choose_store_name(records: Path | None, given: str) -> str:
    """Given the unpacked records and what the caller calls the store, return its name. Raises ConfigurationError."""
    if records is None:
        return given or DEFAULT_STORE_NAME
    names = [str(each["name"]) for each in _inventory(records)["stores"]]
    if given in names:
        return given
    if given or len(names) != 1:
        raise ConfigurationError(
            f"the inventory has the stores {', '.join(names)}" + (f" and none named {given}" if given else ""),
            state="no catalog was made",
            hint=f"say which of them it is: --store {names[0]}",
        )
    return names[0]


def write_inventory(
    directory: Path, records: Path, keys: Keys, settings: StoreSettings, store_name: str, catalog: str | None = None
) -> Path:
    """Given the unpacked records and the new places (`catalog`: the reference to its URL; None: it is in the state
    directory), write the inventory that uses them, and return its path; what it lacks is added to `keys.to_do`."""
    document = resolved(_inventory(records), records)
    # The state is here until somebody moves it, and Prefect's database may be gone with its machine.
    prefect_database = document["office"].get("prefect_database")
    if prefect_database:
        keys.to_do.append(
            f"the inventory names no database of Prefect's any more (it was {prefect_database}), so it is in no set of "
            "records: when a server runs again, write office.prefect_database into it, then: pulih apply"
        )
    document["office"] |= {"state_directory": str(directory / "state"), "catalog": catalog, "prefect_database": None}
    document["keys"] |= {
        "operations_recipient": keys.operations_recipient,
        "operations_identity": f"file:{keys.directory / 'operations.txt'}",
        "signing_key": f"file:{keys.directory / 'signing.pem'}",
        "enrolment_key": f"file:{keys.directory / ENROLMENT_KEY}",
    }
    document["stores"] = [
        _reached(each, settings) if each["name"] == store_name else each for each in document["stores"]
    ]
    path = directory / INVENTORY
    replace(path, as_text(document).encode(), like=path)
    return path


def _reached(recorded: dict[str, Any], settings: StoreSettings) -> dict[str, Any]:
    """The store as it was recorded, but where and how it was reached just now."""
    if recorded["kind"] != settings.kind:
        recorded = {"name": recorded["name"], "title": recorded["title"]}
    kept = (NOT_NEEDED & recorded.keys()) - settings.model_fields_set
    return {**recorded, **settings.model_dump(mode="json", exclude={"name", "title", *kept})}


def _inventory(records: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((records / INVENTORY).read_text(encoding="utf-8"))
    return document
