"""The manifest that the catalog names of a set is the one that the ledger has."""

from typing import Any

import pytest

from recovery.errors import LedgerError
from recovery.records import backup_entries, backups, ledger
from recovery.records.backups import Backup
from recovery.records.catalog import Catalog
from recovery.records.procedures import open_procedure

RECORDED, OTHER = "ab" * 32, "cd" * 32
NAME = "simpel_db_full_20261120t220003+0700"


@pytest.fixture
def backup(catalog: Catalog) -> Backup:
    """A backup that is secured, by the catalog, with the manifest RECORDED."""
    open_procedure(catalog, "run-1", "backup", parameters={}, release="0.1.0")
    with catalog.begin() as connection:
        where = {"application": "simpel", "component": "db", "unit": "bkd", "kind": "sqlite", "staging": ""}
        moment = "2026-11-20T15:00:03+00:00"
        backups.insert_staged(connection, backup_id="b1", procedure_id="run-1", moment=moment, facts={}, **where)
        backups.mark_verified(connection, "b1", {})
        backups.mark_named(connection, "b1", NAME)
        backups.mark_secured(connection, "b1", RECORDED, ["utama"], "2027-11-20T15:00:03+00:00")
        return backups.get(connection, "b1")


def findings(catalog: Catalog, backup: Backup) -> list[str]:
    """What is said of all backups; and the same of this one, by refusing it."""
    with catalog.read() as connection:
        found = backup_entries.verify(connection)
        if found:
            with pytest.raises(LedgerError, match="the catalog says that the manifest of simpel_db"):
                backup_entries.require_as_recorded(connection, backup)
        else:
            backup_entries.require_as_recorded(connection, backup)
    return found


def append(catalog: Catalog, kind: str, facts: Any, step_id: str = "") -> None:
    with catalog.begin() as connection:
        ledger.append(connection, kind, facts, procedure_id="run-1", step_id=step_id, component="simpel/db")


@pytest.mark.parametrize("first", [RECORDED, OTHER])
@pytest.mark.parametrize("kind", ["step.done", "set.copied"])
def test_what_was_recorded_first_counts(catalog: Catalog, backup: Backup, first: str, kind: str) -> None:
    """Of step 4, and of a synchronisation that completed a set; whoever writes into the catalog can only add."""
    assert [] == findings(catalog, backup), "nothing is on record, as after a rebuild"
    for named in (first, RECORDED, OTHER):
        if kind == "step.done":
            evidence = {"backup_id": "b1", "manifest_sha256": named}
            append(catalog, kind, {"evidence": evidence}, step_id="backup.4")
        else:
            append(catalog, kind, {"name": NAME, "manifest_sha256": named})
    told = f"the catalog says that the manifest of {NAME} has the SHA-256 {RECORDED}, and the ledger says {OTHER}"
    assert ([] if first == RECORDED else [told]) == findings(catalog, backup)


def test_entries_of_other_things_say_nothing_of_it(catalog: Catalog, backup: Backup) -> None:
    """Another step, another set, evidence that names no manifest, or is none."""
    append(catalog, "step.done", {"evidence": {"backup_id": "b1", "manifest_sha256": OTHER}}, step_id="backup.3")
    append(catalog, "set.copied", {"name": "another", "manifest_sha256": OTHER})
    append(catalog, "step.done", {"evidence": {"backup_id": "b1"}}, step_id="backup.4")
    append(catalog, "step.done", {"evidence": OTHER}, step_id="backup.4")
    append(catalog, "step.done", OTHER, step_id="backup.4")
    assert [] == findings(catalog, backup)
