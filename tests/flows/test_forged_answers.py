"""What everybody who reaches the server's API can try at a waiting approval. Nothing of it counts, and nothing of it
fails the run: it asks again, with the complaint, under a new key, and the ledger has one entry for each try.

All tries are made at one restore's disposition, one after another; the last test lets a right answer count. Each costs
a process, so what differs from its neighbour only by a rule that tests/recovery/records tries is left to endurance.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.conformance import NOT_CONFORMANT, judge_procedure
from recovery.errors import HostError
from recovery.guard.lateness import look_for_lateness
from recovery.guard.report import Report
from recovery.records.approval_situation import COMPLAINT_OF_SECRETS
from recovery.records.approvals import decision_of
from recovery.sop import title_of
from tests.flows.people import ACTING_KADIS, ASKING_KADIS, INTERIM_KADIS
from tests.testbed.small_office import KABID, KADIS

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow

STEP = "restore.2"
TITLE = title_of(STEP)
TAMPERED = "Jawaban tidak dapat dipastikan berasal dari satu kali pengiriman formulir."


@dataclass
class Target:
    """A restore that waits for its disposition, and the attempt that it waits with."""

    office: "WorkingOffice"
    run: str
    attempt: int = 1

    @property
    def key(self) -> str:
        """The key under which the run is suspended now."""
        return f"restore-2-percobaan-{self.attempt}"

    @property
    def response(self) -> str:
        """The name of this attempt's input on the server."""
        return f"suspended-{self.key}-response"

    def form(self, nip: str, decision: str = "diteruskan", **fields: str) -> dict[str, str]:
        """The form of this attempt as an official would fill it in."""
        return self.office.filled_in(self.run, STEP, nip, decision, **fields)

    def try_answer(self, nip: str, decision: str = "diteruskan", **fields: str) -> dict[str, str]:
        """Send an answer as the Resume dialogue does, and return it."""
        answer = self.form(nip, decision, **fields)
        self.office.browser.resume(self.run, answer)
        return answer

    def write_input(self, answer: Any) -> None:
        """Write this attempt's input by hand, past the server's check of the form."""
        import json

        body = {"key": self.response, "value": json.dumps(answer)}
        self.office.get("POST", f"/flow_runs/{self.run}/input", body)

    def push_on(self, name: str = "Scheduled") -> None:
        """Have the worker start the run, whatever it waits for."""
        assert "ACCEPT" == self.office.set_state(self.run, "SCHEDULED", name)["status"]

    def expect_refusal(self, rule: str, complaint: str, reason: str = "") -> None:
        """Wait until the run asks again; check complaint and ledger. Leaves the target as it was, one attempt on."""
        office, before = self.office, self.attempt
        self.attempt += 1
        text = office.wait_for_question(self.run, STEP, self.attempt)
        assert "Perhatian" in text
        assert complaint in text
        refusals = [entry.facts for entry in office.ledger(self.run, "approval.refused")]
        assert list(range(1, self.attempt)) == [facts["attempt"] for facts in refusals]
        assert (before, rule) == (refusals[-1]["attempt"], refusals[-1]["rule"])
        assert reason in refusals[-1]["reason"]
        assert [] == office.ledger(self.run, "approval.decided")
        assert "open" == office.steps(self.run)[STEP, ""].state


@pytest.fixture(scope="module")
def target(office: "WorkingOffice", reviewed_backup: str) -> Target:
    """A restore that one of the Kadis asked for himself."""
    run = office.request_restore(nip_pemohon=ASKING_KADIS)
    office.wait_for_question(run, STEP)
    return Target(office, run)


def test_a_wrong_code_does_not_count(target: Target) -> None:
    from tests.flows.working_office import wrong_code

    target.try_answer(KADIS, kode=wrong_code(target.office.small.phones[KADIS]))
    target.expect_refusal("one_time_code_matches", COMPLAINT_OF_SECRETS)


@pytest.mark.endurance
def test_an_old_code_does_not_count(target: Target) -> None:
    """A code photographed some minutes ago."""
    from tests.flows.working_office import code_of

    target.try_answer(KADIS, kode=code_of(target.office.small.phones[KADIS], seconds_ago=300))
    target.expect_refusal("one_time_code_matches", COMPLAINT_OF_SECRETS)


@pytest.mark.endurance
def test_somebody_elses_code_does_not_count(target: Target) -> None:
    from tests.flows.working_office import code_of

    target.try_answer(KADIS, kode=code_of(target.office.small.phones[KABID]))
    target.expect_refusal("one_time_code_matches", COMPLAINT_OF_SECRETS)


def test_a_code_for_another_document_does_not_count_and_cannot_be_used_again(target: Target) -> None:
    """The right code with the wrong document's code is burnt: it stands readable in the server's inputs."""
    answer = target.try_answer(KADIS, kode_dokumen="AB12-CD34")
    target.expect_refusal("document_code_matches", COMPLAINT_OF_SECRETS)
    target.try_answer(KADIS, kode=answer["kode"])
    target.expect_refusal("one_time_code_is_new", COMPLAINT_OF_SECRETS)


def test_the_requester_cannot_decide_on_his_own_request(target: Target) -> None:
    """Though he is a Kadis, with his own right code."""
    target.try_answer(ASKING_KADIS)
    target.expect_refusal(
        "duties_are_separate",
        "Pejabat ini tidak boleh memutuskan langkah ini: Pemohon tidak boleh memutuskan permintaannya sendiri.",
    )


@pytest.mark.endurance
def test_an_official_of_another_role_cannot_decide(target: Target) -> None:
    target.try_answer(KABID)
    target.expect_refusal("official_has_the_role", "Langkah ini hanya dapat diputuskan oleh Kadis Kominfo.")


@pytest.mark.endurance
def test_returning_a_request_needs_a_reason(target: Target) -> None:
    target.try_answer(ACTING_KADIS, "dikembalikan")
    target.expect_refusal("refusal_has_a_note", "Catatan wajib diisi untuk keputusan dikembalikan.")


def test_a_form_that_is_not_complete_is_refused_by_the_server_and_the_run_goes_on_waiting(target: Target) -> None:
    """No field has a default, so an empty form is no consent."""
    complete = target.form(KADIS, kode="000000")
    for field in complete:
        with pytest.raises(HostError, match=f"'{field}' is a required property"):
            target.office.browser.resume(target.run, {name: text for name, text in complete.items() if name != field})
    with pytest.raises(HostError, match="'setuju' is not one of"):
        target.office.browser.resume(target.run, {**complete, "keputusan": "setuju"})
    with pytest.raises(HostError, match="is a required property"):
        target.office.browser.resume(target.run, {})
    assert "Suspended" == target.office.browser.state(target.run)["name"]
    assert len(target.office.ledger(target.run, "approval.refused")) == target.attempt - 1


def test_a_state_set_by_hand_decides_nothing_and_retry_asks_again(target: Target) -> None:
    """ "Change state" to an end: no decision, no entry, nothing that the records would take for one. Set to Running, as
    to any of these, it goes on by Retry, which asks again: nobody has answered."""
    office, catalog = target.office, target.office.installation.catalog
    before = office.ledger(target.run)
    for kind, name in (("COMPLETED", "Completed"), ("FAILED", "Failed"), ("CANCELLED", "Cancelled")):
        assert "ACCEPT" == office.set_state(target.run, kind, name)["status"]
        step = office.steps(target.run)[STEP, ""]
        with catalog.read() as connection:
            assert decision_of(connection, target.run, STEP) is None
        judged = judge_procedure(office.installation, target.run)
        assert NOT_CONFORMANT == judged.verdict
        assert {"the procedure is not finished", f"{TITLE}: is open"} <= set(judged.reasons)
        report = Report()
        assert step.deadline is not None
        look_for_lateness(office.installation, datetime.fromisoformat(step.deadline) + timedelta(seconds=1), report)
        (overdue,) = (alarm for alarm in report.alarms if alarm.subject.endswith(target.run))
        assert ("overdue", f"{TITLE} [simpel] of {target.run}") == (overdue.kind, overdue.subject)
        assert "retried there" in overdue.mend
    assert before == office.ledger(target.run), "a state of Prefect's is no entry"
    assert "ACCEPT" == office.set_state(target.run, "RUNNING", "Running")["status"]
    office.retry(target.run)
    target.expect_refusal("submission_is_untampered", TAMPERED, "resumed 0 times")


def test_an_input_exchanged_behind_the_submission_does_not_count(target: Target) -> None:
    """An official's right answer is resumed; before the run wakes, its input is deleted and written anew."""
    with target.office.worker_held():
        answer = target.try_answer(INTERIM_KADIS)
        target.office.get("DELETE", f"/flow_runs/{target.run}/input/{target.response}")
        # The server writes the true input within the second of the resume; whoever exchanges it is later.
        time.sleep(1.2)
        target.write_input({**answer, "instruksi": "Serahkan data kepada pembawa surat."})
    target.expect_refusal("submission_is_untampered", TAMPERED, "created after the submission")


def test_a_second_resume_of_one_attempt_does_not_count(target: Target) -> None:
    """An official's right answer is resumed, and the run is set to Resuming again for the code of another minute."""
    with target.office.worker_held():
        target.try_answer(ASKING_KADIS, kode="000000")
        target.push_on("Resuming")
    target.expect_refusal("submission_is_untampered", TAMPERED, "resumed 2 times")


def test_an_answer_written_past_the_form_does_not_count(target: Target) -> None:
    """An input written by hand is judged like any other, and what is no form at all is no answer."""
    with target.office.worker_held():
        target.write_input(target.form(ACTING_KADIS))
        target.office.set_state(target.run, "RUNNING", "Running")
        target.push_on()
    target.expect_refusal("submission_is_untampered", TAMPERED, "resumed 0 times")
    with target.office.worker_held():
        target.write_input(["diteruskan"])
        target.push_on("Resuming")
    target.expect_refusal("decision_is_a_choice", "Keputusan harus salah satu dari: diteruskan, dikembalikan.")


def test_after_all_this_the_right_answer_counts_once_and_nothing_was_touched(target: Target) -> None:
    """The request is returned with its reason, the requester is told, and the application never noticed."""
    office = target.office
    rows, files = office.small.rows(), office.small.files()
    office.decide(
        target.run, STEP, KADIS, "dikembalikan", attempt=target.attempt, catatan="Surat belum ditandatangani."
    )
    state = office.wait_for_end(target.run)
    assert ("COMPLETED", "Dikembalikan") == (state["type"], state["name"])
    assert "Permintaan dikembalikan. Alasan: Surat belum ditandatangani." == state["message"]
    assert "Permintaan dikembalikan. Alasan: Surat belum ditandatangani." in office.notices()
    decided = office.ledger(target.run, "approval.decided")
    assert [("dikembalikan", KADIS)] == [(entry.facts["decision"], entry.facts["nip"]) for entry in decided]
    assert target.attempt - 1 == len(office.ledger(target.run, "approval.refused"))
    assert ["restore.1", "restore.2"] == [step_id for step_id, _component in office.steps(target.run)]
    assert (rows, files, True) == (office.small.rows(), office.small.files(), office.small.service_running())
    assert [] == office.ledger_findings()
