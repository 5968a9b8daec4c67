"""Issuing the SOP's forms: a number without gaps, the facts from the records, a PDF on disk and in every store."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from recovery.calendar import to_wib
from recovery.copies import put_into_every_store
from recovery.durable import sync_directory
from recovery.errors import FormError
from recovery.forms.model import Document, FormFacts, Letterhead
from recovery.forms.render import render
from recovery.installation import Installation, private_directory
from recovery.points import reached
from recovery.procedures.backup_document import backup_facts
from recovery.procedures.drill_document import drill_facts
from recovery.procedures.restore_document import restore_facts
from recovery.procedures.restore_request_document import restore_request_facts
from recovery.procedures.retention_document import destruction_facts
from recovery.procedures.schedule_document import schedule_facts
from recovery.records import forms, numbers
from recovery.records.missed_copies import fault_of, missed_copies, record_mended, record_missed

PLACE = "Trenggalek"

Kind = Literal["backup", "restore_request", "restore", "schedule", "destruction", "drill"]

# Each has its number's pattern under the same name in the settings.
FACTS: dict[Kind, Callable[[Installation, str, Document], FormFacts]] = {
    "backup": backup_facts,
    "restore_request": restore_request_facts,
    "restore": restore_facts,
    "schedule": schedule_facts,
    "drill": drill_facts,
    "destruction": destruction_facts,
}


def issue_form(installation: Installation, procedure_id: str, kind: Kind, *, version: int) -> forms.Form:
    """Issue one version of a form, once; versions of one form carry one number. The SOP passes a form on:

    backup: 1 filled in (step 5), 2 reviewed (step 6); restore_request: 1 requested, 2 disposed, 3 verified (steps 1 to
    3); restore: 1 informing (step 7), 2 acknowledged (step 8); destruction: 1 proposed, 2 decided and carried out.

    Number, facts and the file's hash are one transaction, so that a number never stands for nothing. The copies in the
    stores are put after it, and again by a repeated call; one store that takes it is enough to go on. Each that did not
    is on record until it has the form: nothing is overwritten, and names of forms can be foreseen.
    """
    with installation.catalog.read() as connection:
        form = forms.find_version(connection, kind, procedure_id, version)
        lacked = [each.store for each in missed_copies(connection) if form and each.key == form_key(form)]
    if form is None:
        form = _render_and_record(installation, procedure_id, kind, version)
    _put_into_stores(installation, form, lacked)
    return form


def _put_into_stores(installation: Installation, form: forms.Form, lacked: list[str]) -> None:
    """Put it there, and record which store lacks it, and which of those that lacked it has it now."""
    key = form_key(form)
    missed = put_into_every_store(installation, lambda store: store.put_file(key, Path(form.path)))
    faults = {store: fault_of(error, "missing") for store, error in missed.items()}
    mended = [store for store in lacked if store in installation.stores and store not in faults]
    if not faults and not mended:
        return
    with installation.catalog.begin() as connection:
        record_missed(connection, "form", key, faults, procedure_id=form.procedure_id)
        for store in mended:
            record_mended(connection, "form", key, store, procedure_id=form.procedure_id)


def issue_schedule(installation: Installation, procedure_id: str, *, decided: bool) -> forms.Form:
    """Issue the Jadwal Back Up: one version when it is drawn up, the next with the decision on it.

    Its number stays; its versions go on from those that earlier approvals of the same schedule have issued.
    """
    with installation.catalog.read() as connection:
        own = forms.list_forms(connection, procedure_id)
        newest = forms.newest_version(connection, "schedule", procedure_id)
    drawn_up = own[0].version if own else (newest.version if newest else 0) + 1
    return issue_form(installation, procedure_id, "schedule", version=drawn_up + 1 if decided else drawn_up)


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


def _render_and_record(installation: Installation, procedure_id: str, kind: Kind, version: int) -> forms.Form:
    now = datetime.now(UTC)
    pattern: str = getattr(installation.office.numbers, kind)
    with installation.catalog.begin() as connection:
        earlier = forms.newest_version(connection, kind, procedure_id)
        number = earlier.number if earlier else numbers.next_number(connection, kind, pattern, now)
        facts = FACTS[kind](installation, procedure_id, document_of(installation, number, version, now))
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


def form_key(form: forms.Form) -> str:
    """Given a form, return the key of its PDF in the stores."""
    year = to_wib(form.created_at).year
    plain = form.number.replace("/", "-")
    return f"formulir/{year}/{plain}/{plain}-v{form.version}.pdf"
