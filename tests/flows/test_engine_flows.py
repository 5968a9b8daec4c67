"""Both procedures through Prefect for an application with its rows in a database server, and its files in a tree."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recovery.settings import ApplicationSettings, ComponentSettings
from tests.testbed.engines import ENGINES, EngineServer
from tests.testbed.small_office import EXECUTOR, REQUESTER, web_service
from tests.testbed.web_service import kill_service

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow

NAME, DATABASE, SCHEDULE = "induk", "kepegawaian", "induk-bulanan"


@dataclass(frozen=True)
class Served:
    """The application, and the server with its rows."""

    office: "WorkingOffice"
    server: EngineServer
    files: Path

    def content(self) -> tuple[object, bytes]:
        return self.server.rows(DATABASE), (self.files / "satu.txt").read_bytes()


@pytest.fixture(scope="module", params=list(ENGINES))
def served(
    request: pytest.FixtureRequest, whole_office: "WorkingOffice", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The office has a second application for a while."""
    from deployments.apply import apply
    from tests.flows.working_office import inventory_of

    root = tmp_path_factory.mktemp("induk")
    files, state = root / "berkas", root / "layanan"
    files.mkdir()
    state.mkdir()
    (files / "satu.txt").write_bytes(b"satu" * 1000)
    server = ENGINES[request.param]()
    server.start()
    server.make(DATABASE)
    small = whole_office.small
    inventory = inventory_of(small)
    first = inventory.applications[0]
    application = ApplicationSettings(
        name=NAME,
        title="INDUK",
        owner_unit=first.owner_unit,
        owner_unit_title=first.owner_unit_title,
        host=first.host,
        services=[web_service(small.database, state)],
        components=[
            ComponentSettings(name="data", lock_timeout=5, **server.component(DATABASE)),
            ComponentSettings(name="berkas", kind="files", path=str(files)),
        ],
    )
    schedule = inventory.schedules[0].model_copy(update={"name": SCHEDULE, "applications": [NAME]})
    more = {"applications": [first, application], "schedules": [*inventory.schedules, schedule]}
    apply(inventory.model_copy(update=more))
    whole_office.switch_automations(False)
    subprocess.run(application.services[0].start, check=True)
    yield Served(whole_office, server, files)
    whole_office.close_what_is_open()
    apply(inventory, prune=True)
    whole_office.switch_automations(False)
    kill_service(state)
    server.remove()


# Nothing in a flow knows of engines: `make test` takes them through both procedures without Prefect.
@pytest.mark.endurance
def test_a_database_of_a_server_goes_through_both_procedures(served: Served) -> None:
    office, before = served.office, served.content()
    run = office.browser.start(
        f"Back Up Data/{SCHEDULE}", {"jadwal": SCHEDULE, "alasan_di_luar_jadwal": "Pengujian", "mengulang": ""}
    )
    assert "COMPLETED" == office.review(run)["type"]
    done = {key: row.state for key, row in office.steps(run).items() if key[0] == "backup.2"}
    assert {("backup.2", f"{NAME}/data"): "done", ("backup.2", f"{NAME}/berkas"): "done"} == done

    served.server.damage(DATABASE)
    (served.files / "satu.txt").unlink()
    restore = office.request_restore(aplikasi=NAME)
    office.approve_restore(restore)
    office.wait_for_question(restore, "restore.start")
    assert {"data": "pass", "berkas": "pass"} == {
        key.partition("/")[2]: part["verdict"] for key, part in office.rehearsal(restore).items()
    }
    assert not (served.files / "satu.txt").exists(), "nothing goes live before the executor says so"
    office.decide(restore, "restore.start", EXECUTOR, "mulai")
    office.decide(restore, "restore.8", REQUESTER, "sesuai")
    state = office.wait_for_end(restore)
    assert ("COMPLETED", "Completed") == (state["type"], state["name"])
    assert before == served.content()
    assert [] == office.ledger_findings()
