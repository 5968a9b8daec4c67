"""How a restore ends that is not carried out, and starts that are refused with a sentence."""

from typing import TYPE_CHECKING

import pytest

from tests.testbed.small_office import EXECUTOR, KABID, KADIS

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow


def test_a_rejected_request_ends_as_ditolak_and_the_requester_is_told_why(
    office: "WorkingOffice", reviewed_backup: str
) -> None:
    """Rejecting needs a reason; while the request is open no second one is taken for the same application."""
    rows = office.small.rows()
    run = office.request_restore()
    office.wait_for_question(run, "restore.2")
    second = office.request_restore()
    state = office.wait_for_end(second)
    assert ("FAILED", "Failed") == (state["type"], state["name"])
    assert "ConflictError" in state["message"]
    assert run in state["message"], "the sentence names the restore that is open"
    assert {} == office.steps(second)

    office.decide(run, "restore.2", KADIS, "diteruskan")
    office.decide(run, "restore.3", KABID, "ditolak")
    assert "Catatan wajib diisi untuk keputusan ditolak." in office.wait_for_question(run, "restore.3", 2)
    office.decide(run, "restore.3", KABID, "ditolak", attempt=2, catatan="Pemohon tidak berwenang.")
    state = office.wait_for_end(run)
    assert ("COMPLETED", "Ditolak") == (state["type"], state["name"])
    assert "Permintaan ditolak. Alasan: Pemohon tidak berwenang." == state["message"]
    assert "Permintaan ditolak. Alasan: Pemohon tidak berwenang." in office.notices()
    assert "rehearsal" not in (office.steps(run)["restore.3", ""].evidence or {})
    assert (rows, True) == (office.small.rows(), office.small.service_running())


@pytest.mark.endurance
def test_a_restore_that_the_executor_calls_off_ends_as_dibatalkan_and_leaves_no_copies(
    office: "WorkingOffice", reviewed_backup: str
) -> None:
    """The rehearsed copies beside the live data are gone; the service never stopped."""
    rows, files = office.small.rows(), office.small.files()
    service = (office.small.service_state / "pid").read_text()
    run = office.request_restore()
    office.approve_restore(run)
    office.wait_for_question(run, "restore.start")
    rehearsed = {key: result["copy"] for key, result in office.rehearsal(run).items()}
    for component, copy in rehearsed.items():
        assert [copy] == [name for name in office.installation.source(component).copies() if name == copy]
    office.decide(run, "restore.start", EXECUTOR, "batalkan", catatan="Unit kerja meminta waktu lain.")
    state = office.wait_for_end(run)
    assert ("COMPLETED", "Dibatalkan") == (state["type"], state["name"])
    assert "Restore dibatalkan. Alasan: Unit kerja meminta waktu lain." == state["message"]
    assert "Restore dibatalkan. Alasan: Unit kerja meminta waktu lain." in office.notices()
    for component, copy in rehearsed.items():
        assert copy not in office.installation.source(component).copies()
    assert ["restore.1", "restore.2", "restore.3"] == [step_id for step_id, _component in office.steps(run)]
    assert (rows, files, True) == (office.small.rows(), office.small.files(), office.small.service_running())
    assert service == (office.small.service_state / "pid").read_text()


def test_a_backup_that_the_schedule_did_not_start_needs_a_reason(office: "WorkingOffice") -> None:
    """By the deployment for it the server asks; by the schedule's own the flow does, with a sentence."""
    from tests.flows.working_office import OUT_OF_SCHEDULE

    deployment = office.get("GET", f"/deployments/name/{OUT_OF_SCHEDULE}")["id"]
    for parameters, word in (
        ({"jadwal": "bulanan"}, "alasan_di_luar_jadwal"),
        ({"jadwal": "bulanan", "alasan_di_luar_jadwal": "-"}, "alasan_di_luar_jadwal"),
        ({"jadwal": "mingguan", "alasan_di_luar_jadwal": "Sebelum pemindahan server"}, "mingguan"),
    ):
        answer = office.ask("POST", f"/deployments/{deployment}/create_flow_run", {"parameters": parameters})
        assert 409 == answer.status_code
        assert word in answer.text
    run = office.back_up(reason="")
    state = office.wait_for_end(run)
    assert "FAILED" == state["type"]
    assert "a backup out of schedule needs a reason" in state["message"]
    assert {} == office.steps(run)
