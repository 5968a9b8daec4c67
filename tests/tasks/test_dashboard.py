"""What Prefect's pages cannot show is said in the log, and nothing that was done counts as failed for it."""

import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

from recovery.procedures.backup.begin import begin_backup
from tasks.dashboard import application_tag, run_address, show_applications, show_page, tag_run
from tests.testbed.small_office import SmallOffice, open_office

# Outside a run an artifact belongs to none, which Prefect warns of.
pytestmark = pytest.mark.filterwarnings("ignore:Artifact creation outside:FutureWarning")


@pytest.fixture
def no_server() -> Iterator[None]:
    """A server that does not answer, as one that is being restarted."""
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_UI_URL: "http://127.0.0.1:9"}):
        yield


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SmallOffice]:
    """A small office; whatever is left of it is ended."""
    built = open_office(tmp_path / "office")
    yield built
    built.stop_service_for_good()
    built.installation.catalog.dispose()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_page_that_cannot_be_written_is_a_warning(no_server: None, caplog: pytest.LogCaptureFixture) -> None:
    show_page("hasil-uji-simpel-data", "# Hasil", "Hasil pemeriksaan cadangan simpel/data")
    (warning,) = warnings(caplog)
    assert warning.startswith("Prefect does not show: Hasil pemeriksaan cadangan simpel/data (ConnectError: ")


def test_a_tag_that_cannot_be_set_is_a_warning(no_server: None, caplog: pytest.LogCaptureFixture) -> None:
    run = FlowRun(id=uuid4(), flow_id=uuid4(), name="x", tags=["sop"])
    tag_run(run, ["simpel"])
    (warning,) = warnings(caplog)
    assert warning.startswith("Prefect does not show: tag aplikasi (ConnectError: ")


def test_a_run_that_has_its_tags_asks_no_server(no_server: None, caplog: pytest.LogCaptureFixture) -> None:
    """A run that goes on after an answer has them."""
    tag_run(FlowRun(id=uuid4(), flow_id=uuid4(), name="x", tags=["sop", application_tag("simpel")]), ["simpel"])
    assert [] == warnings(caplog)


@pytest.mark.slow
def test_every_application_of_a_procedure_gets_its_page_but_not_one_that_is_gone(
    no_server: None, office: SmallOffice, caplog: pytest.LogCaptureFixture
) -> None:
    run = str(uuid4())
    begin_backup(office.installation, run, schedule_name="bulanan", routine=True)
    show_applications(office.installation, run)
    (warning,) = warnings(caplog)
    assert warning.startswith("Prefect does not show: Cadangan dan restore SIMPEL (ConnectError: ")
    caplog.clear()
    office.installation.applications.clear()
    show_applications(office.installation, run)
    assert [] == warnings(caplog)


def test_a_run_is_found_in_the_user_interface_of_the_workers_server(no_server: None) -> None:
    assert "http://127.0.0.1:9/runs/flow-run/r1" == run_address("r1")
