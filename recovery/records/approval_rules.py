"""The rules by which an answer counts, one named function each, in the order in which they are asked.

The order keeps secrets: what may be said plainly is asked before any secret part is looked at, so that a plain
complaint never tells that a code was right. Sources: RFC 6238 (a code is accepted once, judged near the moment of
submission) and the office's separation of duties.
"""

import hmac
from datetime import timedelta

from recovery.calendar import format_moment
from recovery.canonical import canonical_json, digest
from recovery.records.approval_person_rules import PERSON_RULES
from recovery.records.approval_situation import Refusal, Rule, Situation, plain_refusal, secret_refusal
from recovery.records.codes import normal_code

FAILURES_UNTIL_LOCK = 5
LOCK = timedelta(minutes=15)
# The server writes the input just before it changes the state; a later input was slipped in behind the submission.
INPUT_TOLERANCE = timedelta(seconds=1)
NOTE_LIMIT = 4000
ANSWERS_LIMIT = 64_000

CHANGED_COMPLAINT = "Isi permintaan berubah sejak permintaan sebelumnya. Periksa dokumen ini, lalu putuskan."
UNASKABLE_COMPLAINT = (
    "Ketika jawaban atas permintaan sebelumnya diperiksa, permintaan itu tidak dapat disusun kembali, sehingga jawaban "
    "tersebut tidak dipakai. Periksa dokumen ini, lalu putuskan."
)


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
    """The attempt is the last one, neither decided nor refused; its step has no decision, its procedure is not closed.

    One whose expiry the guard has recorded is open still: whether the answer was in time, its own rule says.
    """
    if situation.procedure_is_closed:
        return plain_refusal(
            "request_is_open", "the procedure is closed", "Permintaan ini sudah ditutup; jawaban ini tidak dipakai."
        )
    if situation.already_decided:
        return plain_refusal(
            "request_is_open", "the step is already decided", "Langkah ini sudah diputuskan; jawaban ini tidak dipakai."
        )
    if not situation.is_awaited:
        return plain_refusal(
            "request_is_open",
            f"the attempt is {situation.request.state}",
            "Permintaan ini sudah diganti dengan permintaan yang baru. Jawablah permintaan yang terakhir.",
        )
    return None


def question_is_unchanged(situation: Situation) -> Refusal | None:
    """The step asks today what the official was asked: an answer is for nothing else."""
    question = situation.question
    if question is None:
        return plain_refusal("question_is_unchanged", "the question cannot be made any more", UNASKABLE_COMPLAINT)
    if digest(situation.request.question.terms()) == digest(question.terms()):
        return None
    return plain_refusal("question_is_unchanged", "the step asks something else by now", CHANGED_COMPLAINT)


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


RULES: tuple[Rule, ...] = (
    submission_is_untampered,
    document_is_unchanged,
    request_is_open,
    question_is_unchanged,
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


def receipt_code_refusal() -> Refusal:
    """The refusal of a receipt code that is not this procedure's, or was used: it counts as a guess."""
    return secret_refusal("receipt_code_matches", "the receipt code does not match or was used before", guess=True)


def expiry_complaint(expires_at: str) -> str:
    """Given when an attempt expired, return what the official is told on the next one."""
    return (
        f"Permintaan sebelumnya lewat batas waktu pada {format_moment(expires_at)} tanpa keputusan yang sah. "
        "Diam tidak berarti setuju; mohon diputuskan kembali."
    )
