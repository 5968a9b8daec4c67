"""The flow run in which the code runs."""

from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext


def this_run() -> FlowRun:
    """Return the flow run as it was when its process started. Raises RuntimeError outside a deployment's run."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("this is done only inside a flow run of a deployment")
    return context.flow_run
