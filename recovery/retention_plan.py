"""The plan that is shown, recorded, approved and carried out: one function makes it, for the dry run and the real one.

The catalog says what is old, the stores say what is really there: a set counts as verified only if its copies are
whole to their last byte, and what is to go is listed object by object.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from recovery.canonical import digest
from recovery.errors import SetError
from recovery.installation import Installation
from recovery.manifest import MANIFEST, SIGNATURE
from recovery.records import backups, drills
from recovery.records.backups import Backup
from recovery.retention import RetentionPlan, StoredSet, plan_retention, planned_json, promised
from recovery.retention_own_records import stored_records
from recovery.retention_records import newest_entry_at, newest_moment, size_of, stored_sets
from recovery.sets import open_set, read_back, set_prefix
from recovery.stores.base import is_key

Objects = dict[str, list[str]]

FORMAT = 1


@dataclass(frozen=True)
class DrawnUpPlan:
    """A plan, and as what it is recorded: plain data with its hash. Only what goes, or waits for a lock, stands in it
    set by set; of what stays it says how many."""

    plan: RetentionPlan
    document: dict[str, Any]

    @property
    def sha256(self) -> str:
        """By this the approval names the plan."""
        return digest(self.document)


@dataclass(frozen=True)
class Removal:
    """What lies of a set in the stores that have something of it, in the order of removal. `left_in`: the stores that
    have it by the catalog and that the inventory names no more: nobody can remove it there. `locked`: why nothing of it
    can be removed now, "" when all can."""

    objects: Objects
    left_in: list[str]
    locked: str = ""


def draw_up(installation: Installation, now: datetime) -> DrawnUpPlan:
    """Given the time, look at records and stores and return the plan. Changes nothing.

    Raises StoreError when a store cannot be looked at, as where the credentials for removal are not kept: nobody knows
    then what is left.
    """
    records = stored_records(installation)
    with installation.catalog.read() as connection:
        recorded_at = newest_entry_at(connection)
        stored = stored_sets(connection, installation, records=records)
        known = {each.id: each for each in [*backups.list_backups(connection), *records]}
        # Every procedure leaves records, so they say nothing of whether backups succeed.
        newest = newest_moment(connection)
    faults: dict[str, str] = {}
    removals: dict[str, Removal] = {}
    looked_at: set[str] = set()
    while True:
        locks = {id: removal.locked for id, removal in removals.items()}
        found = [replace(each, fault=faults.get(each.id, ""), locked=locks.get(each.id, "")) for each in stored]
        plan = plan_retention(found, now, recorded_at, newest_anywhere=newest)
        unseen = [each.set for each in plan.of("destroy") if each.set.id not in removals]
        if not unseen:
            break
        # What is found in the stores may change the plan: a set that is not there keeps another one from going.
        for component in sorted({each.component for each in unseen} - looked_at):
            faults |= copies_at_fault(installation, stored, known, component)
            looked_at.add(component)
        for each in unseen:
            removals[each.id] = removal_of(installation, known[each.id])
    return DrawnUpPlan(plan, _document(plan, now, known, removals, faults))


def copies_at_fault(
    installation: Installation, stored: Sequence[StoredSet], known: dict[str, Backup], component: str
) -> dict[str, str]:
    """Given a component, read in the stores whether as many verified sets as promised are whole there, newest first.

    Returns, by id, why a set does not count. Raises StoreError when a store cannot be looked at.
    """
    own = [each for each in stored if each.component == component]
    with installation.catalog.read() as connection:
        made = drills.of_component(connection, component)
    # Of several drills of one copy the newest counts that could look at it; another copy's says nothing of this one.
    newest = {(each.backup_id, each.store): each for each in made if each.judged}
    failed = {
        each.backup_id: f"the drill of its copy in {each.store} failed: {each.error}"
        for each in newest.values()
        if not each.passed
    }
    faults: dict[str, str] = {}
    wanted = promised(own)
    verified = [each for each in own if each.verified and not each.destroyed]
    for each in sorted(verified, key=lambda one: (one.position, one.moment, one.id), reverse=True):
        faults[each.id] = failed.get(each.id) or _fault(installation, known[each.id])
        if not faults[each.id]:
            wanted -= 1
        if wanted == 0:
            break
    return {id: fault for id, fault in faults.items() if fault}


def places_of(installation: Installation, backup: Backup) -> list[str]:
    """Given a backup, return where something of its set may lie: the stores that the catalog names, and all others. A
    copy that was put by what was killed before it recorded it, or in a store that the schedule named then, lies there
    without a word in the catalog."""
    return list(dict.fromkeys([*backup.stores, *installation.stores]))


def removal_of(installation: Installation, backup: Backup) -> Removal:
    """Given a backup, return what lies in its set, store by store in the order of removal, and what keeps it.

    The signature goes first, because it is the set's commit: a removal that is killed anywhere leaves a set that nobody
    takes for one. Were it last, a set without its data would look whole until somebody needs it. Raises StoreError when
    a store cannot be looked at, or lets this account remove nothing.
    """
    prefix, objects = set_prefix(backup.unit, backup.application, str(backup.name)), {}
    first = (f"{prefix}/{SIGNATURE}", f"{prefix}/{MANIFEST}")
    left_in = [name for name in backup.stores if name not in installation.stores]
    if left_in and len(left_in) == len(backup.stores):
        return Removal({}, left_in, f"its store {', '.join(left_in)} is not in the inventory any more")
    for store_name in places_of(installation, backup):
        if store_name in left_in:
            continue
        store = installation.removal_store(store_name)
        found = {info.key for info in store.list(f"{prefix}/")}
        keys = [key for key in first if key in found] + sorted(found - set(first))
        for key in keys:
            # Somebody put it there; it keeps this set alone, where a refusal would keep all.
            strange = "" if is_key(key) else f"{key!r} lies there, which nothing of ours can be: remove it by hand"
            locked = strange or store.removable(key)
            if locked:
                return Removal({}, left_in, f"{store_name}: {locked}")
        if keys:
            objects[store_name] = keys
    return Removal(objects, left_in)


def _fault(installation: Installation, backup: Backup) -> str:
    """Read every copy of a backup to its last byte: one that was spoilt may have all its sizes still."""
    prefix, trusted_pem = set_prefix(backup.unit, backup.application, str(backup.name)), installation.signer.trusted_pem
    for store_name in backup.stores:
        if store_name not in installation.stores:
            return f"its store {store_name} is not in the inventory any more"
        store = installation.store(store_name)
        try:
            found = open_set(
                store,
                prefix,
                trusted_pem,
                application=backup.application,
                component=backup.component,
                manifest_sha256=backup.manifest_sha256,
            )
            read_back(store, prefix, found.manifest)
        except SetError as error:
            return f"the copy in {store_name} is bad: {error.message}"
    return ""


def _document(
    plan: RetentionPlan,
    now: datetime,
    known: dict[str, Backup],
    removals: dict[str, Removal],
    faults: dict[str, str],
) -> dict[str, Any]:
    def described(set_id: str, stores: Iterable[str]) -> dict[str, Any]:
        backup = known[set_id]
        return {"manifest_sha256": backup.manifest_sha256, "bytes": size_of(backup), "stores": list(stores)}

    return {
        "format": FORMAT,
        "drawn_up_at": now.isoformat(timespec="microseconds"),
        "suspicion": plan.suspicion,
        "destroy": [
            {
                **planned_json(each),
                **described(each.set.id, removals[each.set.id].objects),
                "left_in": removals[each.set.id].left_in,
                "fault": each.set.fault,
                "objects": removals[each.set.id].objects,
            }
            for each in plan.of("destroy")
        ],
        "wait": [
            {**planned_json(each), **described(each.set.id, known[each.set.id].stores), "locked": each.set.locked}
            for each in plan.of("wait")
        ],
        "components": [
            _counted(plan, component) for component in sorted({each.set.component for each in plan.of("destroy")})
        ],
        "faults": [{"backup_id": id, "name": str(known[id].name), "fault": faults[id]} for id in sorted(faults)],
    }


def _counted(plan: RetentionPlan, component: str) -> dict[str, Any]:
    own = [each for each in plan.sets if each.set.component == component]
    going = {each.set.id for each in own if each.decision == "destroy"}
    verified = [each for each in own if each.set.verified]
    return {
        "component": component,
        "promised": plan.promises[component],
        "verified": len(verified),
        "verified_after": sum(each.set.id not in going for each in verified),
        "destroyed": len(going),
    }
