"""A real Prefect server and a real process worker on loopback, for all tests of one process that need them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from deployments.server import LocalServer, log_of, start_server, start_worker, stop
from tests.testbed.postgresql import PostgreSQLServer

ROOT = Path(__file__).parents[2]


@contextmanager
def running_server(home: Path, database_url: str = "") -> Iterator[LocalServer]:
    """Start a server whose files lie in `home`; while it runs, Prefect in this process and its children talk to it.

    Its database is the one named, or SQLite in `home`.
    """
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    server = start_server(home, settings=server_settings(database_url))
    try:
        with (
            patch.dict(os.environ, server.environment()),
            temporary_settings({PREFECT_API_URL: server.api_url, PREFECT_HOME: str(home)}),
        ):
            yield server
    finally:
        stop(home)


def database_url(database: PostgreSQLServer) -> str:
    """The URL under which the Prefect server reaches its database "prefect" there."""
    return database.url("prefect").replace("+psycopg:", "+asyncpg:")


def server_settings(database_url: str = "") -> dict[str, str]:
    """The settings of a test server, for starting the same one again."""
    settings = {"PREFECT_SERVER_LOGGING_LEVEL": "WARNING"}
    return {**settings, "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_url} if database_url else settings


def start_test_worker(server: LocalServer) -> None:
    """Start a worker that looks for runs every second; its log is `worker_log(server)`."""
    from prefect.client.orchestration import get_client

    from deployments.flow_deployments import plan_work_pools

    with get_client(sync_client=True) as client:
        for change in plan_work_pools(client):
            change.perform()
    start_worker(server, name="uji", query_seconds=1)


def worker_log(server: LocalServer) -> Path:
    """Return the path of the test worker's log."""
    return log_of(server.home, "worker-uji")


def empty_server() -> None:
    """Remove everything of ours but the runs, so that a test module starts from a bare server."""
    from prefect.client.orchestration import get_client

    from blocks.installation import forget_installation, read_documents
    from deployments.automations import automations_there
    from deployments.wanted import TAG

    forget_installation()
    with get_client(sync_client=True) as client:
        for automation in automations_there(client):
            client.request("DELETE", f"/automations/{automation['id']}").raise_for_status()
        body = {"deployments": {"tags": {"all_": [TAG]}}}
        for deployment in client.request("POST", "/deployments/filter", json=body).raise_for_status().json():
            client.delete_deployment(deployment["id"])
        for documents in read_documents(client).values():
            for document in documents.values():
                client.delete_block_document(document["id"])
