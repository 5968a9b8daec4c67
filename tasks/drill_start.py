"""Starting a drill from another run."""

import logging

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

logger = logging.getLogger(__name__)

DEPLOYMENT = "Gladi Restore/gladi-restore"


def start_drill(schedule_name: str, procedure_id: str) -> str:
    """Given a backup's schedule and procedure, start a drill of the schedule, once for each backup run.

    Returns "", or why it could not be started, which fails no backup. Not as a subflow: a backup that waits for its
    review must not hold the drill, nor fail with it.
    """
    try:
        with get_client(sync_client=True) as client:
            deployment = client.read_deployment_by_name(DEPLOYMENT)
            client.create_flow_run_from_deployment(
                deployment.id,
                parameters={"jadwal": schedule_name},
                idempotency_key=f"gladi-{procedure_id}",
            )
    except (httpx.HTTPError, ObjectNotFound) as error:
        logger.warning("the drill after this backup could not be started (%s): %s", type(error).__name__, error)
        return f"{type(error).__name__}: {error}"
    return ""
