"""What Prefect's pages show of a procedure beside its steps: a page for each application, and tags to filter by.

Views of the record, not the record. Of what could not be shown the run's log says so, and the work goes on: data that
is proven and stored must not count as failed because a page could not be written, and the next page tells it all.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.utilities.urls import url_for

from recovery.installation import Installation
from recovery.procedures.application_page import application_page, applications_of
from recovery.records import procedures

logger = logging.getLogger(__name__)

# How a tag of an application begins: an application may be called "sop" or "restore".
APPLICATION_TAG = "aplikasi:"


def application_tag(name: str) -> str:
    """Given an application's name, return the tag of its runs."""
    return f"{APPLICATION_TAG}{name}"


def run_address(run_id: str) -> str:
    """Given a run's id, return its address in the Prefect UI; "" when the worker does not know where that is."""
    return url_for("flow-run", obj_id=run_id) or ""


def show_page(key: str, markdown: str, description: str) -> None:
    """Given a page, put it on the Artifacts page under its key, as a newer version of what stood there."""
    with shown(description):
        create_markdown_artifact(key=key, markdown=markdown, description=description)


def show_applications(installation: Installation, procedure_id: str) -> None:
    """Given a procedure, write anew the page of every application that it is about."""
    with installation.catalog.read() as connection:
        names = applications_of(procedures.get(connection, procedure_id))
    # One that the inventory no longer names keeps the page that it had.
    for name in [each for each in names if each in installation.applications]:
        show_page(
            f"cadangan-{name}",
            application_page(installation, name, run_address),
            f"Cadangan dan restore {installation.application(name).title}",
        )


def tag_run(run: FlowRun, applications: Sequence[str]) -> None:
    """Given a run and the applications that it turned out to be about, add their tags to it."""
    missing = {application_tag(name) for name in applications} - set(run.tags)
    if missing:
        with shown("tag aplikasi"), get_client(sync_client=True) as client:
            client.update_flow_run(run.id, tags={*run.tags, *missing})


def name_run(run: FlowRun, name: str) -> None:
    """Given a run and what it turned out to be about, name it so."""
    with shown("nama proses"), get_client(sync_client=True) as client:
        client.update_flow_run(run.id, name=name)


@contextmanager
def shown(what: str) -> Iterator[None]:
    """Make a warning of what Prefect does not show in this block; whatever else goes wrong is raised."""
    try:
        yield
    except httpx.HTTPError as error:
        logger.warning("Prefect does not show: %s (%s: %s)", what, type(error).__name__, error)
