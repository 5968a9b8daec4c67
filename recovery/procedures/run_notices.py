"""What people are told about a run: which application and step, who must act, what to do, and a link, in Indonesian.

That something happened is Prefect's knowledge (deployments/automations.py); what it means stands in the records.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import Connection

from recovery import calendar
from recovery.calendar import format_moment, to_date
from recovery.installation import Installation
from recovery.notifying import deliver
from recovery.records import forms, notices, officials, procedures, steps
from recovery.records.procedures import Procedure
from recovery.records.waiting import OpenRequest, open_requests
from recovery.sop import GATES, PROCEDURE_TITLES, ROLE_TITLES, step

Occasion = Literal["gagal", "terputus", "terlambat", "persetujuan", "lewat-waktu", "tanpa-kabar"]

# How officials call each occasion; also the names of the automations.
TITLES: dict[Occasion, str] = {
    "gagal": "Proses gagal",
    "terputus": "Proses terputus",
    "terlambat": "Proses terlambat dimulai",
    "persetujuan": "Persetujuan ditunggu",
    "lewat-waktu": "Persetujuan lewat batas waktu",
    "tanpa-kabar": "Proses tanpa kabar",
}
# In which type of state a run must still be, by the time somebody looks, for the occasion to be worth a notice.
_STILL = {
    "gagal": "FAILED",
    "terputus": "CRASHED",
    "terlambat": "SCHEDULED",
    "persetujuan": "PAUSED",
    "lewat-waktu": "PAUSED",
    "tanpa-kabar": "RUNNING",
}
# A worker that is busy starts a run a moment late; that much is worth no notice.
LATE_AFTER = timedelta(minutes=10)
# Who is recorded as the recipient at a target of the office.
OFFICE = "kantor"
_TITLES = {**PROCEDURE_TITLES, "drill": "GLADI RESTORE", "retention": "PEMUSNAHAN CADANGAN"}
_LONGEST_REASON = 500

_ANSWER = "Buka tautan, baca dokumennya, pilih ⋮ lalu Resume, dan isi formulirnya."
_RETRY = "Buka tautan, baca sebabnya, perbaiki, lalu pilih ⋮ dan Retry."
_AGAIN = "Baca formulirnya, perbaiki sebabnya, lalu jalankan di-luar-jadwal dan isi “Mengulang formulir nomor”."
_DRILL_AGAIN = "Baca berita acaranya, perbaiki sebabnya, lalu jalankan lagi gladi restore."
_NEW_REQUEST = "Baca formulirnya; bila masih diperlukan, ajukan permintaan baru."
_NEXT_TIME = "Baca berita acaranya; yang belum selesai dilanjutkan oleh pemusnahan berikutnya."
_WORKER = "Periksa apakah worker dan servernya hidup; proses berjalan sendiri sesudah worker hidup."
_LOST = "Periksa apakah worker dan servernya hidup. Bila prosesnya sudah mati, batalkan (Cancel), lalu Retry."


@dataclass(frozen=True)
class Run:
    """A flow run as Prefect knows it at this moment."""

    id: str
    name: str
    url: str
    state_type: str
    message: str
    expected_at: datetime | None = None
    started_at: datetime | None = None


@dataclass(frozen=True)
class RunNotice:
    """A notice and who gets it: pairs of recipient (a NIP, or the office) and the reference of a target."""

    subject: str
    body: str
    step_id: str
    recipients: tuple[tuple[str, str], ...]


def is_still_so(occasion: Occasion, run: Run) -> bool:
    """Given an occasion and the run as it is now, return whether it is still worth a notice.

    An event is seconds old when somebody looks, and Prefect raises some for runs that have long ended.
    """
    if run.state_type == _STILL[occasion]:
        return True
    # The worker that comes back starts the late run and this notice at the same time.
    begun = run.started_at - run.expected_at if run.started_at and run.expected_at else timedelta(0)
    return occasion == "terlambat" and begun >= LATE_AFTER


def needs_no_answer(installation: Installation, occasion: Occasion, run: Run) -> bool:
    """Given an occasion and its run, return whether it is about an answer that nobody needs: the procedure is closed,
    given up or replaced by a newer one, and Prefect's run waits on."""
    if occasion not in ("persetujuan", "lewat-waktu"):
        return False
    with installation.catalog.read() as connection:
        procedure = procedures.find(connection, run.id)
    return procedure is not None and procedure.state == "closed"


def overdue_at(installation: Installation, run: Run) -> datetime:
    """Given a run that waits for an official, return when the SOP's time for his step is over: the step's recorded
    deadline. A step without one, as the executor's start, is given the same day."""
    with installation.catalog.read() as connection:
        waiting = _waiting(connection, run.id)
    if waiting is None:
        return datetime.now(UTC)
    if waiting.deadline is not None:
        return datetime.fromisoformat(waiting.deadline)
    return calendar.deadline(waiting.request.opened_at, installation.office.working_days)


def compose(installation: Installation, occasion: Occasion, run: Run, now: datetime) -> RunNotice:
    """Given an occasion and its run, return the notice. A run that died before it opened its procedure has little."""
    with installation.catalog.read() as connection:
        procedure = procedures.find(connection, run.id)
        asked = _waiting(connection, run.id) if run.state_type == "PAUSED" else None
        step_id = asked.request.step_id if asked else _step(connection, run.id)
        lines = [
            *_subject_matter(installation, connection, procedure),
            ("Langkah", _title(step_id)),
            ("Keadaan", _condition(occasion, run, asked)),
            ("Yang harus bertindak", _who(asked)),
            ("Tindakan", _what_to_do(occasion, asked, procedure)),
            ("Batas waktu", format_moment(asked.deadline) if asked and asked.deadline else ""),
            ("Tautan", run.url),
        ]
        recipients = _recipients(installation, connection, asked, now)
    body = "\n".join(f"{label}: {text}" for label, text in lines if text)
    return RunNotice(f"{TITLES[occasion]}: {run.name}", f"{body}\n", step_id, recipients)


def send(installation: Installation, run: Run, notice: RunNotice) -> list[str]:
    """Given a notice, send it to each of its recipients and record the results; return what went wrong.

    Never raises for a failed delivery: everybody else is told first. A run without a procedure has no record.
    """
    subject, body = notice.subject, notice.body
    results = [(who, reference, deliver(reference, subject, body)) for who, reference in notice.recipients]
    with installation.catalog.begin() as connection:
        if procedures.find(connection, run.id) is not None:
            for who, reference, trouble in results:
                notices.record_notice(
                    connection,
                    procedure_id=run.id,
                    step_id=notice.step_id,
                    recipient=who,
                    channel=reference,
                    subject=subject,
                    delivered=trouble == "",
                    detail=trouble,
                )
    if not results:
        return ["neither the office nor an official who must act has a notice target"]
    return [f"{reference}: {trouble}" for _who, reference, trouble in results if trouble]


def _waiting(connection: Connection, run_id: str) -> OpenRequest | None:
    asked = [each for each in open_requests(connection) if each.request.procedure_id == run_id]
    return asked[0] if asked else None


def _step(connection: Connection, run_id: str) -> str:
    """The step at which a run stands: the first that stands as failed, else the one that was opened last."""
    rows = [row for row in steps.list_steps(connection, run_id) if row.state != "done"]
    return next((row.step_id for row in rows if row.state == "failed"), rows[-1].step_id if rows else "")


def _subject_matter(
    installation: Installation, connection: Connection, procedure: Procedure | None
) -> list[tuple[str, str]]:
    if procedure is None:
        return []
    schedule = procedure.parameters.get("schedule", {})
    names = [procedure.application] if procedure.application else schedule.get("applications", [])
    known = installation.applications
    issued = forms.list_forms(connection, procedure.id)
    return [
        ("Prosedur", _TITLES.get(procedure.kind, "")),
        ("Aplikasi", ", ".join(known[name].title if name in known else name for name in names)),
        ("Formulir", ", ".join(dict.fromkeys(form.number for form in issued))),
    ]


def _condition(occasion: Occasion, run: Run, asked: OpenRequest | None) -> str:
    match occasion:
        case "persetujuan" | "lewat-waktu" if asked:
            return asked.request.complaint or f"menunggu sejak {format_moment(asked.request.opened_at)}"
        case "persetujuan" | "lewat-waktu":
            return "dihentikan sementara oleh seseorang; tidak ada persetujuan yang ditunggu"
        case "terlambat":
            begun = (
                "belum dimulai" if run.state_type == "SCHEDULED" else f"baru dimulai {format_moment(run.started_at)}"
            )
            return f"seharusnya dimulai {format_moment(run.expected_at)}, {begun}"
        case "tanpa-kabar":
            return "tercatat sedang berjalan, tetapi tidak lagi memberi tanda hidup"
    reason = " ".join(run.message.split())
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"


def _who(asked: OpenRequest | None) -> str:
    if asked is None:
        return ROLE_TITLES["pelaksana"]
    roles = " atau ".join(ROLE_TITLES[role] for role in asked.request.question.roles)
    names = ", ".join(official.name for official in asked.officials) or "saat ini tidak ada yang dapat menjawab"
    return f"{roles} ({names})" if roles else names


def _what_to_do(occasion: Occasion, asked: OpenRequest | None, procedure: Procedure | None) -> str:
    if asked:
        return _ANSWER
    if occasion == "terlambat":
        return _WORKER
    if occasion == "tanpa-kabar":
        return _LOST
    if procedure is not None and procedure.state == "closed":
        ways = {"backup": _AGAIN, "drill": _DRILL_AGAIN, "retention": _NEXT_TIME}
        return ways.get(procedure.kind, _NEW_REQUEST)
    return _RETRY


def _recipients(
    installation: Installation, connection: Connection, asked: OpenRequest | None, now: datetime
) -> tuple[tuple[str, str], ...]:
    """Who may answer is told himself. The office is told of all else, and where nobody could be reached.

    Of what is overdue the guard tells the office. An office without targets has its executors told.
    """
    office = [(OFFICE, reference) for reference in installation.office.notice_targets]
    today = to_date(now).isoformat()
    if asked:
        people = asked.officials
    else:
        everyone = [] if office else officials.list_all(connection)
        people = tuple(each for each in everyone if "pelaksana" in each.roles and each.is_in_office(today))
    # Several people may share one mail box, which is told once.
    mail_boxes = {official.contact: official.nip for official in people if official.contact}
    return tuple((nip, reference) for reference, nip in mail_boxes.items()) or tuple(office)


def _title(step_id: str) -> str:
    return GATES[step_id] if step_id in GATES else step(step_id).title if step_id else ""
