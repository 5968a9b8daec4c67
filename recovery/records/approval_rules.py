"""The rules by which an answer counts, one named function each, in the order in which they are asked.

The order keeps secrets: what may be said plainly is asked before any secret part is looked at, so that a plain
complaint never tells that a code was right. Sources: RFC 6238 (a code is accepted once, judged near the moment of
submission) and the office's separation of duties.
"""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

from recovery.calendar import format_moment, to_date
from recovery.canonical import canonical_json
from recovery.records.approval_requests import Answer, ApprovalRequest, Submission
from recovery.records.approval_situation import Refusal, Situation, plain_refusal, secret_refusal
from recovery.records.codes import normal_code
from recovery.records.officials import Official
from recovery.sop import ROLE_TITLES

FAILURES_UNTIL_LOCK = 5
LOCK = timedelta(minutes=15)
# The server writes the input just before it changes the state; a later input was slipped in behind the submission.
INPUT_TOLERANCE = timedelta(seconds=1)
NOTE_LIMIT = 4000
ANSWERS_LIMIT = 64_000

Rule = Callable[[Situation], Refusal | None]


def submission_is_untampered(situation: Situation) -> Refusal | None:
    """The form was sent once, and the input is not younger than its sending."""
    submission = situation.submission
    if submission.resumes != 1:
        reason = f"the attempt was resumed {submission.resumes} times, not once"
    elif submission.input_created_at > submission.submitted_at + INPUT_TOLERANCE:
        reason = "the input was created after the submission"
    else:
        return None
    return plain_refusal(
        "submission_is_untampered",
        reason,
        "Jawaban tidak dapat dipastikan berasal dari satu kali pengiriman formulir. Isi dan kirim kembali satu kali.",
    )


def document_is_unchanged(situation: Situation) -> Refusal | None:
    """What is decided is what was asked: the same request, and a text that still has its hash."""
    if situation.request.is_intact() and situation.request.hash == situation.asked_hash:
        return None
    return plain_refusal(
        "document_is_unchanged",
        "the document is not the one that was asked",
        "Dokumen permintaan berubah sejak ditampilkan. Periksa permintaan yang baru, lalu putuskan kembali.",
    )


def request_is_open(situation: Situation) -> Refusal | None:
    """The attempt still waits for an answer, its step has none, and its procedure was not closed meanwhile."""
    if situation.procedure_is_closed:
        return plain_refusal(
            "request_is_open", "the procedure is closed", "Permintaan ini sudah ditutup; jawaban ini tidak dipakai."
        )
    if situation.already_decided:
        return plain_refusal(
            "request_is_open", "the step is already decided", "Langkah ini sudah diputuskan; jawaban ini tidak dipakai."
        )
    if situation.request.state != "open":
        return plain_refusal(
            "request_is_open",
            f"the attempt is {situation.request.state}",
            "Permintaan ini sudah diganti dengan permintaan yang baru. Jawablah permintaan yang terakhir.",
        )
    return None


def request_is_in_time(situation: Situation) -> Refusal | None:
    """The answer was submitted before the attempt expired."""
    if situation.submitted_at <= situation.request.expires_at:
        return None
    return plain_refusal(
        "request_is_in_time",
        f"the attempt expired at {situation.request.expires_at}",
        expiry_complaint(situation.request.expires_at),
    )


def answer_is_plain(situation: Situation) -> Refusal | None:
    """The typed texts can be kept as they are: no control characters, no unbounded size."""
    note, answers = situation.answer.note, situation.answer.answers
    try:
        size = len(canonical_json(answers))
        note.encode()
    except (TypeError, UnicodeEncodeError):
        size = ANSWERS_LIMIT + 1
    if size <= ANSWERS_LIMIT and len(note) <= NOTE_LIMIT and "\x00" not in note:
        return None
    return plain_refusal(
        "answer_is_plain",
        "the note or the answers are not plain text, or too long",
        f"Catatan atau isian tidak dapat disimpan. Tulislah teks biasa, catatan paling banyak {NOTE_LIMIT} huruf.",
    )


def decision_is_a_choice(situation: Situation) -> Refusal | None:
    """The decision is one of those that the request offers."""
    choices = situation.request.question.choices
    if situation.answer.decision in choices:
        return None
    return plain_refusal(
        "decision_is_a_choice",
        "the decision is none of the choices",
        f"Keputusan harus salah satu dari: {', '.join(choices)}.",
    )


def refusal_has_a_note(situation: Situation) -> Refusal | None:
    """Who refuses says why."""
    decision = situation.answer.decision
    if decision not in situation.request.question.refusals or situation.answer.note.strip():
        return None
    return plain_refusal(
        "refusal_has_a_note", "the refusing decision has no note", f"Catatan wajib diisi untuk keputusan {decision}."
    )


def assent_denies_no_check(situation: Situation) -> Refusal | None:
    """Who agrees has answered each check of the question with yes: the SOP's step is the checks, not the last word."""
    question, answer = situation.request.question, situation.answer
    denied = [title for name, title in question.checks.items() if answer.answers.get(name) != "ya"]
    if answer.decision in question.refusals or not denied:
        return None
    return plain_refusal(
        "assent_denies_no_check",
        "the decision agrees although a check is not answered with yes",
        f"Keputusan {answer.decision} bertentangan dengan pemeriksaan yang tidak dijawab ya: {'; '.join(denied)}. "
        f"Periksa kembali, atau pilih {' atau '.join(question.refusals)} dengan alasan pada catatan.",
    )


def official_is_known(situation: Situation) -> Refusal | None:
    """The NIP is an official's; by receipt code, the requester's own, whom the office may not know otherwise."""
    if situation.official is not None:
        return None
    if situation.by_receipt_code and situation.nip in situation.request.question.only:
        return None
    return secret_refusal("official_is_known", "nobody has the NIP that was typed", guess=False)


def official_is_named(situation: Situation) -> Refusal | None:
    """Where the request names persons, the official is one of them."""
    only = situation.request.question.only
    if not only or situation.nip in only:
        return None
    return plain_refusal(
        "official_is_named",
        "the official is not among those named",
        "Permintaan ini hanya dapat diputuskan oleh pejabat yang ditetapkan untuknya.",
    )


def official_has_the_role(situation: Situation) -> Refusal | None:
    """The step belongs to a role that the official has."""
    roles = situation.request.question.roles
    if situation.official is None or not roles or set(roles) & set(situation.official.roles):
        return None
    titles = " atau ".join(ROLE_TITLES.get(role, role) for role in roles)
    return plain_refusal(
        "official_has_the_role",
        "the official has none of the roles",
        f"Langkah ini hanya dapat diputuskan oleh {titles}.",
    )


def official_is_in_office(situation: Situation) -> Refusal | None:
    """The day of submission, in WIB, lies in the official's period of office."""
    day = to_date(situation.submission.submitted_at).isoformat()
    if situation.official is None or situation.official.is_in_office(day):
        return None
    return plain_refusal(
        "official_is_in_office",
        f"the official is not in office on {day}",
        "Masa jabatan pejabat ini belum mulai atau sudah berakhir pada tanggal pengiriman.",
    )


def duties_are_separate(situation: Situation) -> Refusal | None:
    """Nobody decides on what he himself asked for, did, or passed on."""
    why = situation.request.question.excluded.get(situation.nip)
    if why is None:
        return None
    return plain_refusal(
        "duties_are_separate", f"separation of duties: {why}", f"Pejabat ini tidak boleh memutuskan langkah ini: {why}."
    )


def official_is_enrolled(situation: Situation) -> Refusal | None:
    """The official has a device, and it was not revoked."""
    official = situation.official
    if official is None or official.is_enrolled() or (situation.by_receipt_code and official.revoked_at is None):
        return None
    return plain_refusal(
        "official_is_enrolled",
        "the official was revoked" if official.revoked_at else "the official is not enrolled",
        "Perangkat kode pejabat ini belum terdaftar atau sudah dicabut. Hubungi pengelola untuk mendaftar.",
    )


def official_is_not_locked(situation: Situation) -> Refusal | None:
    """After too many wrong answers nothing is accepted for a while; a right code then neither counts nor shows."""
    official = situation.official
    if official is None or official.locked_until is None or official.locked_until <= situation.submitted_at:
        return None
    return secret_refusal(
        "official_is_not_locked", f"the official is locked until {official.locked_until}", guess=False
    )


def document_code_matches(situation: Situation) -> Refusal | None:
    """The official typed the code of this very document, so he has had it before him."""
    typed = normal_code(situation.answer.document_code)
    if hmac.compare_digest(typed.encode("utf-8", "replace"), normal_code(situation.request.code).encode()):
        return None
    return secret_refusal("document_code_matches", "the document code does not match", guess=True)


def one_time_code_matches(situation: Situation) -> Refusal | None:
    """The official's own device showed the code at the moment of submission, give or take one step."""
    if situation.by_receipt_code or situation.time_step is not None:
        return None
    return secret_refusal(
        "one_time_code_matches", "the one-time code is not the official's at the submission time", guess=True
    )


def one_time_code_is_new(situation: Situation) -> Refusal | None:
    """A code counts once, and never after a later one. Re-using is no guess, so it does not count towards the lock."""
    if situation.by_receipt_code or situation.time_step_is_new:
        return None
    return secret_refusal("one_time_code_is_new", "the one-time code, or a later one, was used before", guess=False)


# What makes somebody the right person, secrets aside.
PERSON_RULES: tuple[Rule, ...] = (
    official_is_named,
    official_has_the_role,
    official_is_in_office,
    duties_are_separate,
    official_is_enrolled,
)

RULES: tuple[Rule, ...] = (
    submission_is_untampered,
    document_is_unchanged,
    request_is_open,
    request_is_in_time,
    answer_is_plain,
    decision_is_a_choice,
    refusal_has_a_note,
    assent_denies_no_check,
    official_is_known,
    *PERSON_RULES,
    # From here on secrets are compared: nothing below may have a complaint of its own.
    official_is_not_locked,
    document_code_matches,
    one_time_code_matches,
    one_time_code_is_new,
)


def first_refusal(situation: Situation) -> Refusal | None:
    """Given a situation, return the first rule's refusal, or None when every rule is kept."""
    for rule in RULES:
        refusal = rule(situation)
        if refusal is not None:
            return refusal
    return None


def may_answer(request: ApprovalRequest, official: Official, moment: datetime) -> bool:
    """Given a request, an official and a time, return whether he is a right person to answer it then."""
    situation = Situation(
        request=request,
        asked_hash=request.hash,
        already_decided=False,
        answer=Answer(decision="", nip=official.nip, document_code="", code=""),
        submission=Submission(submitted_at=moment, input_created_at=moment, resumes=1),
        official=official,
        time_step=None,
        time_step_is_new=False,
    )
    return all(rule(situation) is None for rule in PERSON_RULES)


def receipt_code_refusal() -> Refusal:
    """The refusal of a receipt code that is not this procedure's, or was used: it counts as a guess."""
    return secret_refusal("receipt_code_matches", "the receipt code does not match or was used before", guess=True)


def expiry_complaint(expires_at: str) -> str:
    """Given when an attempt expired, return what the official is told on the next one."""
    return (
        f"Permintaan sebelumnya lewat batas waktu pada {format_moment(expires_at)} tanpa keputusan yang sah. "
        "Diam tidak berarti setuju; mohon diputuskan kembali."
    )
