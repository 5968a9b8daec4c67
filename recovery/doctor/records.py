"""The installation's own records: whether they are of their time, are backed up whole, and lie in every store."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from recovery.doctor.finding import Finding, attempt
from recovery.errors import PulihError, RecordsError
from recovery.guard.alive import guard_alarm
from recovery.guard.clock import clock_alarm
from recovery.guard.copies import TAKEN, UNLOCKED, copy_alarms
from recovery.installation import Installation
from recovery.own_records import RECORDS, stored_records_of
from recovery.own_records_databases import database_url
from recovery.records import procedures
from recovery.sync_plan import lacks_lock


def examine_records(installation: Installation) -> Iterator[Finding]:
    """Yield what of the records cannot be believed, whether the guard's rounds come to their end, and what a rebuild
    would miss."""
    reference = installation.office.prefect_database
    if reference is None:
        yield Finding(
            "Prefect's database",
            "problem",
            "is not backed up with the catalog",
            "name the server's PREFECT_SERVER_DATABASE_CONNECTION_URL in the inventory: office.prefect_database, as "
            "credential:NAME, file:PATH or env:NAME",
        )
    else:
        yield attempt("Prefect's database", partial(_look_at_database, reference), "is backed up with the catalog")
    try:
        with installation.catalog.read() as connection:
            concluded = any(each.state == "closed" for each in procedures.list_all(connection))
            ahead, stopped = clock_alarm(connection, now := datetime.now(UTC)), guard_alarm(connection, now)
            # Those that lie there without a lock are found by the look at the store itself.
            taken = [each for each in copy_alarms(installation, connection, now) if each.mend == TAKEN]
    except PulihError:
        return  # said by the look at the catalog
    if ahead is not None:
        yield Finding("clock of the records", "problem", ahead.message, ahead.mend)
    if stopped is None:
        yield Finding("guard", "ok", "makes its rounds to their end")
    else:
        yield Finding("guard", "problem", stopped.message, stopped.mend)
    for alarm in taken:
        yield Finding(alarm.subject, "problem", alarm.message, alarm.mend)
    for name in sorted(installation.stores) if concluded else ():
        yield attempt(f"records in {name}", partial(_look_at_store, installation, name), "can be rebuilt from")


def _look_at_database(reference: str) -> None:
    url = database_url(reference)
    if url.get_backend_name() == "sqlite" and not os.access(str(url.database), os.R_OK):
        raise RecordsError(
            f"there is no file {url.database} that this account reads",
            hint="correct what office.prefect_database names, or the rights of the file and of the folders above it",
        )


def _look_at_store(installation: Installation, name: str) -> None:
    store = installation.store(name)
    held = stored_records_of(each.key for each in store.list(RECORDS))
    if not held:
        raise RecordsError(
            "no set of the catalog, the ledger and the configuration lies there",
            hint="the next procedure that ends puts one; retry a run that failed at its end",
        )
    unlocked = [why for prefix in held if (why := lacks_lock(installation, store, prefix))]
    if unlocked:
        raise RecordsError("; ".join(unlocked), hint=f"{UNLOCKED}; whoever may remove objects there can remove them")
