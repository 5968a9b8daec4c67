"""What a restore would do: which backup of each component, onto which target. Bound into every approval."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from recovery.calendar import WIB
from recovery.canonical import digest
from recovery.errors import ConfigurationError, NotFoundError
from recovery.installation import Installation
from recovery.newest import is_believed, newest_by_order
from recovery.records import backup_entries, backups, procedures, steps
from recovery.records.backups import Backup
from recovery.sources.identities import differences


@dataclass(frozen=True)
class Plan:
    """One backup per component of the application."""

    application: str
    request_hash: str
    backups: dict[str, dict[str, Any]]

    @property
    def components(self) -> list[str]:
        """Keys "application/component"."""
        return list(self.backups)

    @property
    def binding(self) -> dict[str, Any]:
        """What an approval is bound to: the request, each backup by its manifest's hash, each target by identity."""
        return {
            "request_hash": self.request_hash,
            "manifests": {key: chosen["manifest_sha256"] for key, chosen in self.backups.items()},
            "targets": {key: chosen["target"] for key, chosen in self.backups.items()},
        }


def make_plan(installation: Installation, procedure_id: str) -> Plan:
    """Given a restore procedure, choose the newest verified backup of each component at or before the point asked for.

    SOP step 5 says "data terbaru": without a point in the request that is the newest whose moment can be believed, also
    when it was taken after the damage, which the plan then says.
    Raises NotFoundError when a component has no such backup, ConfigurationError when the point cannot be read.
    """
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        evidence = steps.evidence_of(connection, procedure_id, "restore.1") or {}
    request = procedure.parameters["request"]
    point = recovery_point(request["titik_pulih"])
    chosen = choose_backups(installation, procedure.application, point, incident_moment(request["waktu_kejadian"]))
    return Plan(procedure.application, evidence.get("request_hash", ""), chosen)


def choose_backups(
    installation: Installation, application_name: str, point: str | None, incident: str | None = None
) -> dict[str, dict[str, Any]]:
    """Given an application, a recovery point (UTC; None: the newest) and when the damage happened (UTC, where it is
    known), return for each of its components "application/component" the backup to restore, what seems newer and was
    passed over, whether its moment is in doubt, whether nobody named it and it was taken after the damage, the target
    by identity, and in what it is not the one that was backed up. Raises NotFoundError, and LedgerError for one whose
    manifest the catalog does not name as the ledger does."""
    application = installation.application(application_name)
    chosen: dict[str, dict[str, Any]] = {}
    made_of: dict[str, dict[str, Any]] = {}
    with installation.catalog.read() as connection:
        for component in application.components:
            passed_over: tuple[Backup, ...] = ()
            doubtful = False
            after_incident = None
            if point is None:
                backup, passed_over = newest_or_refuse(connection, application.name, component.name)
                after_incident = _after(connection, backup, incident)
            else:
                # What the requester names goes by what the backups say of themselves: it is how he names one of a
                # wrong clock, too. Whoever approves it reads that it is one.
                backup = _newest_at(connection, application.name, component.name, point)
                doubtful = not is_believed(connection, backup, datetime.now(UTC))
            backup_entries.require_as_recorded(connection, backup)
            made_of[backup.key] = backup.facts["target"]
            chosen[backup.key] = {
                "backup_id": backup.id,
                "name": backup.name,
                "moment": backup.moment,
                "manifest_sha256": backup.manifest_sha256,
                "verdict": backup.verdict,
                "totals": backup.facts["fingerprint"]["totals"],
                "stores": backup.stores,
                "unit": backup.unit,
                "doubtful": doubtful,
                "after_incident": after_incident,
                "passed_over": [{"name": each.name, "moment": each.moment} for each in passed_over],
            }
    for key, backup_facts in chosen.items():
        live = installation.source(key).identify()
        backup_facts["target"] = digest(live)
        backup_facts["differences"] = differences(made_of[key], live)
    return chosen


def newest_or_refuse(connection: Connection, application: str, component: str) -> tuple[Backup, tuple[Backup, ...]]:
    """Given a component, return its newest verified backup, and what seems newer and was passed over.

    Raises NotFoundError when there is none, or none whose moment can be believed.
    """
    found = newest_by_order(connection, application, component, datetime.now(UTC))
    if found.backup is not None:
        return found.backup, found.passed_over
    if not found.passed_over:
        raise none_verified(application, component)
    raise NotFoundError(
        f"{application}/{component} has no verified backup whose moment can be believed: "
        f"{found.passed_over[0].name} is of a time still to come",
        state="nothing was touched",
        hint="set the clock right; or let the request name the recovery point, as `pulih restore-plan --backup NAME` "
        "says it",
    )


def none_verified(application: str, component: str) -> NotFoundError:
    """Given a component without any verified backup, return what to say of it."""
    return NotFoundError(
        f"{application}/{component} has no verified backup",
        state="nothing was touched",
        hint="run a backup first (deployment di-luar-jadwal); `pulih backups` lists what there is",
    )


def _newest_at(connection: Connection, application: str, component: str, point: str) -> Backup:
    backup = backups.newest_verified(connection, application, component, before=point)
    if backup is None:
        raise NotFoundError(
            f"{application}/{component} has no verified backup at or before {point}",
            state="nothing was touched",
            hint="choose a later recovery point; `pulih backups` lists what there is",
        )
    return backup


def _after(connection: Connection, backup: Backup, incident: str | None) -> dict[str, Any] | None:
    """Given the newest backup and when the damage happened, return None unless it was taken afterwards: it equals its
    damaged source then, so it passed every check. "before" is what a request that names that time would get."""
    if incident is None or backup.moment <= incident:
        return None
    before = backups.newest_verified(connection, backup.application, backup.component, before=incident)
    return {"incident": incident, "before": {"name": before.name, "moment": before.moment} if before else None}


def approved_plan(installation: Installation, procedure_id: str) -> Plan:
    """Return the plan that the Kabid approved in step 3, not one made anew: backups taken since do not change it."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        evidence = steps.evidence_of(connection, procedure_id, "restore.3") or {}
        request = steps.evidence_of(connection, procedure_id, "restore.1") or {}
    return Plan(procedure.application, request.get("request_hash", ""), evidence["plan"])


def recovery_point(text: str) -> str | None:
    """Given the form's recovery point, return it as UTC ISO 8601, or None for the newest. Raises ConfigurationError."""
    return _in_utc(text, "the recovery point", ", or leave it empty for the newest verified backup")


def incident_moment(text: str) -> str | None:
    """Given when the damage happened, as in the form, return it as UTC ISO 8601, or None when it is not said. Raises
    ConfigurationError."""
    return _in_utc(text, "the time of the incident", "")


def _in_utc(text: str, what: str, otherwise: str) -> str | None:
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"{what} {text!r} is no time",
            state="nothing was touched",
            hint=f"write it like 2026-11-20T22:00:00+07:00{otherwise}",
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=WIB)
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
