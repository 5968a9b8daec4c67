"""The newest Jadwal Back Up to print: the approved document, the one that waits for approval, or a draft."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from recovery.canonical import digest
from recovery.errors import FormError
from recovery.forms.render import render
from recovery.forms.schedule import UNNUMBERED, UNSUBMITTED
from recovery.installation import Installation
from recovery.procedures.documents import document_of
from recovery.procedures.schedule_approval import KIND, ScheduleApproval, approval_of, content_of
from recovery.procedures.schedule_document import facts_of_content
from recovery.records import forms, procedures
from recovery.records.forms import Form


@dataclass(frozen=True)
class PrintedSchedule:
    """A document and how its schedule stands. `number` and `version` are the document's own, empty for a draft."""

    pdf: bytes
    sha256: str
    approval: ScheduleApproval
    number: str = ""
    version: int = 0


def printed_schedule(installation: Installation, schedule_name: str, *, now: datetime | None = None) -> PrintedSchedule:
    """Given a schedule's name, return its document as the inventory has it: the approved version; else the version that
    waits for approval; else a draft without a number, which says that it is not approved.

    Raises NotFoundError for an unknown schedule, FormError when an issued document is not what it was.
    """
    approval = approval_of(installation, schedule_name)
    issued = _issued(installation, approval)
    if issued is not None:
        return PrintedSchedule(_read(issued), issued.pdf_sha256, approval, issued.number, issued.version)
    # Nobody finds a draft behind the address of the office's documents.
    document = replace(document_of(installation, UNNUMBERED, 0, now or datetime.now(UTC)), verification_url="")
    with installation.catalog.read() as connection:
        content = content_of(installation, schedule_name)
        rendered = render(facts_of_content(connection, content, document, UNSUBMITTED))
    return PrintedSchedule(rendered.pdf, rendered.sha256, approval)


def _issued(installation: Installation, approval: ScheduleApproval) -> Form | None:
    """The newest version that says what the inventory says, if it is approved or waits for approval."""
    with installation.catalog.read() as connection:
        if approval.approved:
            # Citable, so it is there.
            return forms.by_number(connection, approval.number, approval.version)
        for procedure in procedures.list_open(connection, KIND):
            if procedure.schedule == approval.schedule:
                same = digest(procedure.parameters["content"]) == approval.content_sha256
                return forms.latest(connection, KIND, procedure.id) if same else None
    return None


def _read(form: Form) -> bytes:
    path = Path(form.path)
    try:
        pdf = path.read_bytes()
    except OSError as error:
        raise _lost(form, f"cannot be read ({error.strerror})") from error
    if hashlib.sha256(pdf).hexdigest() != form.pdf_sha256:
        raise _lost(form, "is not the file that was issued")
    return pdf


def _lost(form: Form, why: str) -> FormError:
    return FormError(
        f"{form.path} {why}",
        state="nothing was written",
        hint="every store holds a copy of it in its folder formulir",
    )
