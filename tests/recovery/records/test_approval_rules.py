"""Every rule of approvals: what breaks it, what the ledger says, and what the official is told."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from recovery.errors import KeyMissingError, ProcedureError
from recovery.records import notices, officials, schema
from recovery.records.approval_person_rules import PERSON_RULES
from recovery.records.approval_requests import Answer, Question, Submission
from recovery.records.approval_rules import RULES, first_refusal
from recovery.records.approval_situation import COMPLAINT_OF_SECRETS, Situation
from recovery.records.schema import timestamp
from tests.recovery.records.approval_office import (
    DAY,
    EXECUTOR,
    KABID,
    KADIS,
    NOW,
    REQUESTER,
    STRANGER,
    Office,
    office_in,
)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with office_in(tmp_path) as office:
        yield office


def is_refused(office: Office, rule: str, complaint: str, **terms: Any) -> None:
    """The answer is refused by this rule with this complaint, and leaves one ledger entry and a new attempt."""
    asked = office.ask()
    refusal = office.refused(asked, **terms)

    assert complaint == refusal.complaint
    assert [rule] == office.rules_broken()
    assert office.ask().attempt == asked.attempt + 1
    assert office.ask().complaint == complaint


# --- the official --------------------------------------------------------------------------------------------------


def test_another_role_may_not_answer(office: Office) -> None:
    is_refused(office, "official_has_the_role", "Langkah ini hanya dapat diputuskan oleh Kabid Aptika.", nip=KADIS)


def test_the_requester_may_not_approve_his_own_request_even_with_the_role(office: Office) -> None:
    office.appoint(REQUESTER, "pemohon", "kabid")

    complaint = "Pejabat ini tidak boleh memutuskan langkah ini: ia pemohon restore ini."
    is_refused(office, "duties_are_separate", complaint, nip=REQUESTER)


def test_an_acting_official_answers_for_the_office_he_holds(office: Office) -> None:
    office.appoint(EXECUTOR, "pelaksana", "kabid", acting="Plt.", valid_from="2026-11-01", valid_until="2026-11-30")

    assert office.answer(office.ask(), nip=EXECUTOR).nip == EXECUTOR


def test_acting_for_another_does_not_get_around_separation_of_duties(office: Office) -> None:
    # The Kadis forwarded the request and is now acting Kabid as well: one person, one NIP, one of the two steps.
    office.appoint(KADIS, "kadis", "kabid", acting="Plh.")
    asked = office.ask(excluded={KADIS: "ia sudah mendisposisi permintaan ini"})

    refusal = office.refused(asked, nip=KADIS)

    expected = "Pejabat ini tidak boleh memutuskan langkah ini: ia sudah mendisposisi permintaan ini."
    assert expected == refusal.complaint


@pytest.mark.parametrize(
    ("period", "submitted"),
    [
        ({"valid_until": "2026-11-19"}, NOW),
        ({"valid_from": "2026-11-21"}, NOW),
        # 17.30 UTC is half past midnight in WIB: the next day has begun there.
        ({"valid_until": "2026-11-20"}, datetime(2026, 11, 20, 17, 30, tzinfo=UTC)),
    ],
)
def test_who_is_not_in_office_on_the_day_of_submission_may_not_answer(
    office: Office, period: dict[str, str], submitted: datetime
) -> None:
    office.appoint(KABID, "kabid", **period)

    complaint = "Masa jabatan pejabat ini belum mulai atau sudah berakhir pada tanggal pengiriman."
    is_refused(office, "official_is_in_office", complaint, at=submitted)


def test_the_day_of_submission_counts_and_not_the_day_on_which_the_run_wakes(office: Office) -> None:
    office.appoint(KABID, "kabid", valid_until="2026-11-20")

    assert office.answer(office.ask(), woken_after=3 * DAY).decision == "disetujui"


def test_a_request_for_named_officials_is_for_nobody_else(office: Office) -> None:
    office.appoint(EXECUTOR, "kabid")
    asked = office.ask(only=(EXECUTOR,))

    expected = "Permintaan ini hanya dapat diputuskan oleh pejabat yang ditetapkan untuknya."
    assert expected == office.refused(asked).complaint
    assert office.answer(office.ask(only=(EXECUTOR,)), nip=EXECUTOR).nip == EXECUTOR


def test_a_revoked_official_may_not_answer(office: Office) -> None:
    officials.revoke(office.catalog, KABID, reason="mutasi", now=NOW)

    complaint = "Perangkat kode pejabat ini belum terdaftar atau sudah dicabut. Hubungi pengelola untuk mendaftar."
    is_refused(office, "official_is_enrolled", complaint)
    assert office.entries("approval.refused")[0]["reason"] == "the official was revoked"


def test_an_official_without_a_device_may_not_answer(office: Office) -> None:
    office.appoint(STRANGER, "kabid")
    asked = office.ask()

    refusal = office.refused(asked, nip=STRANGER, code="123456")

    expected = "Perangkat kode pejabat ini belum terdaftar atau sudah dicabut. Hubungi pengelola untuk mendaftar."
    assert expected == refusal.complaint
    assert office.entries("approval.refused")[0]["reason"] == "the official is not enrolled"


def test_a_nip_with_blanks_as_printed_on_letters_is_understood(office: Office) -> None:
    printed = f"{KABID[:8]} {KABID[8:14]} {KABID[14]} {KABID[15:]}"

    assert office.answer(office.ask(), nip=printed, code=office.code(KABID)).nip == KABID


# --- the answer ----------------------------------------------------------------------------------------------------


def test_a_decision_that_is_not_offered_is_refused(office: Office) -> None:
    complaint = "Keputusan harus salah satu dari: disetujui, ditolak."
    is_refused(office, "decision_is_a_choice", complaint, decision="setuju saja")


@pytest.mark.parametrize("note", ["", "  \n"])
def test_who_refuses_says_why(office: Office, note: str) -> None:
    complaint = "Catatan wajib diisi untuk keputusan ditolak."
    is_refused(office, "refusal_has_a_note", complaint, decision="ditolak", note=note)


@pytest.mark.parametrize("answers", [{"berwenang": "tidak", "utuh": "ya"}, {"utuh": "ya"}])
def test_who_agrees_denies_no_check(office: Office, answers: dict[str, Any]) -> None:
    checks = {"berwenang": "Pemohon berwenang", "utuh": "Cadangan utuh"}
    refusal = office.refused(office.ask(checks=checks), answers=answers)

    assert ["assent_denies_no_check"] == office.rules_broken()
    assert refusal.complaint == (
        "Keputusan disetujui bertentangan dengan pemeriksaan yang tidak dijawab ya: Pemohon berwenang. "
        "Periksa kembali, atau pilih ditolak dengan alasan pada catatan."
    )
    asked = office.ask(checks=checks)
    assert "ditolak" == office.answer(asked, at=NOW + DAY, decision="ditolak", note="x", answers=answers).decision


def test_an_assent_to_every_check_is_a_decision(office: Office) -> None:
    asked = office.ask(checks={"utuh": "Cadangan utuh"})

    assert "disetujui" == office.answer(asked, answers={"utuh": "ya", "dampak": "tidak"}).decision


def test_a_refusing_decision_with_a_note_is_a_decision(office: Office) -> None:
    decision = office.answer(office.ask(), decision="ditolak", note=" bukan pemilik data ")

    assert (decision.decision, decision.note) == ("ditolak", "bukan pemilik data")


@pytest.mark.parametrize(
    "typed",
    [
        {"note": "a\x00b"},
        {"note": "\ud800"},
        {"note": "x" * 4001},
        {"answers": {"hasil": 1.5}},
        {"answers": {"hasil": "x" * 64_001}},
    ],
)
def test_text_that_cannot_be_kept_as_it_is_is_refused(office: Office, typed: dict[str, Any]) -> None:
    complaint = "Catatan atau isian tidak dapat disimpan. Tulislah teks biasa, catatan paling banyak 4000 huruf."
    is_refused(office, "answer_is_plain", complaint, **typed)


# --- the submission ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resumes", [0, 2, 3])
def test_a_form_that_was_not_sent_exactly_once_is_tampering(office: Office, resumes: int) -> None:
    complaint = (
        "Jawaban tidak dapat dipastikan berasal dari satu kali pengiriman formulir. Isi dan kirim kembali satu kali."
    )
    is_refused(office, "submission_is_untampered", complaint, resumes=resumes)
    assert office.entries("approval.refused")[0]["reason"] == f"the attempt was resumed {resumes} times, not once"


def test_an_input_slipped_in_behind_the_submission_is_tampering(office: Office) -> None:
    refusal = office.refused(office.ask(), input_created_at=NOW + timedelta(seconds=1, microseconds=1))

    assert "satu kali pengiriman" in refusal.complaint
    assert office.entries("approval.refused")[0]["reason"] == "the input was created after the submission"


def test_an_input_within_a_second_of_the_submission_is_the_servers_own_order(office: Office) -> None:
    assert office.answer(office.ask(), input_created_at=NOW + timedelta(seconds=1)).decision == "disetujui"


def test_an_answer_after_the_expiry_is_refused_and_the_request_gets_its_lifetime_again(office: Office) -> None:
    asked = office.ask()

    refusal = office.refused(asked, at=NOW + 14 * DAY + timedelta(seconds=1))

    assert refusal.complaint.startswith(
        "Permintaan sebelumnya lewat batas waktu pada Jumat, 4 Desember 2026 pukul 22.00.03 WIB"
    )
    assert office.rules_broken() == ["request_is_in_time"]
    renewed = office.ask(now=NOW + 14 * DAY + timedelta(hours=1))
    assert renewed.attempt == 2
    assert renewed.expires_at > asked.expires_at


def test_an_answer_at_the_last_moment_counts(office: Office) -> None:
    assert office.answer(office.ask(), at=NOW + 14 * DAY).decision == "disetujui"


def test_a_submission_without_a_time_zone_is_an_error(office: Office) -> None:
    with pytest.raises(ProcedureError, match="a submission's time has no time zone"):
        Submission(datetime(2026, 11, 20), NOW, 1)  # noqa: DTZ001


# --- the secret parts: one complaint for all of them ------------------------------------------------------------------


def test_a_wrong_one_time_code_is_refused_and_counted(office: Office) -> None:
    is_refused(office, "one_time_code_matches", COMPLAINT_OF_SECRETS, code=office.wrong_code(KABID))
    assert office.official(KABID).failures == 1


def test_a_wrong_document_code_is_refused_and_counted(office: Office) -> None:
    is_refused(office, "document_code_matches", COMPLAINT_OF_SECRETS, document_code="0000-0000")
    assert office.official(KABID).failures == 1


def test_another_officials_code_is_refused_and_counted_against_the_nip_that_was_claimed(office: Office) -> None:
    is_refused(office, "one_time_code_matches", COMPLAINT_OF_SECRETS, code=office.code(KADIS))
    assert (office.official(KABID).failures, office.official(KADIS).failures) == (1, 0)


def test_an_unknown_nip_gets_the_same_complaint(office: Office) -> None:
    is_refused(office, "official_is_known", COMPLAINT_OF_SECRETS, nip=STRANGER, code="123456")


def test_a_code_typed_into_the_field_of_the_nip_never_reaches_the_ledger(office: Office) -> None:
    office.refused(office.ask(), nip=office.code(KABID), code=office.code(KABID))

    assert office.entries("approval.refused")[0]["nip"] == ""


@pytest.mark.parametrize(
    "code", ["", "12345", "abcdef", "\x00", "\ud800", "' OR 1=1 --", "9" * 100_000, "ABCD-EFGH", "０８１８０４"]
)
def test_whatever_is_typed_as_a_code_is_a_refusal_and_never_an_error(office: Office, code: str) -> None:
    asked = office.ask()

    assert office.refused(asked, code=code).complaint == COMPLAINT_OF_SECRETS
    again = office.ask()
    assert office.refused(again, document_code=code).complaint == COMPLAINT_OF_SECRETS
    last = office.ask()
    assert office.refused(last, nip=code, code="123456").complaint == COMPLAINT_OF_SECRETS
    assert len(office.entries("approval.refused")) == 3


# The submission is in the fourth second of a time step: -3 to 26 lie in that step, -33 to 56 within one of it.
@pytest.mark.parametrize("seconds", [-300, -90, -34, 57, 90, 300])
def test_a_device_or_server_whose_clock_is_off_is_refused(office: Office, seconds: int) -> None:
    code = office.code(KABID, NOW + timedelta(seconds=seconds))

    is_refused(office, "one_time_code_matches", COMPLAINT_OF_SECRETS, code=code)


@pytest.mark.parametrize("seconds", [-33, -20, 0, 20, 56])
def test_a_clock_that_is_one_step_off_is_accepted(office: Office, seconds: int) -> None:
    code = office.code(KABID, NOW + timedelta(seconds=seconds))

    assert office.answer(office.ask(), code=code).decision == "disetujui"


@pytest.mark.parametrize("woken_after", [timedelta(seconds=1), timedelta(minutes=20), 5 * DAY])
def test_the_submission_decides_and_not_when_the_run_wakes(office: Office, woken_after: timedelta) -> None:
    assert office.answer(office.ask(), woken_after=woken_after).decision == "disetujui"


@pytest.mark.parametrize("off", [timedelta(hours=-2), timedelta(seconds=-90), timedelta(seconds=90), 20 * DAY])
def test_the_workers_clock_binds_neither_code_nor_expiry(office: Office, off: timedelta) -> None:
    """The server's time of submission does; the worker's clock, behind or ahead, only says when it was recorded."""
    request = office.ask()
    beside = office.code(KABID, NOW + off)
    assert office.refused(request, code=beside, woken_after=off).complaint == COMPLAINT_OF_SECRETS

    decision = office.answer(office.ask(), woken_after=off)

    assert decision.submitted_at == timestamp(NOW)
    assert decision.recorded_at == timestamp(NOW + off)


def test_a_code_that_is_right_only_when_the_run_wakes_is_refused(office: Office) -> None:
    woken_after = timedelta(minutes=20)
    code = office.code(KABID, NOW + woken_after)

    assert office.refused(office.ask(), code=code, woken_after=woken_after).complaint == COMPLAINT_OF_SECRETS


def test_the_document_code_is_taken_however_it_is_typed(office: Office) -> None:
    asked = office.ask()
    typed = asked.code.replace("-", " ").lower().replace("0", "o").replace("1", "i")

    assert office.answer(asked, document_code=typed).request_hash == asked.hash


# --- the lock ------------------------------------------------------------------------------------------------------


def lock(office: Office, at: datetime = NOW) -> None:
    for _ in range(5):
        office.refused(office.ask(), code=office.wrong_code(KABID, at), at=at)


def test_five_wrong_codes_lock_for_fifteen_minutes(office: Office) -> None:
    lock(office)

    assert office.official(KABID).locked_until == "2026-11-20T15:15:03.000000+00:00"
    assert [facts["locked_until"] for facts in office.entries("approval.refused")] == [None] * 4 + [
        "2026-11-20T15:15:03.000000+00:00"
    ]


def test_a_right_code_while_locked_neither_counts_nor_shows_that_it_was_right(office: Office) -> None:
    lock(office)
    at = NOW + timedelta(minutes=14, seconds=59)

    right = office.refused(office.ask(), at=at)
    wrong = office.refused(office.ask(), at=at, code=office.wrong_code(KABID, at))

    assert right.complaint == wrong.complaint == COMPLAINT_OF_SECRETS
    assert str(right).replace("attempt 6", "").replace("attempt 7", "") == str(wrong).replace("attempt 7", "").replace(
        "attempt 8", ""
    )
    assert office.rules_broken()[5:] == ["official_is_not_locked"] * 2
    # Neither lengthens the lock: somebody who keeps guessing must not keep the official out for ever.
    assert office.official(KABID).locked_until == "2026-11-20T15:15:03.000000+00:00"


def test_after_the_lock_a_right_code_counts_and_clears_the_failures(office: Office) -> None:
    lock(office)

    decision = office.answer(office.ask(), at=NOW + timedelta(minutes=15))

    assert decision.decision == "disetujui"
    assert (office.official(KABID).failures, office.official(KABID).locked_until) == (0, None)


def test_a_right_code_given_while_locked_is_burnt_all_the_same(office: Office) -> None:
    lock(office)
    late = NOW + timedelta(minutes=14, seconds=50)
    office.refused(office.ask(), at=late)

    # Ten seconds later the lock is over and the code would still be within its tolerance.
    again = office.refused(office.ask(), at=late + timedelta(seconds=10), code=office.code(KABID, late))

    assert again.complaint == COMPLAINT_OF_SECRETS
    assert office.rules_broken()[-1] == "one_time_code_is_new"


def test_ten_wrong_codes_lock_twice(office: Office) -> None:
    lock(office)
    lock(office, NOW + timedelta(minutes=15))

    assert office.official(KABID).failures == 10
    assert office.official(KABID).locked_until == "2026-11-20T15:30:03.000000+00:00"


def test_the_lock_is_the_officials_and_not_the_requests(office: Office) -> None:
    lock(office)
    office.procedure("run-2")

    assert office.refused(office.ask(procedure_id="run-2")).complaint == COMPLAINT_OF_SECRETS
    assert office.answer(office.ask(procedure_id="run-2", roles=("kadis",)), nip=KADIS).nip == KADIS


def test_guessing_a_code_a_second_gets_five_guesses_a_quarter_of_an_hour(office: Office) -> None:
    # Every guess is another code; the lock lets five through in a quarter of an hour.
    tried = 0
    asked = office.ask()
    for guess in range(60):
        at = NOW + timedelta(seconds=guess)
        code = f"{guess:06d}"
        if code != office.code(KABID, at):
            office.refused(asked, at=at, code=code)
            asked = office.ask()
            tried += 1

    assert tried >= 59
    rules = office.rules_broken()
    assert rules.count("one_time_code_matches") == 5
    assert rules.count("official_is_not_locked") == tried - 5


# --- the receipt code ----------------------------------------------------------------------------------------------


def receipt(office: Office) -> tuple[str, dict[str, Any]]:
    with office.catalog.begin() as connection:
        code = notices.issue_receipt_code(connection, "run-1")
    terms = {"step_id": "restore.8", "roles": ("pemohon",), "only": (REQUESTER,), "excluded": {}, "receipt_code": True}
    return code, terms


def test_the_receipt_code_of_the_notice_stands_for_the_requesters_device(office: Office) -> None:
    code, terms = receipt(office)

    decision = office.answer(office.ask(**terms), nip=REQUESTER, code=code.lower())

    assert (decision.method, decision.time_step) == ("receipt-code", None)


def test_the_requesters_own_device_counts_as_well(office: Office) -> None:
    _, terms = receipt(office)

    assert office.answer(office.ask(**terms), nip=REQUESTER).method == "totp"


def test_a_requester_whom_the_office_does_not_know_acknowledges_by_receipt_code_only(office: Office) -> None:
    code, terms = receipt(office)
    terms = {**terms, "only": (STRANGER,)}

    assert office.refused(office.ask(**terms), nip=STRANGER, code="123456").complaint == COMPLAINT_OF_SECRETS
    assert office.answer(office.ask(**terms), nip=STRANGER, code=code).nip == STRANGER


def test_a_receipt_code_is_for_the_named_requester_only(office: Office) -> None:
    code, terms = receipt(office)

    office.refused(office.ask(**terms), nip=STRANGER, code=code)
    office.refused(office.ask(**terms), nip=EXECUTOR, code=code)

    assert office.rules_broken() == ["official_is_known", "official_is_named"]


def test_a_wrong_receipt_code_is_a_guess_and_five_lock(office: Office) -> None:
    code, terms = receipt(office)
    for _ in range(5):
        assert office.refused(office.ask(**terms), nip=REQUESTER, code="0000-0000").complaint == COMPLAINT_OF_SECRETS

    office.refused(office.ask(**terms), nip=REQUESTER, code=code)

    assert office.rules_broken() == ["receipt_code_matches"] * 5 + ["official_is_not_locked"]
    decision = office.answer(office.ask(**terms), nip=REQUESTER, code=code, at=NOW + timedelta(minutes=15))
    assert decision.method == "receipt-code"


def test_a_mistyped_document_code_does_not_cost_the_receipt_code(office: Office) -> None:
    code, terms = receipt(office)
    office.refused(office.ask(**terms), nip=REQUESTER, code=code, document_code="0000-0000")

    assert office.answer(office.ask(**terms), nip=REQUESTER, code=code).method == "receipt-code"


def test_a_receipt_code_is_of_no_use_where_it_is_not_asked_for(office: Office) -> None:
    code, _ = receipt(office)

    is_refused(office, "one_time_code_matches", COMPLAINT_OF_SECRETS, code=code)


# --- the rules as a whole ------------------------------------------------------------------------------------------


def test_from_the_first_secret_on_no_rule_has_a_complaint_of_its_own(office: Office) -> None:
    names = [rule.__name__ for rule in RULES]

    assert names.index("official_is_not_locked") == names.index("official_is_enrolled") + 1
    assert names[-4:] == [
        "official_is_not_locked",
        "document_code_matches",
        "one_time_code_matches",
        "one_time_code_is_new",
    ]
    assert set(PERSON_RULES) < set(RULES)


def test_a_plain_complaint_is_the_same_whether_the_code_is_right_or_wrong(office: Office) -> None:
    for terms in ({"decision": "ditolak"}, {"decision": "?"}, {"nip": KADIS}, {"resumes": 2}):
        nip = str(terms.get("nip", KABID))
        right = office.refused(office.ask(), **terms)
        wrong = office.refused(office.ask(), code=office.wrong_code(nip), **terms)
        assert right.complaint == wrong.complaint
    assert office.official(KABID).failures == 0


def test_no_refusal_shows_what_was_typed(office: Office) -> None:
    code = office.wrong_code(KABID)
    typed = {"decision": "keputusan-diketik", "note": "catatan-diketik", "document_code": "KODE-KETI"}
    refusal = office.refused(office.ask(), code=code, **typed)
    second = office.refused(office.ask(), code=code, document_code="KODE-KETI")

    shown = f"{refusal} {refusal.complaint} {second} {second.complaint} {office.entries('approval.refused')}"
    for text in (code, "keputusan-diketik", "catatan-diketik", "KODE-KETI"):
        assert text not in shown
    assert code not in repr(Answer("disetujui", KABID, "X", code))


def test_a_key_that_does_not_open_the_secret_is_an_error_for_the_administrator_and_nobodys_wrong_answer(
    office: Office,
) -> None:
    asked = office.ask()
    with office.catalog.begin() as connection:
        connection.execute(update(schema.officials).where(schema.officials.c.nip == KABID).values(secret=b"x" * 60))

    with pytest.raises(KeyMissingError, match="does not open the secret"):
        office.answer(asked)

    assert office.rules_broken() == []
    assert office.ask().id == asked.id


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    decision=st.text(max_size=20) | st.sampled_from(["disetujui", "ditolak"]),
    nip=st.text(max_size=20) | st.sampled_from([KABID, KADIS]),
    document_code=st.text(max_size=12) | st.just("right"),
    code=st.text(max_size=12) | st.just("right"),
    note=st.text(max_size=20),
    resumes=st.integers(0, 3),
)
def test_without_both_right_codes_nothing_that_can_be_typed_is_accepted(
    office: Office, decision: str, nip: str, document_code: str, code: str, note: str, resumes: int
) -> None:
    asked = office.ask()
    typed_document = asked.code if document_code == "right" else document_code
    right_code = code == "right"
    situation = Situation(
        request=asked,
        asked_hash=asked.hash,
        question=asked.question,
        is_newest=True,
        already_decided=False,
        answer=Answer(decision, nip, typed_document, code, note),
        submission=Submission(NOW, NOW, resumes),
        official=office.official(nip) if nip in (KABID, KADIS) else None,
        time_step=1 if right_code else None,
        time_step_is_new=right_code,
    )

    accepted = first_refusal(situation) is None

    may_be = right_code and document_code == "right" and nip == KABID and resumes == 1
    assert accepted == (may_be and (decision == "disetujui" or (decision == "ditolak" and bool(note.strip()))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"choices": ()}, "the question of restore.3 has no choices, or refusals that are none of them"),
        ({"refusals": ("batal",)}, "the question of restore.3 has no choices, or refusals that are none of them"),
        ({"roles": ()}, "the question of restore.3 names nobody who may answer it"),
    ],
)
def test_a_question_that_nobody_could_answer_is_an_error(office: Office, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ProcedureError, match=message):
        Question(
            **{
                "procedure_id": "run-1",
                "step_id": "restore.3",
                "roles": ("kabid",),
                "document": {},
                "choices": ("disetujui", "ditolak"),
                "refusals": ("ditolak",),
                **changes,
            }
        )
