"""What `pulih apply` writes outside Prefect: the catalog, the officials in it, and RESTORE.md in every store."""

from collections.abc import Callable
from typing import Any

from deployments.change import Action, Change, differences
from recovery.errors import ConflictError, RecordsError
from recovery.installation import Installation
from recovery.inventory import Inventory
from recovery.rebuild_target import is_unfinished
from recovery.records import officials
from recovery.records.officials import Official
from recovery.restore_guide import GUIDE, lacks_restore_guide, put_restore_guide
from recovery.settings import OfficialSettings
from recovery.stores.base import Store


def plan_catalog(installation: Installation) -> list[Change]:
    """Given the installation, return the change that creates or upgrades its catalog, if it is not current.

    Raises ConflictError while a rebuild into its state directory has not ended, which puts a whole catalog there.
    """
    if is_unfinished(installation.state_directory):
        raise ConflictError(
            f"a rebuild into {installation.state_directory.parent} has not ended",
            state="nothing was changed",
            hint="repeat `pulih rebuild` as it was, then apply",
        )
    try:
        installation.catalog.check()
    except RecordsError as error:
        return [Change("catalog", installation.catalog.title, "change", (error.message,), installation.catalog.upgrade)]
    return []


def plan_officials(
    installation: Installation, inventory: Inventory, *, prune: bool
) -> tuple[list[Change], list[Change]]:
    """Given the installation and the inventory, return the changes to officials and the revocations.

    An official is never deleted, since old decisions name him; `prune` ends his enrolment.
    """
    there = _officials_there(installation)
    changes = []
    for settings in inventory.officials:
        known = there.get(settings.nip)
        details = () if known is None else differences(_comparable(known), _comparable(settings))
        if known is None or details:
            action: Action = "create" if known is None else "change"
            changes.append(Change("official", _title(settings), action, details, _recording(installation, settings)))
    wanted = {settings.nip for settings in inventory.officials}
    return changes, [
        _revocation(installation, official, prune)
        for nip, official in there.items()
        if nip not in wanted and official.is_enrolled()
    ]


def plan_restore_guides(installation: Installation) -> list[Change]:
    """Given the installation, return the changes that put RESTORE.md into the stores that lack it.

    Raises StoreError when a store cannot be written, and KeyMissingError without the signing key, whose public half
    the guide carries: a backup would find out too late.
    """
    changes = []
    public_pem = installation.signer.public_pem
    for name in sorted(installation.stores):
        store = installation.store(name)
        store.check()
        if lacks_restore_guide(store, public_pem):
            changes.append(Change("restore guide", store.location(GUIDE), "create", (), _putting(store, public_pem)))
    return changes


def _putting(store: Store, public_pem: bytes) -> Callable[[], None]:
    def put() -> None:
        put_restore_guide(store, public_pem)

    return put


def _officials_there(installation: Installation) -> dict[str, Official]:
    try:
        installation.catalog.check()
    except RecordsError:
        return {}  # there is no current catalog yet; plan_catalog says so
    with installation.catalog.read() as connection:
        return {official.nip: official for official in officials.list_all(connection)}


def _comparable(official: Official | OfficialSettings) -> dict[str, Any]:
    return {
        **{field: getattr(official, field) for field in ("name", "position", "unit", "acting")},
        **{field: getattr(official, field) for field in ("valid_from", "valid_until", "contact")},
        "roles": sorted(official.roles),
    }


def _title(official: Official | OfficialSettings) -> str:
    return f"{official.nip} {official.name}"


def _recording(installation: Installation, settings: OfficialSettings) -> Callable[[], None]:
    def record() -> None:
        with installation.catalog.begin() as connection:
            officials.put(connection, settings)

    return record


def _revocation(installation: Installation, official: Official, prune: bool) -> Change:
    if not prune:
        return Change("official", _title(official), "leave", ("not in the inventory; enrolment ends with --prune",))
    reason = "not in the inventory any more"
    return Change(
        "official",
        _title(official),
        "remove",
        ("the enrolment ends; old decisions stay",),
        lambda: officials.revoke(installation.catalog, official.nip, reason=reason),
    )
