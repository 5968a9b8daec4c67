"""Whoever reads the Prefect server's database learns no secret of the installation."""

from typing import TYPE_CHECKING

import pytest

from tests.flows.server_search import kept_by_server, require_no_secret

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice
    from tests.testbed.postgresql import PostgreSQLServer

pytestmark = pytest.mark.slow


def test_no_secret_is_in_the_servers_database_or_logs(
    office: "WorkingOffice", reviewed_backup: str, prefect_database: "PostgreSQLServer"
) -> None:
    """After a reviewed backup; the fixture of the office searches each server again, before it is stopped."""
    require_no_secret(office, prefect_database)
    # The search finds what is there: the run's parameters, and a reference to a key.
    texts = kept_by_server(office, prefect_database)
    assert any(reviewed_backup in text for text in texts.values())
    assert office.installation.keys.signing_key in texts["blocks"]
