"""Opening a restore procedure, and ending it before anything was touched."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from recovery.calendar import to_date
from recovery.errors import ConfigurationError, NotFoundError
from recovery.forms.model import contains_nik
from recovery.installation import RELEASE, Installation
from recovery.procedures.restore.own_places import refuse_own_places
from recovery.procedures.restore.plan import newest_or_refuse, none_verified
from recovery.procedures.restore.r1_request import letter_digest
from recovery.procedures.restore.request_form import RestoreRequest
from recovery.records import backups, officials, procedures
from recovery.records.officials import Official
from recovery.settings import ApplicationSettings


def begin_restore(installation: Installation, procedure_id: str, request: RestoreRequest) -> dict[str, Any]:
    """Given the requester's form, open the restore procedure (again, after a suspend or retry).

    Returns {"id", "application"}. Raises as check_request() does, for a new run only: what a run that comes again has
    done must be ended, whoever left the office meanwhile.
    """
    with installation.catalog.read() as connection:
        procedure = procedures.find(connection, procedure_id)
    if procedure is None:
        # Before anybody is asked: a request that cannot come true would only keep the next one out.
        requester = check_request(installation, request)
        procedure = procedures.open_procedure(
            installation.catalog,
            procedure_id,
            "restore",
            application=request.aplikasi,
            parameters={"request": request.model_dump(mode="json"), "requester_unit": requester.unit},
            release=RELEASE,
        )
    return {"id": procedure.id, "application": procedure.application}


def check_request(installation: Installation, request: RestoreRequest) -> Official:
    """Given a request, return its requester when a procedure could be opened for it now; nothing is changed.

    Raises NotFoundError for an unknown application or requester, for one who is not in office today, when a component
    has no verified backup (where the request names no time: none whose moment can be believed), and when the letter is
    not there for step 1; ConflictError when another restore of this application is open; ConfigurationError when a
    component of it is one of Pulih's own places.
    """
    application = installation.application(request.aplikasi)
    refuse_own_places(installation, application.name)
    with installation.catalog.read() as connection:
        requester = _requester_of(connection, request)
        _require_backups(connection, application, request)
        procedures.refuse_second_restore(connection, application.name)
    letter_digest(installation, request.berkas_surat)
    return requester


def fields_with_personal_numbers(request: RestoreRequest) -> list[str]:
    """Given a request, return its fields in which a NIK stands: a form never shows one, so none may come in."""
    return [name for name, value in request.model_dump(mode="json").items() if contains_nik(value)]


def _requester_of(connection: Connection, request: RestoreRequest) -> Official:
    numbers = fields_with_personal_numbers(request)
    if numbers:
        raise ConfigurationError(
            f"the field {numbers[0]} of the request holds a 16-digit number (a NIK?)",
            state="nothing was touched",
            hint="write the request without it; a NIP (18 digits) is fine",
        )
    requester = officials.find(connection, request.nip_pemohon)
    if requester is None or "pemohon" not in requester.roles:
        raise NotFoundError(
            f"no requester has the NIP {request.nip_pemohon}",
            state="nothing was touched",
            hint="check the NIP on the letter; a new requester is added to the inventory first",
        )
    today = to_date(datetime.now(UTC)).isoformat()
    if not requester.is_in_office(today):
        # Nobody could acknowledge it in step 8: his answers would not count.
        raise NotFoundError(
            f"the requester {requester.nip} is not in office on {today}",
            state="nothing was touched",
            hint="let a requester who is in office ask for it; or set his valid_from and valid_until right in the "
            "inventory and run `pulih apply`",
        )
    return requester


def _require_backups(connection: Connection, application: ApplicationSettings, request: RestoreRequest) -> None:
    for component in application.components:
        if not request.titik_pulih.strip():
            newest_or_refuse(connection, application.name, component.name)
        elif backups.newest_verified(connection, application.name, component.name) is None:
            raise none_verified(application.name, component.name)
