"""Issuing the SOP's forms: a number without gaps, the facts from the records, a PDF on disk and in every store."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from recovery.calendar import to_wib
from recovery.durable import sync_directory
from recovery.errors import FormError
from recovery.forms.model import Document, FormFacts, Letterhead
from recovery.forms.render import render
from recovery.installation import Installation, private_directory
from recovery.points import reached
from recovery.procedures.backup_document import backup_facts
from recovery.procedures.restore_document import restore_facts
from recovery.procedures.restore_request_document import restore_request_facts
from recovery.procedures.schedule_document import schedule_facts
from recovery.records import forms, numbers

PLACE = "Trenggalek"

Builder = Callable[[Document], FormFacts]


def issue_backup_form(installation: Installation, procedure_id: str, *, version: int) -> forms.Form:
    """Issue Formulir Pelaksanaan Back Up Data: version 1 when filled in (step 5), 2 when reviewed (step 6)."""
    pattern = installation.office.numbers.backup
    return _issue(
        installation,
        procedure_id,
        "backup",
        pattern,
        version,
        lambda document: backup_facts(installation, procedure_id, document),
    )


def issue_restore_request(installation: Installation, procedure_id: str, *, version: int) -> forms.Form:
    """Issue Formulir Permintaan Restore Data: version 1 requested, 2 disposed, 3 verified (steps 1 to 3)."""
    pattern = installation.office.numbers.restore_request
    return _issue(
        installation,
        procedure_id,
        "restore_request",
        pattern,
        version,
        lambda document: restore_request_facts(installation, procedure_id, document),
    )


def issue_restore_form(installation: Installation, procedure_id: str, *, version: int) -> forms.Form:
    """Issue Formulir Pelaksanaan Restore Data: version 1 when informing (step 7), 2 when acknowledged (step 8)."""
    pattern = installation.office.numbers.restore
    return _issue(
        installation,
        procedure_id,
        "restore",
        pattern,
        version,
        lambda document: restore_facts(installation, procedure_id, document),
    )


def issue_schedule(installation: Installation, procedure_id: str, *, decided: bool) -> forms.Form:
    """Issue the Jadwal Back Up: one version when it is drawn up, the next with the decision on it.

    Its number stays; its versions go on from those that earlier approvals of the same schedule have issued.
    """
    with installation.catalog.read() as connection:
        own = forms.list_forms(connection, procedure_id)
        newest = forms.newest_version(connection, "schedule", procedure_id)
    drawn_up = own[0].version if own else (newest.version if newest else 0) + 1
    return _issue(
        installation,
        procedure_id,
        "schedule",
        installation.office.numbers.schedule,
        drawn_up + 1 if decided else drawn_up,
        lambda document: schedule_facts(installation, procedure_id, document),
    )


def document_of(installation: Installation, number: str, version: int, now: datetime) -> Document:
    """Given a number and a version, return what every form of this office carries."""
    office = installation.office
    return Document(
        number=number,
        created_at=now.isoformat(timespec="microseconds"),
        letterhead=Letterhead(government=office.government, office=office.name, address=office.address),
        version=version,
        place=PLACE,
        verification_url=f"{office.document_url}{number}" if office.document_url else "",
        legal_basis=tuple(office.legal_basis),
    )


def _issue(
    installation: Installation, procedure_id: str, kind: str, pattern: str, version: int, build: Builder
) -> forms.Form:
    """Issue one version of a form, once; versions of one form carry one number.

    Number, facts and the file's hash are one transaction, so that a number never stands for nothing. The copy in the
    stores is put after it, and again by a repeated call.
    """
    with installation.catalog.read() as connection:
        form = forms.find_version(connection, kind, procedure_id, version)
    if form is None:
        form = _render_and_record(installation, procedure_id, kind, pattern, version, build)
    for store_name in sorted(installation.stores):
        installation.store(store_name).put_file(_store_key(form), Path(form.path))
    return form


def _render_and_record(
    installation: Installation, procedure_id: str, kind: str, pattern: str, version: int, build: Builder
) -> forms.Form:
    now = datetime.now(UTC)
    with installation.catalog.begin() as connection:
        earlier = forms.newest_version(connection, kind, procedure_id)
        number = earlier.number if earlier else numbers.next_number(connection, kind, pattern, now)
        facts = build(document_of(installation, number, version, now))
        rendered = render(facts)
        path = _write(installation, number, version, now, rendered.pdf)
        return forms.store_form(
            connection,
            number=number,
            kind=kind,
            procedure_id=procedure_id,
            version=version,
            facts=facts.to_json(),
            pdf_sha256=rendered.sha256,
            path=str(path),
        )


def _write(installation: Installation, number: str, version: int, now: datetime, pdf: bytes) -> Path:
    directory = private_directory(installation.forms_directory / str(to_wib(now).year))
    path = directory / f"{number.replace('/', '-')}-v{version}.pdf"
    unfinished = path.with_suffix(".tmp")
    try:
        with unfinished.open("wb") as file:
            file.write(pdf)
            file.flush()
            os.fsync(file.fileno())
        reached("form: written")
        unfinished.replace(path)
        reached("form: in its place")
        # The year's directory may be as new as the form.
        for folder in (directory, directory.parent):
            sync_directory(folder)
    except OSError as error:
        raise FormError(
            f"the form {number} cannot be written ({error.strerror})",
            state="no number was used up and nothing else changed",
            hint="make room in the state directory and retry the run",
        ) from error
    return path


def _store_key(form: forms.Form) -> str:
    year = to_wib(form.created_at).year
    plain = form.number.replace("/", "-")
    return f"formulir/{year}/{plain}/{plain}-v{form.version}.pdf"
