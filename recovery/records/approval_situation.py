"""What a rule of approvals looks at, and what it says when it is broken."""

from collections.abc import Callable
from dataclasses import dataclass

from recovery.records.approval_requests import Answer, ApprovalRequest, Question, Submission, normal_nip
from recovery.records.codes import typed_digits
from recovery.records.officials import Official
from recovery.records.schema import timestamp

# The states of an attempt that an answer may still decide: the guard records an expiry whether or not somebody has
# answered before it, which only the run can see.
AWAITED = ("open", "expired")
# One text for every secret part, and for a locked NIP: who guesses learns nothing from it.
COMPLAINT_OF_SECRETS = (
    "Jawaban belum dapat diterima: NIP, kode dokumen, dan kode sekali pakai harus benar semuanya. "
    "Bacalah kode dokumen pada permintaan ini, tunggu kode sekali pakai yang baru pada perangkat Anda, lalu isi "
    "kembali. "
    "Setelah lima jawaban yang salah, jawaban untuk NIP tersebut tidak diterima selama 15 menit."
)


@dataclass(frozen=True)
class Refusal:
    """Why an answer does not count: the true reason for the ledger, and what the official is told.

    `guess` marks a wrong secret part, which counts towards the lock.
    """

    rule: str
    reason: str
    complaint: str
    guess: bool = False


@dataclass(frozen=True)
class Situation:
    """Everything that a rule may look at. No rule reads a clock or the catalog.

    `question` is what the step asks now, None when that cannot be made any more; `is_newest` says that no attempt
    followed the one that is answered.
    """

    request: ApprovalRequest
    asked_hash: str
    question: Question | None
    is_newest: bool
    already_decided: bool
    answer: Answer
    submission: Submission
    official: Official | None
    time_step: int | None
    time_step_is_new: bool
    procedure_is_closed: bool = False

    @property
    def is_awaited(self) -> bool:
        """Whether an answer to this attempt may still count."""
        return self.is_newest and self.request.state in AWAITED

    @property
    def nip(self) -> str:
        """The NIP that was typed, as digits."""
        return normal_nip(self.answer.nip)

    @property
    def submitted_at(self) -> str:
        """The submission's time as records hold it."""
        return timestamp(self.submission.submitted_at)

    @property
    def by_receipt_code(self) -> bool:
        """Whether the answer uses the receipt code of the notice in the place of the device's six digits."""
        return self.request.question.receipt_code and typed_digits(self.answer.code) is None


Rule = Callable[[Situation], Refusal | None]


def plain_refusal(rule: str, reason: str, complaint: str) -> Refusal:
    """Given a rule and why it is broken, return a refusal of which the official is told exactly that."""
    return Refusal(rule, reason, complaint)


def secret_refusal(rule: str, reason: str, *, guess: bool) -> Refusal:
    """Given a rule and why it is broken, return a refusal that tells the official nothing of it."""
    return Refusal(rule, reason, COMPLAINT_OF_SECRETS, guess)
