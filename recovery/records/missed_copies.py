"""Copies of forms and of the installation's own records that a store did not take as it was to: on record until they
are made good. No table lists what lies in the stores of these, and a name that is taken looks from outside as if the
copy were there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from recovery.errors import ObjectExistsError, SetError, StoreError
from recovery.records import destructions, ledger
from recovery.records.catalog import Catalog
from recovery.records.ledger import Entry

Kind = Literal["form", "records"]
# missing: the store was down or refused; taken: something else has that name; unlocked: it lies there without a lock.
Fault = Literal["missing", "taken", "unlocked"]
Faults = dict[str, tuple[Fault, str]]  # by store, with the error's message

MISSED: dict[Kind, str] = {"form": "form.copies_missing", "records": "records.copies_missing"}
MENDED: dict[Kind, str] = {"form": "form.copied", "records": "records.copied"}


@dataclass(frozen=True)
class Missed:
    """One copy that is not as it should be. `key`: of the form, or the prefix of the set of records; `until`: when the
    set's retention ends (ISO 8601 with its zone), "" for a form, which stays."""

    kind: Kind
    key: str
    store: str
    fault: Fault
    message: str
    since: str
    until: str


@contextmanager
def noting(faults: Faults, store: str, fault: Fault) -> Iterator[None]:
    """Given where to note it, what it means when the block fails; the error goes on."""
    try:
        yield
    except (StoreError, SetError) as error:
        faults[store] = fault_of(error, fault)
        raise


def fault_of(error: StoreError | SetError, otherwise: Fault) -> tuple[Fault, str]:
    """Given why a store did not take a copy as it was to, and what that means unless something else has its name,
    return what is noted of it."""
    return "taken" if isinstance(error, ObjectExistsError) else otherwise, error.message


def record_missed(
    connection: Connection, kind: Kind, key: str, faults: Faults, *, until: str = "", procedure_id: str = ""
) -> None:
    """Given what is wrong with a copy, by store, put it into the ledger; where nothing is wrong, do nothing."""
    if faults:
        stores = {store: message for store, (_fault, message) in faults.items()}
        kinds = {store: fault for store, (fault, _message) in faults.items()}
        facts = {"key": key, "stores": stores, "faults": kinds, "until": until}
        ledger.append(connection, MISSED[kind], facts, procedure_id=procedure_id)


def record_mended(
    connection: Connection, kind: Kind, key: str, store: str, *, procedure_id: str = "", protection: str = ""
) -> None:
    """Given a copy that is as it should be now, put that into the ledger; `protection`: what keeps it there."""
    facts = {"key": key, "store": store, **({"protection": protection} if protection else {})}
    ledger.append(connection, MENDED[kind], facts, procedure_id=procedure_id)


@contextmanager
def recording_taken(
    catalog: Catalog, kind: Kind, key: str, store: str, *, until: str = "", procedure_id: str = ""
) -> Iterator[None]:
    """Given a copy that is put into a store later than it was to, record when something else has its name there by now;
    the error goes on."""
    try:
        yield
    except ObjectExistsError as error:
        with catalog.read() as connection:
            known = find_missed(connection, key, store)
        if known is None or known.fault != "taken":
            faults: Faults = {store: ("taken", error.message)}
            with catalog.begin() as connection:
                record_missed(connection, kind, key, faults, until=until, procedure_id=procedure_id)
        raise


def missed_copies(connection: Connection) -> list[Missed]:
    """Return the copies that are not made good yet, oldest first. Those of sets that were destroyed are none."""
    recorded: list[tuple[Kind, Entry]] = []
    for kind, missed in MISSED.items():
        for name in (missed, MENDED[kind]):
            recorded += [(kind, entry) for entry in ledger.entries(connection, kind=name, last=None)]
    found: dict[tuple[str, str], Missed] = {}
    for kind, entry in sorted(recorded, key=lambda each: each[1].sequence):
        facts = entry.facts if isinstance(entry.facts, dict) else {}  # somebody may have changed it
        if entry.kind == MENDED[kind]:
            found.pop((str(facts.get("key")), str(facts.get("store"))), None)
            continue
        for missed_copy in _of_entry(kind, facts, entry.at):
            place = (missed_copy.key, missed_copy.store)
            earlier = found.get(place)
            # Told again by a retry, or by a synchronisation: it lasts since the first time.
            same = earlier is not None and earlier.fault == missed_copy.fault
            found[place] = earlier if earlier is not None and same else missed_copy
    gone = destructions.given_up(connection)
    return [each for each in found.values() if each.key.rpartition("/")[2] not in gone]


def find_missed(connection: Connection, key: str, store: str) -> Missed | None:
    """Given a copy's key and a store, return what is wrong with it there; None when nothing is on record."""
    return next((each for each in missed_copies(connection) if (each.key, each.store) == (key, store)), None)


def _of_entry(kind: Kind, facts: dict[str, Any], at: str) -> Iterator[Missed]:
    stores, faults = facts.get("stores"), facts.get("faults")
    if isinstance(stores, dict) and isinstance(faults, dict) and "key" in facts:
        for store, message in stores.items():
            fault = faults.get(store, "missing")
            yield Missed(kind, str(facts["key"]), store, fault, str(message), at, str(facts.get("until", "")))
