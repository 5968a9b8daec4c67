"""Block types and documents on the Prefect server: saved only when something about them changed."""

from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import BlockDocumentCreate, BlockDocumentUpdate
from prefect.client.schemas.objects import BlockType
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
from deployments.flow_deployments import open_runs
from recovery.inventory import Inventory

_TYPE_FIELDS = ("description", "code_example", "documentation_url", "logo_url")


def plan_blocks(client: SyncPrefectClient, inventory: Inventory, *, prune: bool) -> tuple[list[Change], list[Change]]:
    """Given a client and the inventory, return the changes to block types and documents, and the removals.

    While any run is open no document is removed, even with `prune`: the run reads them again when it is resumed.
    """
    changes: list[Change] = []
    removals: list[Change] = []
    documents = read_documents(client)
    wanted = _wanted(inventory)
    why_not = "" if prune else "not in the inventory; goes with --prune"
    if prune and open_runs(client):
        why_not = "not in the inventory, but runs are still open and may read it; close them first"
    for block_type in BLOCK_TYPES:
        registered = _Registered(client, block_type)
        changes += registered.plan()
        there = documents[block_type.get_block_type_slug()]
        for name, block in wanted[block_type].items():
            changes += _plan_document(client, registered, block, name, there.get(name))
        removals += [
            _removal(client, block_type, document, why_not)
            for name, document in there.items()
            if name not in wanted[block_type]
        ]
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


class _Registered:
    """A block type as the server knows it: its id and the id of the schema of this release, once it has them."""

    def __init__(self, client: SyncPrefectClient, block_type: type[SettingsBlock]) -> None:
        self.client = client
        self.block_type = block_type
        self.type_id: UUID | None = None
        self.schema_id: UUID | None = None

    def plan(self) -> list[Change]:
        """Look at the server and return the change that registers the type, if anything about it differs."""
        name = self.block_type.get_block_type_name()
        there = self._read()
        if there is None:
            return [Change("block type", name, "create", (), self._register)]
        local = self.block_type._to_block_type()
        details = [
            line
            for field in _TYPE_FIELDS
            for line in differences(_text(getattr(there, field)), _text(getattr(local, field)), field)
        ]
        if self.schema_id is None:
            details.append("its fields changed with this release")
        return [Change("block type", name, "change", tuple(details), self._register)] if details else []

    def _read(self) -> BlockType | None:
        try:
            there = self.client.read_block_type_by_slug(self.block_type.get_block_type_slug())
            self.type_id = there.id
        except ObjectNotFound:
            return None
        try:
            checksum, version = self.block_type._calculate_schema_checksum(), self.block_type.get_block_schema_version()
            self.schema_id = self.client.read_block_schema_by_checksum(checksum, version=version).id
        except ObjectNotFound:
            self.schema_id = None
        return there

    def _register(self) -> None:
        self.block_type.register_type_and_schema(_sync=True)  # type: ignore[call-arg]
        self._read()


def _plan_document(
    client: SyncPrefectClient, registered: _Registered, block: SettingsBlock, name: str, there: dict[str, Any] | None
) -> list[Change]:
    kind = f"block {block.get_block_type_name()}"
    wanted = block.plain().model_dump(mode="json")

    # Not Block.save: that opens a client and registers the type again for every single document.
    def create() -> None:
        client.create_block_document(
            BlockDocumentCreate.model_validate(
                {
                    "name": name,
                    "data": wanted,
                    "block_type_id": registered.type_id,
                    "block_schema_id": registered.schema_id,
                }
            )
        )

    if there is None:
        return [Change(kind, name, "create", (), create)]

    def update() -> None:
        client.update_block_document(
            UUID(there["id"]),
            BlockDocumentUpdate(data=wanted, block_schema_id=registered.schema_id, merge_existing_data=False),
        )

    old = {field: there["data"].get(field) for field in wanted}
    details = differences(old, wanted)
    if not details and there["block_schema_id"] != str(registered.schema_id):
        details = ("saved again with the fields of this release",)
    return [Change(kind, name, "change", details, update)] if details else []


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _removal(
    client: SyncPrefectClient, block_type: type[SettingsBlock], document: dict[str, Any], why_not: str
) -> Change:
    kind = f"block {block_type.get_block_type_name()}"
    if why_not:
        return Change(kind, document["name"], "leave", (why_not,))
    return Change(kind, document["name"], "remove", (), lambda: client.delete_block_document(UUID(document["id"])))
