"""What the retention plan is made of: every set that was ever secured, as the catalog and the ledger have it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select

from recovery.installation import Installation
from recovery.records import backups, destructions, holds, procedures, schema
from recovery.records.backups import Backup
from recovery.retention import Policy, StoredSet, newest_taken
from recovery.retention_own_records import KEY as OWN_RECORDS
from recovery.retention_own_records import policy as policy_of_records
from recovery.settings import RetentionSettings, ScheduleSettings


def stored_sets(
    connection: Connection,
    installation: Installation,
    *,
    component: str = "",
    records: Sequence[Backup] = (),
) -> list[StoredSet]:
    """Return every set that was ever secured; only a component's ("application/component") when one is given. Given
    the sets of the installation's own records, they are among them.

    A set keeps the promises of the schedule under which it was taken, also when schedule or application are gone or
    have other names since, and those that the same schedule makes now. Where none is on record it has no policy.
    """
    gone = destructions.given_up(connection) if records else set()
    positions, held = backups.order_taken(connection), holds.list_holds(connection)
    restoring = {each.application: each.id for each in procedures.list_open(connection, "restore")}
    schedules: dict[str, tuple[str, Policy | None]] = {}
    found: list[StoredSet] = []
    for backup in [*backups.list_backups(connection, component.partition("/")[0] or None), *records]:
        if backup.state not in ("secured", "destroyed") or component not in ("", backup.key):
            continue
        if backup.procedure_id not in schedules:
            schedules[backup.procedure_id] = _policy(connection, installation, backup.procedure_id)
        schedule, policy = schedules[backup.procedure_id]
        position = positions.get((backup.procedure_id, backup.key), 0)
        if backup.key == OWN_RECORDS:
            policy, position = policy_of_records(installation), backup.facts["ledger_sequence"]
        restore = restoring.get(backup.application)
        found.append(
            StoredSet(
                id=backup.id,
                name=str(backup.name),
                component=backup.key,
                schedule=schedule,
                position=position,
                moment=datetime.fromisoformat(backup.moment),
                policy=policy,
                verdict=backup.verdict,
                holds=tuple(hold.reason for hold in held if hold.covers(backup)),
                in_use=f"the restore {restore} of its application is open" if restore else "",
                destroyed=backup.state == "destroyed" or backup.id in gone,
            )
        )
    return _in_order(found)


def newest_entry_at(connection: Connection) -> datetime | None:
    """Return when the ledger's newest entry was made, by the clock of that time; None when there is none."""
    table = schema.ledger
    at = connection.execute(select(table.c.at).order_by(table.c.sequence.desc()).limit(1)).scalar()
    return datetime.fromisoformat(at) if at else None


def newest_moment(connection: Connection) -> datetime | None:
    """Return the latest moment of the sets that were taken last, one of each component, destroyed ones too and without
    our own records; None when there is none. A set that a wrong clock dated is none of them after the next backup."""
    table, order = schema.backups, backups.order_taken(connection)
    columns = (table.c.id, table.c.procedure_id, table.c.application, table.c.component, table.c.moment)
    rows = connection.execute(select(*columns).where(table.c.state.in_(("secured", "destroyed"))))
    taken = [
        StoredSet(
            id=row.id,
            name="",
            component=(key := f"{row.application}/{row.component}"),
            schedule="",
            position=order.get((row.procedure_id, key), 0),
            moment=datetime.fromisoformat(row.moment),
            policy=None,
        )
        for row in rows
    ]
    return newest_taken(_in_order(taken))


def size_of(backup: Backup) -> int:
    """Given a backup, return the bytes that its data takes in each store."""
    return int(backup.facts["digests"]["cipher_size"])


def _in_order(sets: Iterable[StoredSet]) -> list[StoredSet]:
    """Given sets, the position of those 0 of which the ledger says nothing, as after a rebuild from a manifest, give
    these the position after which their moment puts them in their component. Its moment is all that is known of such a
    set; were it taken for the oldest, the newest backup could be the first to go."""
    highest: dict[str, int] = defaultdict(int)
    placed: dict[str, int] = {}
    for each in sorted(sets := list(sets), key=lambda one: (one.moment, -one.position)):
        highest[each.component] = max(highest[each.component], each.position)
        placed[each.id] = each.position or highest[each.component]
    return [replace(each, position=placed[each.id]) for each in sets]


def _policy(connection: Connection, installation: Installation, procedure_id: str) -> tuple[str, Policy | None]:
    procedure = procedures.find(connection, procedure_id)
    recorded: dict[str, Any] = procedure.parameters.get("schedule") or {} if procedure else {}
    name = str(recorded.get("name", ""))
    try:
        # What earlier releases recorded says nothing of periods: the defaults promise most.
        retention = RetentionSettings(**recorded.get("retention", {}))
        policy = Policy(retention_days=int(recorded["retention_days"]), **retention.model_dump())
    except (KeyError, TypeError, ValueError, ValidationError):
        return name, None
    current = installation.schedules.get(name)
    return name, policy.with_promises_of(_policy_of(current)) if current else policy


def _policy_of(schedule: ScheduleSettings) -> Policy:
    return Policy(retention_days=schedule.retention_days, **schedule.retention.model_dump())
