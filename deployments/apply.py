"""`pulih apply`: makes a Prefect server, a catalog and the stores into what the inventory says; idempotent."""

import logging
from collections.abc import Callable
from pathlib import Path

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL

from deployments.automations import plan_automations
from deployments.block_documents import plan_blocks
from deployments.change import Change
from deployments.flow_deployments import plan_deployments, plan_work_pools
from deployments.records import plan_catalog, plan_officials, plan_restore_guides
from recovery.errors import ConfigurationError, HostError
from recovery.inventory import Inventory

logger = logging.getLogger(__name__)

# The directory of this release: the folder that holds flows/, tasks/, blocks/ and recovery/.
RELEASE_DIRECTORY = Path(__file__).resolve().parents[1]


def apply(
    inventory: Inventory,
    *,
    release: Path = RELEASE_DIRECTORY,
    dry_run: bool = False,
    prune: bool = False,
    before: Callable[[list[Change]], None] = lambda changes: None,
) -> list[Change]:
    """Given an inventory, find out what differs, show it, do it, and return it.

    `before` is given all changes before the first is made; what it raises stops everything. `dry_run` ends there.
    Nothing is removed without `prune`: what the inventory no longer names is in the list as "leave".
    Raises ConfigurationError when no server is configured or it cannot be used, HostError when it does not answer,
    RecordsError and StoreError when catalog or stores cannot be written. Applying again finishes what was begun.
    """
    if not PREFECT_API_URL.value():
        # Without an address Prefect would start a server of its own, write there, and throw it away.
        raise ConfigurationError(
            "no Prefect server is configured", state="nothing was changed", hint="set PREFECT_API_URL and apply again"
        )
    try:
        with get_client(sync_client=True) as client:
            changes = plan(client, inventory, release=release, prune=prune)
            before(changes)
            if not dry_run:
                for change in changes:
                    logger.info("%s", change)
                    change.perform()
    except httpx.HTTPStatusError as error:
        raise HostError(
            f"the Prefect server refused a request: {error.response.status_code} {error.response.text[:500]}",
            state="what was done before it stays",
            hint="read the server's answer; apply again when it is settled",
        ) from error
    except httpx.HTTPError as error:
        raise HostError(
            f"the Prefect server at {PREFECT_API_URL.value()} does not answer ({type(error).__name__})",
            state="what was done before it stays",
            hint="start the server, then apply again",
        ) from error
    return changes


def plan(client: SyncPrefectClient, inventory: Inventory, *, release: Path, prune: bool) -> list[Change]:
    """Given a client and an inventory, return every change in the order in which they have to be made."""
    installation = inventory.installation()
    official_changes, revocations = plan_officials(installation, inventory, prune=prune)
    block_changes, block_removals = plan_blocks(client, inventory, prune=prune)
    deployment_changes, deployment_removals = plan_deployments(client, inventory, release, prune=prune)
    automation_changes, automation_removals = plan_automations(client, inventory, prune=prune)
    return [
        *plan_restore_guides(installation),
        *plan_catalog(installation),
        *official_changes,
        *block_changes,
        *plan_work_pools(client),
        # Deployments come after everything that their runs read, and go before the blocks that their runs read.
        *deployment_changes,
        # An automation names the deployment that it runs.
        *automation_changes,
        *automation_removals,
        *deployment_removals,
        *block_removals,
        *revocations,
    ]
