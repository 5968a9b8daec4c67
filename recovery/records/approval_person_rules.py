"""The rules by which somebody is the right person to answer, secrets aside, one named function each.

Sources: the SOP's roles, and the office's separation of duties.
"""

from datetime import datetime

from recovery.calendar import to_date
from recovery.records.approval_requests import Answer, ApprovalRequest, Submission
from recovery.records.approval_situation import Refusal, Rule, Situation, plain_refusal
from recovery.records.officials import Official
from recovery.sop import ROLE_TITLES


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


PERSON_RULES: tuple[Rule, ...] = (
    official_is_named,
    official_has_the_role,
    official_is_in_office,
    duties_are_separate,
    official_is_enrolled,
)


def may_answer(request: ApprovalRequest, official: Official, moment: datetime) -> bool:
    """Given a request, an official and a time, return whether he is a right person to answer it then."""
    situation = Situation(
        request=request,
        asked_hash=request.hash,
        question=request.question,
        is_newest=True,
        already_decided=False,
        answer=Answer(decision="", nip=official.nip, document_code="", code=""),
        submission=Submission(submitted_at=moment, input_created_at=moment, resumes=1),
        official=official,
        time_step=None,
        time_step_is_new=False,
    )
    return all(rule(situation) is None for rule in PERSON_RULES)
