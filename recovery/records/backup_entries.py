"""What the ledger says of the sets that were put: a backup's row names its manifest, and changing it needs no key."""

from typing import Any

from sqlalchemy import Connection

from recovery.errors import LedgerError
from recovery.records import backups, ledger
from recovery.records.backups import Backup
from recovery.records.ledger import Entry


def require_as_recorded(connection: Connection, backup: Backup) -> None:
    """Given a backup, return when its row names the manifest that the ledger has of it. Raises LedgerError.

    A set of which the ledger says nothing was found in a store by a rebuild: its row is all there is.
    """
    finding = _contradiction(
        backup, _manifests(ledger.entries(connection, procedure_id=backup.procedure_id, last=None))
    )
    if finding:
        raise LedgerError(
            finding,
            state="nothing of the set was used",
            hint="somebody changed the catalog by hand: compare it with its own backups, and tell the auditor "
            "(`pulih ledger verify`)",
        )


def verify(connection: Connection) -> list[str]:
    """Return every contradiction between ledger and catalog about which manifest a set has; [] means there is none."""
    kinds = ("step.done", backups.COPIED)
    named = _manifests([entry for kind in kinds for entry in ledger.entries(connection, kind=kind, last=None)])
    findings = (_contradiction(backup, named) for backup in backups.list_backups(connection))
    return [finding for finding in findings if finding]


def _contradiction(backup: Backup, named: dict[str, str]) -> str:
    recorded = named.get(backup.id) or named.get(str(backup.name))
    if not backup.manifest_sha256 or recorded in (None, backup.manifest_sha256):
        return ""
    return (
        f"the catalog says that the manifest of {backup.name} has the SHA-256 {backup.manifest_sha256}, and the ledger "
        f"says {recorded}"
    )


def _manifests(entries: list[Entry]) -> dict[str, str]:
    """The SHA-256 of each set's manifest, by the backup's id where step 4 put it everywhere, else by the set's name.

    Of each the entry counts that was made first: whoever writes into the catalog can add one, and put none before it.
    """
    named: dict[str, str] = {}
    for entry in entries:
        facts: Any = entry.facts if isinstance(entry.facts, dict) else {}
        said = facts.get("evidence") if (entry.kind, entry.step_id) == ("step.done", "backup.4") else None
        key = "backup_id" if said else "name" if entry.kind == backups.COPIED else ""
        said = said or facts
        if key and isinstance(said, dict) and said.get("manifest_sha256"):
            named.setdefault(str(said.get(key)), str(said["manifest_sha256"]))
    return named
