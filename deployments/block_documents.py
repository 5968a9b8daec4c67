"""Block types and documents on the Prefect server: saved only when something about them changed."""

from collections.abc import Callable
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from blocks.application import Application
from blocks.base import SettingsBlock
from blocks.host import Host
from blocks.installation import BLOCK_TYPES, SINGLE_NAME, read_documents
from blocks.keys import Keys
from blocks.office import Office
from blocks.schedule import Schedule
from blocks.store import Store
from deployments.change import Change, differences
from recovery.inventory import Inventory

_TYPE_FIELDS = ("description", "code_example", "documentation_url", "logo_url")


def plan_blocks(client: SyncPrefectClient, inventory: Inventory, *, prune: bool) -> tuple[list[Change], list[Change]]:
    """Given a client and the inventory, return the changes to block types and documents, and the removals."""
    changes: list[Change] = []
    removals: list[Change] = []
    documents = read_documents(client)
    wanted = _wanted(inventory)
    for block_type in BLOCK_TYPES:
        type_change, schema_id = _plan_type(client, block_type)
        changes += type_change
        there = documents[block_type.get_block_type_slug()]
        for name, block in wanted[block_type].items():
            changes += _plan_document(block, name, there.get(name), schema_id)
        for name in there:
            if name not in wanted[block_type]:
                removals.append(_removal(client, block_type, there[name], prune))
    return changes, removals


def _wanted(inventory: Inventory) -> dict[type[SettingsBlock], dict[str, SettingsBlock]]:
    return {
        Office: {SINGLE_NAME: Office.from_settings(inventory.office)},
        Keys: {SINGLE_NAME: Keys.from_settings(inventory.keys)},
        Host: {each.name: Host.from_settings(each) for each in inventory.hosts},
        Store: {each.name: Store.from_settings(each) for each in inventory.stores},
        Application: {each.name: Application.from_settings(each) for each in inventory.applications},
        Schedule: {each.name: Schedule.from_settings(each) for each in inventory.schedules},
    }


def _plan_type(client: SyncPrefectClient, block_type: type[SettingsBlock]) -> tuple[list[Change], str]:
    name = block_type.get_block_type_name()

    def register() -> None:
        block_type.register_type_and_schema(_sync=True)  # type: ignore[call-arg]

    try:
        there = client.read_block_type_by_slug(block_type.get_block_type_slug())
    except ObjectNotFound:
        return [Change("block type", name, "create", (), register)], ""
    local = block_type._to_block_type()
    details = [
        line
        for field in _TYPE_FIELDS
        for line in differences(_text(getattr(there, field)), _text(getattr(local, field)), field)
    ]
    schema_id = ""
    try:
        schema = client.read_block_schema_by_checksum(
            block_type._calculate_schema_checksum(), version=block_type.get_block_schema_version()
        )
        schema_id = str(schema.id)
    except ObjectNotFound:
        details.append("its fields changed with this release")
    return ([Change("block type", name, "change", tuple(details), register)] if details else []), schema_id


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _plan_document(block: SettingsBlock, name: str, there: dict[str, Any] | None, schema_id: str) -> list[Change]:
    kind = f"block {block.get_block_type_name()}"
    wanted = block.plain().model_dump(mode="json")

    def save() -> None:
        block.save(name, overwrite=True, _sync=True)  # type: ignore[call-arg]

    perform: Callable[[], None] = save
    if there is None:
        return [Change(kind, name, "create", (), perform)]
    old = {field: there["data"].get(field) for field in wanted}
    details = differences(old, wanted)
    if not details and there["block_schema_id"] != schema_id:
        details = ("saved again with the fields of this release",)
    return [Change(kind, name, "change", details, perform)] if details else []


def _removal(
    client: SyncPrefectClient, block_type: type[SettingsBlock], document: dict[str, Any], prune: bool
) -> Change:
    kind = f"block {block_type.get_block_type_name()}"
    if not prune:
        return Change(kind, document["name"], "leave", ("not in the inventory; goes with --prune",))
    return Change(kind, document["name"], "remove", (), lambda: client.delete_block_document(document["id"]))
