"""Asking and answering: attempts, replays, one use of a code whatever happens at once, expiry, and what is recorded."""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from recovery.errors import ApprovalError, ConflictError, NotFoundError, ProcedureError, RecordsError
from recovery.records import ledger, procedures, schema
from recovery.records.approval_requests import request_by_id, seal
from recovery.records.approval_rules import CHANGED_COMPLAINT, UNASKABLE_COMPLAINT
from recovery.records.approval_situation import COMPLAINT_OF_SECRETS
from recovery.records.approvals import (
    ApprovalRequest,
    Decision,
    RefusedError,
    ask,
    awaited,
    decision_of,
    expire,
    sealed_decision_of,
)
from recovery.records.catalog import Catalog
from tests.recovery.records.approval_office import DAY, KABID, KADIS, NOW, REQUESTER, Office, office_in

USES = 8


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with office_in(tmp_path) as office:
        yield office


@pytest.fixture
def any_office(catalog: Catalog) -> Office:
    """The office on SQLite and on PostgreSQL in turn, for what leans on transactions."""
    return Office(catalog).open()


def intact(office: Office) -> bool:
    with office.catalog.read() as connection:
        return ledger.verify(connection) == []


# --- asking --------------------------------------------------------------------------------------------------------


def test_a_question_is_asked_once_however_often_the_flow_comes_by(office: Office) -> None:
    first = office.ask()
    second = office.ask(now=NOW + DAY)

    assert first == second
    assert (first.attempt, first.key, first.complaint) == (1, "restore-3-percobaan-1", "")
    assert len(office.entries("approval.asked")) == 1


def test_a_request_says_what_it_asks_and_its_ledger_entry_names_its_hash(office: Office) -> None:
    asked = office.ask()

    assert asked.document == office.question().document
    assert asked.expires_at == "2026-12-04T15:00:03.000000+00:00"
    assert len(asked.code) == 9
    assert office.entries("approval.asked") == [
        {
            "request_id": asked.id,
            "attempt": 1,
            "request_hash": asked.hash,
            "roles": ["kabid"],
            "only": [],
            "excluded": [REQUESTER],
            "expires_at": asked.expires_at,
        }
    ]


def test_the_same_question_has_another_hash_and_code_in_every_attempt_step_and_run(office: Office) -> None:
    office.procedure("run-2")
    first = office.ask()
    office.refused(first, code="")
    requests = [first, office.ask(), office.ask(step_id="restore.2"), office.ask(procedure_id="run-2")]

    assert len({request.hash for request in requests}) == 4
    assert len({request.code for request in requests}) == 4
    assert len({request.key for request in requests if request.procedure_id == "run-1"}) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"document": {"aplikasi": "LAIN"}},
        {"binding": {"request_hash": "cc" * 32}},
        {"excluded": {}},
        {"only": (KABID,)},
        {"refusals": ()},
        {"choices": ("disetujui", "ditolak", "ditunda")},
    ],
)
def test_a_changed_question_is_asked_anew_and_says_so(office: Office, changes: dict[str, Any]) -> None:
    first = office.ask()
    second = office.ask(**changes)

    assert (second.attempt, second.complaint) == (2, CHANGED_COMPLAINT)
    assert len(office.entries("approval.superseded")) == 1
    # What the official typed for the first document is of no use for the second.
    assert "terakhir" in office.refused(first).complaint
    assert office.ask(**changes) == second


def test_the_order_of_what_has_no_order_does_not_make_another_question(office: Office) -> None:
    first = office.ask(roles=("kabid", "kadis"), only=(KABID, KADIS))

    assert office.ask(roles=("kadis", "kabid"), only=(KADIS, KABID)) == first


def test_several_askers_at_once_get_the_same_request(any_office: Office) -> None:
    found: list[ApprovalRequest] = []
    barrier = threading.Barrier(USES)

    def run() -> None:
        barrier.wait()
        found.append(any_office.ask())

    threads = [threading.Thread(target=run) for _ in range(USES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == USES
    assert len({request.id for request in found}) == 1


# --- deciding ------------------------------------------------------------------------------------------------------


def test_a_right_answer_is_a_decision_with_one_row_and_one_ledger_entry(any_office: Office) -> None:
    asked = any_office.ask()

    decision = any_office.answer(asked, note="sudah diperiksa", answers={"jenis_data_sesuai": True})

    assert decision == Decision(
        request_id=asked.id,
        procedure_id="run-1",
        step_id="restore.3",
        nip=KABID,
        decision="disetujui",
        note="sudah diperiksa",
        answers={"jenis_data_sesuai": True},
        method="totp",
        submitted_at="2026-11-20T15:00:03.000000+00:00",
        recorded_at="2026-11-20T15:07:03.000000+00:00",
        time_step=int(NOW.timestamp()) // 30,
        request_hash=asked.hash,
        binding=any_office.question().binding,
        seal=decision.seal,
    )
    with any_office.catalog.read() as connection:
        assert decision == sealed_decision_of(connection, "run-1", "restore.3", any_office.key)
        assert decision == decision_of(connection, "run-1", "restore.3")
    (entry,) = any_office.entries("approval.decided")
    assert (entry["nip"], entry["decision"], entry["request_hash"], entry["binding"], entry["attempt"]) == (
        KABID,
        "disetujui",
        asked.hash,
        decision.binding,
        1,
    )
    assert any_office.rules_broken() == []
    assert intact(any_office)


def test_free_text_stays_out_of_the_ledger_but_is_bound_by_it(office: Office) -> None:
    office.answer(office.ask(), note="catatan-pribadi", answers={"isian": "jawaban-pribadi"})

    (entry,) = office.entries("approval.decided")
    assert "pribadi" not in str(entry)
    assert len(entry["note_sha256"]) == len(entry["answers_sha256"]) == 64


def test_a_decided_question_returns_its_decision_and_is_never_asked_again(office: Office) -> None:
    decision = office.answer(office.ask())

    assert decision == ask(office.catalog, office.question(), lifetime=DAY, now=NOW + 30 * DAY)
    assert len(office.entries("approval.asked")) == 1


def test_a_decision_on_one_thing_is_not_returned_for_another(office: Office) -> None:
    office.answer(office.ask())

    with pytest.raises(ConflictError, match=r"the decision on restore\.3 of run-1 was given for something else"):
        ask(office.catalog, office.question(binding={"target": "lain"}), lifetime=DAY, now=NOW)


def test_a_decision_and_its_ledger_entry_stand_or_fall_together(any_office: Office) -> None:
    asked = any_office.ask()
    with any_office.catalog.begin() as connection:
        # Somebody took the place of the row: the insertion fails after the ledger's and the request's changes.
        row = dict.fromkeys(("procedure_id", "step_id", "nip", "decision", "method", "submitted_at"), "x")
        connection.execute(
            insert(schema.decisions).values(request_id=asked.id, recorded_at="x", request_hash="x", **row)
        )

    with pytest.raises(RecordsError):
        any_office.answer(asked)

    assert any_office.entries("approval.decided") == []
    assert any_office.ask().state == "open"
    with any_office.catalog.read() as connection:
        assert connection.execute(select(schema.burnt_codes)).all() == []


# --- refusing ------------------------------------------------------------------------------------------------------


def test_a_wrong_answer_opens_the_next_attempt_and_leaves_exactly_one_ledger_entry(any_office: Office) -> None:
    asked = any_office.ask()

    refusal = any_office.refused(asked, code=any_office.wrong_code(KABID))

    assert str(refusal) == (
        "the answer to restore.3 (attempt 1) does not count; the refusal is recorded, attempt 2 waits\n"
        "HINT: answer the newest request, with its own document code and a fresh one-time code"
    )
    assert isinstance(refusal, ApprovalError)
    following = any_office.ask()
    assert (
        following.attempt,
        following.key,
        following.complaint,
    ) == (2, "restore-3-percobaan-2", COMPLAINT_OF_SECRETS)
    assert following.code != asked.code
    # A wrong answer buys no time.
    assert following.expires_at == asked.expires_at
    (entry,) = any_office.entries("approval.refused")
    assert (entry["rule"], entry["nip"], entry["next"]["request_hash"]) == (
        "one_time_code_matches",
        KABID,
        following.hash,
    )
    assert entry["reason"] == "the one-time code is not the official's at the submission time"
    assert len(any_office.entries("approval.asked")) == 1
    assert intact(any_office)


def test_after_a_wrong_answer_the_right_one_counts(office: Office) -> None:
    office.refused(office.ask(), code=office.wrong_code(KABID))

    assert office.answer(office.ask()).decision == "disetujui"


def test_an_answer_to_a_replaced_attempt_is_refused_and_opens_nothing(office: Office) -> None:
    first = office.ask()
    office.refused(first, code=office.wrong_code(KABID))

    refusal = office.refused(first)

    assert refusal.complaint == (
        "Permintaan ini sudah diganti dengan permintaan yang baru. Jawablah permintaan yang terakhir."
    )
    assert refusal.state == "the refusal is recorded, nothing else changed"
    assert office.ask().attempt == 2


def test_an_answer_to_a_closed_procedure_is_refused_and_nothing_more_is_asked(office: Office) -> None:
    """Whoever answers after `pulih close` decides nothing; what was decided before it stands."""
    asked = office.ask()
    office.procedure("run-2")
    before = office.answer(office.ask(procedure_id="run-2"))
    for run in ("run-1", "run-2"):
        procedures.close_procedure(office.catalog, run, procedures.GIVEN_UP)

    refusal = office.refused(asked, at=NOW + timedelta(minutes=2))
    assert refusal.complaint == "Permintaan ini sudah ditutup; jawaban ini tidak dipakai."
    assert refusal.state == "the refusal is recorded, nothing else changed"
    assert awaited(office.catalog, "run-1", "restore.3") is None, "judged once, however often the run comes again"
    with office.catalog.read() as connection:
        assert decision_of(connection, "run-1", "restore.3") is None
    assert [("request_is_open", "the procedure is closed")] == [
        (facts["rule"], facts["reason"]) for facts in office.entries("approval.refused")
    ]
    with pytest.raises(ProcedureError) as caught:
        office.ask()
    assert str(caught.value) == (
        "restore.3 of run-1 is decided by nobody any more: the procedure is closed; what was recorded stands\n"
        "HINT: start a new run"
    )
    again = ask(office.catalog, office.question(procedure_id="run-2"), lifetime=DAY, now=NOW)
    assert again == before


def test_an_answer_to_a_decided_step_is_refused_and_changes_nothing(office: Office) -> None:
    asked = office.ask()
    decision = office.answer(asked)

    refusal = office.refused(asked, decision="ditolak", note="berubah pikiran", at=NOW + timedelta(minutes=2))

    assert refusal.complaint == "Langkah ini sudah diputuskan; jawaban ini tidak dipakai."
    with office.catalog.read() as connection:
        assert decision == decision_of(connection, "run-1", "restore.3")
    assert office.rules_broken() == ["request_is_open"]


def test_an_answer_to_a_request_that_never_was_is_an_error(office: Office) -> None:
    asked = office.ask()
    with office.catalog.begin() as connection:
        connection.execute(schema.approval_requests.delete())

    with pytest.raises(NotFoundError, match=f"there is no approval request {asked.id}; nothing was decided"):
        office.answer(asked)


# --- approve A, execute B -----------------------------------------------------------------------------------------


def test_an_answer_meant_for_one_request_does_not_decide_another(office: Office) -> None:
    office.procedure("run-2")
    seen, other = office.ask(), office.ask(procedure_id="run-2")

    office.refused(other, document_code=seen.code)

    assert office.rules_broken() == ["document_code_matches"]


def test_a_request_that_changed_after_it_was_shown_is_refused(office: Office) -> None:
    asked = office.ask()
    with office.catalog.begin() as connection:
        changed = asked.sealed.replace("SIMPEL", "SIKEPO")
        table = schema.approval_requests
        connection.execute(update(table).where(table.c.id == asked.id).values(document=changed))

    refusal = office.refused(asked)

    assert refusal.complaint == (
        "Dokumen permintaan berubah sejak ditampilkan. Periksa permintaan yang baru, lalu putuskan kembali."
    )
    assert office.rules_broken() == ["document_is_unchanged"]
    # The next request comes from the flow's question and not from the changed text.
    following = office.ask()
    assert (following.attempt, following.document["aplikasi"]) == (2, "SIMPEL")


def test_a_request_changed_together_with_its_hash_is_refused_because_another_was_shown(office: Office) -> None:
    shown = office.ask()
    changed = seal(office.question(document={"aplikasi": "LAIN"}), 1, "00" * 16, shown.lifetime_seconds)
    with office.catalog.begin() as connection:
        values = {"document": changed, "hash": hashlib.sha256(changed.encode()).hexdigest()}
        connection.execute(update(schema.approval_requests).values(**values))

    office.refused(shown)

    assert office.rules_broken() == ["document_is_unchanged"]


def test_a_request_put_in_the_place_of_another_attempt_is_refused(office: Office) -> None:
    first = office.ask()
    office.ask(document={"aplikasi": "LAIN"})
    with office.catalog.begin() as connection:
        table = schema.approval_requests
        second = connection.execute(select(table).where(table.c.attempt == 2)).mappings().one()
        values = {"document": second["document"], "hash": second["hash"], "state": "open"}
        connection.execute(update(table).where(table.c.id == first.id).values(**values))
        misplaced = request_by_id(connection, first.id)

    office.refused(misplaced)

    assert office.rules_broken() == ["document_is_unchanged"]


def test_the_same_question_in_another_catalog_has_another_code(office: Office, any_office: Office) -> None:
    # A catalog that was lost and made anew counts its attempts from one again; the nonce keeps old answers out.
    here, there = office.ask(), any_office.ask()

    assert (here.procedure_id, here.key, here.document) == (there.procedure_id, there.key, there.document)
    assert here.hash != there.hash
    assert here.code != there.code


def test_rules_come_from_the_hashed_text_and_not_from_the_columns_beside_it(office: Office) -> None:
    asked = office.ask()
    with office.catalog.begin() as connection:
        everything = {"roles": '["kadis"]', "excluded": "{}", "choices": '["apa saja"]', "code": "0000-0000"}
        connection.execute(update(schema.approval_requests).values(**everything))

    assert "Kabid Aptika" in office.refused(asked, nip=KADIS).complaint
    assert "disetujui, ditolak" in office.refused(office.ask(), decision="apa saja").complaint


# --- replays -------------------------------------------------------------------------------------------------------


def test_a_code_decides_once_and_not_again_in_another_run_or_step(any_office: Office) -> None:
    any_office.procedure("run-2")
    any_office.answer(any_office.ask())

    for terms in ({"procedure_id": "run-2"}, {"step_id": "restore.2"}):
        refusal = any_office.refused(
            any_office.ask(**terms), at=NOW + timedelta(seconds=5), code=any_office.code(KABID)
        )
        assert refusal.complaint == COMPLAINT_OF_SECRETS
    assert any_office.rules_broken() == ["one_time_code_is_new"] * 2
    # Re-using is no guess: whoever signs two requests in half a minute is asked to wait and is not locked.
    assert any_office.official(KABID).failures == 0
    next_code = NOW + timedelta(seconds=30)
    assert any_office.answer(any_office.ask(procedure_id="run-2"), at=next_code).decision == "disetujui"


def test_an_earlier_code_does_not_count_after_a_later_one(office: Office) -> None:
    office.procedure("run-2")
    office.answer(office.ask(), code=office.code(KABID, NOW + timedelta(seconds=30)))

    office.refused(office.ask(procedure_id="run-2"), code=office.code(KABID, NOW))

    assert office.rules_broken() == ["one_time_code_is_new"]


def test_a_code_read_from_a_refused_answer_cannot_be_used_by_whoever_read_it(office: Office) -> None:
    # The official forgot the note; his right code now stands in Prefect's input for everybody to read.
    office.refused(office.ask(), decision="ditolak")

    office.refused(office.ask(), decision="disetujui", at=NOW + timedelta(seconds=20), code=office.code(KABID))

    assert office.rules_broken() == ["refusal_has_a_note", "one_time_code_is_new"]
    assert office.entries("approval.refused")[0]["burnt_time_step"] == int(NOW.timestamp()) // 30


def test_a_renewed_device_does_not_bring_burnt_time_steps_back(office: Office) -> None:
    office.procedure("run-2")
    office.answer(office.ask())
    office.enrol(KABID, renew=True)

    office.refused(office.ask(procedure_id="run-2"))

    assert office.rules_broken() == ["one_time_code_is_new"]


def test_the_code_of_a_lost_device_does_not_count_after_the_renewal(office: Office) -> None:
    lost = office.code(KABID)
    office.enrol(KABID, renew=True)

    office.refused(office.ask(), code=lost)

    assert office.rules_broken() == ["one_time_code_matches"]


def test_two_officials_may_use_the_same_time_step(office: Office) -> None:
    office.answer(office.ask())

    assert office.answer(office.ask(step_id="restore.2", roles=("kadis",)), nip=KADIS).nip == KADIS


# --- many at once --------------------------------------------------------------------------------------------------


def in_threads(office: Office, requests: list[ApprovalRequest]) -> list[str]:
    """Answer all requests at the same moment with one and the same code; return what became of each."""
    outcomes: list[str] = []
    barrier = threading.Barrier(len(requests))

    def run(request: ApprovalRequest) -> None:
        barrier.wait()
        try:
            outcomes.append(office.answer(request).decision)
        except RefusedError:
            outcomes.append("refused")

    threads = [threading.Thread(target=run, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_of_eight_uses_of_one_code_on_one_request_exactly_one_is_accepted(any_office: Office) -> None:
    outcomes = in_threads(any_office, [any_office.ask()] * USES)

    assert sorted(outcomes) == ["disetujui"] + ["refused"] * (USES - 1)
    assert any_office.rules_broken() == ["request_is_open"] * (USES - 1)
    assert len(any_office.entries("approval.decided")) == 1
    assert intact(any_office)


def test_of_eight_uses_of_one_code_on_eight_requests_exactly_one_is_accepted(any_office: Office) -> None:
    for number in range(2, USES + 1):
        any_office.procedure(f"run-{number}")
    outcomes = in_threads(any_office, [any_office.ask(procedure_id=f"run-{number}") for number in range(1, USES + 1)])

    assert sorted(outcomes) == ["disetujui"] + ["refused"] * (USES - 1)
    assert any_office.rules_broken() == ["one_time_code_is_new"] * (USES - 1)
    assert len(any_office.entries("approval.decided")) == 1
    assert intact(any_office)


def test_eight_wrong_codes_at_once_are_counted_one_by_one(any_office: Office) -> None:
    for number in range(2, USES + 1):
        any_office.procedure(f"run-{number}")
    wrong = any_office.wrong_code(KABID)
    barrier = threading.Barrier(USES)

    def run(request: ApprovalRequest) -> None:
        barrier.wait()
        any_office.refused(request, code=wrong)

    requests = [any_office.ask(procedure_id=f"run-{number}") for number in range(1, USES + 1)]
    threads = [threading.Thread(target=run, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(any_office.rules_broken()) == ["official_is_not_locked"] * 3 + ["one_time_code_matches"] * 5
    assert any_office.official(KABID).failures == 5


ANSWERING_PROCESS = """
import json, sys
from datetime import datetime
from recovery.records.approvals import Answer, RefusedError, Submission, answer
from recovery.records.approval_requests import request_by_id
from recovery.records.catalog import open_catalog

task = json.loads(sys.stdin.readline())
catalog = open_catalog(task["url"])
for use in task["uses"]:
    with catalog.read() as connection:
        request = request_by_id(connection, use["request"])
    at = datetime.fromisoformat(use["at"])
    typed = Answer("disetujui", task["nip"], request.code, use["code"])
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        given, key = Submission(at, at, 1), bytes.fromhex(task["key"])
        outcome = answer(catalog, request, typed, given, question=request.question, key=key).decision
    except RefusedError:
        outcome = "refused"
    print(outcome, flush=True)
"""


def in_processes(office: Office, url: str, uses: list[list[dict[str, str]]]) -> list[list[str]]:
    """Let as many processes answer, in rounds: nobody begins a round before all stand before its door."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ANSWERING_PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for _ in uses
    ]

    def tell(line: Callable[[int], str]) -> None:
        for number, process in enumerate(processes):
            assert process.stdin is not None
            process.stdin.write(line(number) + "\n")
            process.stdin.flush()

    def hear() -> list[str]:
        return [process.stdout.readline().strip() for process in processes if process.stdout]

    try:
        tell(lambda number: json.dumps({"url": url, "nip": KABID, "key": office.key.hex(), "uses": uses[number]}))
        outcomes = []
        for _round in uses[0]:
            assert hear() == ["ready"] * len(processes)
            tell(lambda _number: "go")
            outcomes.append(sorted(hear()))
        return outcomes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_of_eight_uses_of_one_code_in_eight_processes_exactly_one_is_accepted(
    any_office: Office, catalog_url: str
) -> None:
    """First on one and the same request, then, with the next code, on eight different ones."""
    later = NOW + timedelta(seconds=30)
    one = {"request": any_office.ask().id, "at": NOW.isoformat(), "code": any_office.code(KABID)}
    uses = []
    for number in range(2, USES + 2):
        any_office.procedure(f"run-{number}")
        request = any_office.ask(procedure_id=f"run-{number}")
        uses.append([one, {"request": request.id, "at": later.isoformat(), "code": any_office.code(KABID, later)}])

    assert in_processes(any_office, catalog_url, uses) == [["disetujui"] + ["refused"] * (USES - 1)] * 2
    # Each that did not count has left its entry, with the true reason.
    refused = ["request_is_open"] * (USES - 1) + ["one_time_code_is_new"] * (USES - 1)
    assert any_office.rules_broken() == refused
    assert len(any_office.entries("approval.decided")) == 2
    assert intact(any_office)


# --- expiry --------------------------------------------------------------------------------------------------------


def test_silence_is_never_consent(any_office: Office) -> None:
    asked = any_office.ask()
    later = NOW + 14 * DAY + timedelta(seconds=1)

    assert expire(any_office.catalog, NOW + 14 * DAY) == []
    assert [asked.id] == [request.id for request in expire(any_office.catalog, later)]
    assert expire(any_office.catalog, later) == []

    with any_office.catalog.read() as connection:
        assert decision_of(connection, "run-1", "restore.3") is None
    (entry,) = any_office.entries("approval.expired")
    assert entry["request_hash"] == asked.hash


@pytest.mark.parametrize("guard_came_by", [True, False])
def test_an_expired_request_is_asked_again_with_the_reason(office: Office, guard_came_by: bool) -> None:
    office.ask()
    later = NOW + 15 * DAY
    if guard_came_by:
        expire(office.catalog, later)

    renewed = office.ask(now=later)

    assert renewed.attempt == 2
    assert renewed.complaint == (
        "Permintaan sebelumnya lewat batas waktu pada Jumat, 4 Desember 2026 pukul 22.00.03 WIB tanpa keputusan "
        "yang sah. Diam tidak berarti setuju; mohon diputuskan kembali."
    )
    assert len(office.entries("approval.expired")) == 1
    assert office.answer(renewed, at=later).decision == "disetujui"


@pytest.mark.parametrize("guard_came_by", [True, False])
def test_an_answer_that_was_sent_in_time_counts_however_late_the_run_wakes(
    any_office: Office, guard_came_by: bool
) -> None:
    """The worker was down for weeks: it was not silence."""
    asked = any_office.ask()
    if guard_came_by:
        assert [asked.id] == [request.id for request in expire(any_office.catalog, NOW + 15 * DAY)]

    assert any_office.answer(asked, at=NOW + 14 * DAY, woken_after=30 * DAY).decision == "disetujui"

    assert awaited(any_office.catalog, "run-1", "restore.3") is None
    with any_office.catalog.read() as connection:
        assert request_by_id(connection, asked.id).state == "decided"
    assert intact(any_office)


@pytest.mark.parametrize("guard_came_by", [True, False])
def test_an_answer_that_was_sent_too_late_does_not_count_and_its_code_is_burnt(
    office: Office, guard_came_by: bool
) -> None:
    asked, late = office.ask(), NOW + 14 * DAY + timedelta(seconds=1)
    if guard_came_by:
        expire(office.catalog, late)
    assert asked.id == getattr(awaited(office.catalog, "run-1", "restore.3"), "id", "")

    office.refused(asked, at=late)

    (entry,) = office.entries("approval.refused")
    assert (entry["rule"], entry["burnt_time_step"]) == ("request_is_in_time", int(late.timestamp()) // 30)
    renewed = office.ask(now=late + DAY)
    assert (renewed.attempt, renewed.complaint[:37]) == (2, "Permintaan sebelumnya lewat batas wak")
    assert awaited(office.catalog, "run-1", "restore.3") == renewed
    office.refused(renewed, at=late, code=office.code(KABID, late))
    assert office.rules_broken()[1:] == ["one_time_code_is_new"]


def test_an_expired_request_that_was_asked_anew_takes_no_answer_any_more(office: Office) -> None:
    asked = office.ask()
    expire(office.catalog, NOW + 15 * DAY)
    office.ask(now=NOW + 15 * DAY)

    office.refused(asked)

    assert [("request_is_open", "the attempt is expired")] == [
        (facts["rule"], facts["reason"]) for facts in office.entries("approval.refused")
    ]


def test_a_wrong_answer_that_is_judged_after_the_expiry_opens_nothing_that_has_expired(office: Office) -> None:
    """What the official is told is what was wrong, and not that he was silent."""
    office.refused(office.ask(), code="", woken_after=15 * DAY)

    renewed = office.ask(now=NOW + 15 * DAY)
    assert (renewed.attempt, renewed.complaint) == (2, COMPLAINT_OF_SECRETS)
    assert renewed.expires_at > (NOW + 28 * DAY).isoformat()


# --- a question that has changed since ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"document": {"aplikasi": "LAIN"}},
        {"binding": {"request_hash": "cc" * 32}},
        {"excluded": {KABID: "ia mendisposisi"}},
        {"roles": ("kadis",)},
    ],
)
@pytest.mark.parametrize("guard_came_by", [True, False])
def test_an_answer_to_what_is_asked_no_more_does_not_count_and_its_code_is_burnt(
    office: Office, changes: dict[str, Any], guard_came_by: bool
) -> None:
    """His code stands readable in Prefect's input, and the next document's code beside it."""
    asked, question = office.ask(), office.question(**changes)
    if guard_came_by:
        expire(office.catalog, NOW + 15 * DAY)

    refusal = office.refused(asked, question=question)

    assert refusal.complaint == CHANGED_COMPLAINT
    assert refusal.state == "the refusal is recorded, nothing else changed"
    (entry,) = office.entries("approval.refused")
    assert (entry["rule"], entry["burnt_time_step"]) == ("question_is_unchanged", int(NOW.timestamp()) // 30)
    assert awaited(office.catalog, "run-1", "restore.3") is None, "judged once, however often the run comes again"
    anew = office.ask(**changes)
    assert (anew.attempt, anew.complaint, anew.question) == (2, CHANGED_COMPLAINT, question)
    assert office.entries("approval.superseded") == []
    office.refused(office.ask(step_id="restore.2"), code=office.code(KABID))
    assert office.rules_broken()[1:] == ["one_time_code_is_new"]
    assert intact(office)


def test_a_tampered_answer_to_what_is_asked_no_more_is_followed_by_what_is_asked(office: Office) -> None:
    office.refused(office.ask(), resumes=2, question=office.question(binding={}))

    assert office.rules_broken() == ["submission_is_untampered"]
    anew = office.ask(binding={})
    assert anew.attempt == 2
    assert anew.complaint.startswith("Jawaban tidak dapat dipastikan berasal dari satu kali pengiriman formulir.")
    assert len(office.entries("approval.asked")) == 2


def test_an_answer_to_what_cannot_be_asked_any_more_does_not_count_and_its_code_is_burnt(office: Office) -> None:
    """The application left the inventory, say: the run fails, and its code is as readable."""
    refusal = office.refused(office.ask(), can_be_asked=False)

    assert refusal.complaint == UNASKABLE_COMPLAINT
    (entry,) = office.entries("approval.refused")
    assert (entry["rule"], entry["reason"]) == ("question_is_unchanged", "the question cannot be made any more")
    assert entry["burnt_time_step"] == int(NOW.timestamp()) // 30
    assert office.ask().complaint == UNASKABLE_COMPLAINT


def test_a_request_that_somebody_made_unreadable_is_named(office: Office) -> None:
    asked = office.ask()
    with office.catalog.begin() as connection:
        connection.execute(update(schema.approval_requests).values(document="{}"))

    with pytest.raises(RecordsError, match=f"the approval request {asked.id} cannot be read; nothing was decided"):
        office.answer(asked)
