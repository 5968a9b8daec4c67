"""Sending a request of a restore to the Prefect server, as the form in its user interface does."""

from urllib.parse import quote

from recovery.errors import HostError, NotFoundError
from recovery.prefect_api import PrefectApi
from recovery.procedures.restore.request_form import RestoreRequest

DEPLOYMENT = "Restore Data/restore"


def send_request(api: PrefectApi, request: RestoreRequest) -> str:
    """Given a request that was checked, create the flow run of the restore and return its id.

    Raises NotFoundError when the server has no such deployment, HostError when it refuses or does not answer.
    """
    deployment = api.ask(f"/deployments/name/{quote(DEPLOYMENT)}")
    if deployment is None:
        raise NotFoundError(
            f"the Prefect server {api.url} has no deployment {DEPLOYMENT!r}",
            state="no run was created",
            hint="run `pulih apply`, or correct PREFECT_API_URL",
        )
    parameters = {"formulir": request.model_dump(mode="json")}
    run = api.ask(f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
    if run is None:
        raise HostError(
            f"the deployment {DEPLOYMENT!r} was removed just now",
            state="no run was created",
            hint="run `pulih apply` and send the request again",
        )
    return str(run["id"])
