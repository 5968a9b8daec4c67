"""The copies of a set: in which stores it is to lie, and reading another copy when one of them is of no use."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from recovery.durable import NewFile
from recovery.errors import ObjectExistsError, SetError, StoreError, StoreFullError
from recovery.installation import Installation, private_directory, remove_tree
from recovery.manifest import SIGNATURE, Manifest
from recovery.records import ledger
from recovery.records.procedures import Procedure
from recovery.sets import BackupSet
from recovery.stores.base import Store

logger = logging.getLogger(__name__)

PASSED_OVER = "set.copy_passed_over"
Read = TypeVar("Read")


def stores_of_schedule(installation: Installation, procedure: Procedure) -> tuple[str, ...]:
    """Given a backup procedure, return the stores in which its sets are to lie, the main one first.

    Those that its schedule names today: a store that was replaced gets the old sets too, and one that the office gave
    up is waited for no longer. Of a schedule that is no more, those that it named when the backup began.
    """
    current = installation.schedules.get(procedure.schedule)
    return _named(current.store, current.offsite_store) if current else stores_of_its_day(procedure)


def stores_of_its_day(procedure: Procedure) -> tuple[str, ...]:
    """Given a backup procedure, return the stores that its schedule named when it began, the main one first."""
    schedule = procedure.parameters["schedule"]
    return _named(schedule["store"], schedule.get("offsite_store", ""))


def _named(*names: str) -> tuple[str, ...]:
    return tuple(name for name in names if name)


def read_a_good_copy(
    installation: Installation,
    stores: Sequence[str],
    read: Callable[[Store], Read],
    *,
    name: str,
    procedure_id: str = "",
    component: str = "",
) -> tuple[Read, str]:
    """Given the stores that hold a set and how to read it, return what was read, and from which store.

    The first copy that can be read to its end is the one that is used. Each that could not is named in the log and in
    the ledger, with its reason. What was read of a bad copy must be of no use to anybody, or be undone by `read`.
    Raises what the first copy raised when there is none that serves; its hint names all of them. Raises StoreError when
    no store is given.
    """
    if not stores:
        raise StoreError(
            f"no copy of {name} is left",
            state="nothing was read",
            hint="bring it back from wherever else it is kept; whether it is the same, its recorded SHA-256 decides",
        )
    known = [store for store in stores if store in installation.stores] or list(stores)
    passed_over: list[tuple[str, StoreError | SetError]] = []
    for store_name in known:
        try:
            result = read(installation.store(store_name))
        except StoreFullError:
            # What is full is where the data was to go: another copy would not fit either.
            raise
        except (StoreError, SetError) as error:
            logger.warning("the copy of %s in %s cannot be used: %s", name, store_name, error.message)
            passed_over.append((store_name, error))
            continue
        _record(installation, passed_over, name, store_name, procedure_id, component)
        return result, store_name
    first = passed_over[0][1]
    if len(passed_over) > 1:
        first.hint = "no copy serves: " + "; ".join(f"{store}: {error.message}" for store, error in passed_over)
    raise first


def take_copy(found: BackupSet, directory: Path) -> tuple[Manifest, bytes]:
    """Given a set and a directory of our own, copy its parts there, checked byte by byte; return its manifest and
    signature. Raises SetError, StoreError."""
    remove_tree(directory)
    private_directory(directory)
    for part in found.manifest.parts:
        with NewFile(directory / part.file) as file:
            found.copy(part, file.write)
            file.sync()
    return found.manifest, found.store.read(f"{found.prefix}/{SIGNATURE}")


def put_into_every_store(
    installation: Installation, put: Callable[[Store], object]
) -> dict[str, StoreError | SetError]:
    """Given how to put something, put it into every store; return the error of each store that did not take it.

    A store that is down keeps nobody from his work as long as another one takes it: `pulih sync` puts there what is
    missing. Nor does one in which something else has that name, for which no retry helps: keys can be foreseen, and
    whoever may write to a store could keep us from everything; nor one that gives back other bytes than it was given.
    Raises StoreError or SetError when every store is missed and one of them may take it later.
    """
    missed: dict[str, StoreError | SetError] = {}
    for store_name in sorted(installation.stores):
        try:
            put(installation.store(store_name))
        except (StoreError, SetError) as error:
            missed[store_name] = error
    may_come_back = [error for error in missed.values() if not isinstance(error, ObjectExistsError)]
    if may_come_back and len(missed) == len(installation.stores):
        raise may_come_back[0]
    for store_name, reason in missed.items():
        logger.warning("the store %s is passed over: %s", store_name, reason.message)
    return missed


def _record(
    installation: Installation,
    passed_over: Sequence[tuple[str, StoreError | SetError]],
    name: str,
    used: str,
    procedure_id: str,
    component: str,
) -> None:
    if not passed_over:
        return
    with installation.catalog.begin() as connection:
        for store_name, error in passed_over:
            facts = {"name": name, "store": store_name, "error": error.message, "used": used}
            ledger.append(connection, PASSED_OVER, facts, procedure_id=procedure_id, component=component)
