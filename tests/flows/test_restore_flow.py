"""The restore procedure as the UI drives it: the request form, four officials, and the data is back."""

import json
from typing import TYPE_CHECKING

import pytest

from recovery import sop
from tests.testbed.small_office import EXECUTOR, KABID, KADIS, REQUESTER, restore_request

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow


def test_damaged_data_is_restored_through_four_officials(office: "WorkingOffice", reviewed_backup: str) -> None:
    """Every step in the SOP's words and order, each done once although the flow started five times."""
    rows, files = office.small.rows(), office.small.files()
    service = (office.small.service_state / "pid").read_text()
    office.small.damage()

    run = office.request_restore()
    assert "SHA-256 surat" in office.wait_for_question(run, "restore.2")
    office.decide(run, "restore.2", KADIS, "diteruskan")
    office.decide(run, "restore.3", KABID, "disetujui")
    office.wait_for_question(run, "restore.start")
    assert rows != office.small.rows(), "nothing is changed before the executor says so"
    assert service == (office.small.service_state / "pid").read_text()
    office.decide(run, "restore.start", EXECUTOR, "mulai")
    office.wait_for_question(run, "restore.8")
    assert (rows, files) == (office.small.rows(), office.small.files())
    assert office.small.service_running()
    assert service != (office.small.service_state / "pid").read_text(), "the service was stopped and started"
    office.decide(run, "restore.8", REQUESTER, "sesuai")
    state = office.wait_for_end(run)

    assert ("COMPLETED", "Completed") == (state["type"], state["name"])
    assert "Data dipulihkan, lama henti " in state["message"]
    assert state["message"].endswith("; pemohon menyatakan sesuai.")
    wanted = [step.id for step in sop.steps_of("restore")]
    assert [sop.step(step_id).title for step_id in wanted] == list(dict.fromkeys(office.task_names(run)))
    assert {(step_id, "") for step_id in wanted} == set(office.steps(run))
    assert {("done", 1)} == {(row.state, row.tries) for row in office.steps(run).values()}
    assert wanted == [entry.step_id for entry in office.ledger(run, "step.done")]
    assert 4 == len(office.ledger(run, "approval.decided"))
    assert 4 == office.states(run).count("Suspended") == office.states(run).count("Resuming")
    shown = office.get("GET", f"/flow_runs/{run}")
    assert "Restore SIMPEL · surat 800/045/BKD/2026" == shown["name"]
    assert {"pulih", "sop", "restore", "aplikasi:simpel"} == set(shown["tags"])
    assert [] == office.ledger_findings()


def test_the_request_form_offers_the_applications_and_speaks_indonesian(office: "WorkingOffice") -> None:
    """The UI draws the form from this schema."""
    schema = office.get("GET", "/deployments/name/Restore Data/restore")["parameter_openapi_schema"]
    assert ["formulir"] == schema["required"]
    assert "Formulir Permintaan Restore Data" == schema["properties"]["formulir"]["title"]
    fields = schema["definitions"]["RestoreRequest"]["properties"]
    assert ["simpel"] == fields["aplikasi"]["enum"]
    assert "NIP pemohon" == fields["nip_pemohon"]["title"]
    assert ["setuju"] in (fields["setuju_kehilangan_data"].get("enum"), [fields["setuju_kehilangan_data"].get("const")])


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("nomor_surat", None, "nomor_surat"),
        ("nip_pemohon", "123", "123"),
        ("aplikasi", "lain", "lain"),
        ("setuju_kehilangan_data", "tidak", "setuju"),
    ],
)
def test_the_server_refuses_a_request_that_is_not_filled_in(
    office: "WorkingOffice", field: str, value: str | None, words: str
) -> None:
    """It names what is wrong, and no run is created."""
    form = restore_request().model_dump(mode="json") | {field: value}
    if value is None:
        del form[field]
    deployment = office.get("GET", "/deployments/name/Restore Data/restore")["id"]
    before = office.get("POST", "/flow_runs/count", {})
    answer = office.ask("POST", f"/deployments/{deployment}/create_flow_run", {"parameters": {"formulir": form}})
    assert 409 == answer.status_code
    assert "Validation failed for field" in answer.text
    assert words in json.dumps(answer.json())
    assert before == office.get("POST", "/flow_runs/count", {})
