"""Opening a restore procedure, and ending it before anything was touched."""

from typing import Any

from recovery.errors import ConfigurationError, NotFoundError
from recovery.forms.model import contains_nik
from recovery.installation import RELEASE, Installation
from recovery.procedures.restore.request_form import RestoreRequest
from recovery.records import officials, procedures


def begin_restore(installation: Installation, procedure_id: str, request: RestoreRequest) -> dict[str, Any]:
    """Given the requester's form, open the restore procedure (again, after a suspend or retry).

    Returns {"id", "application"}. Raises NotFoundError for an unknown application or requester, ConflictError when
    another restore of this application is open.
    """
    application = installation.application(request.aplikasi)
    _refuse_personal_numbers(request)
    with installation.catalog.read() as connection:
        requester = officials.get(connection, request.nip_pemohon)
    if requester is None or "pemohon" not in requester.roles:
        raise NotFoundError(
            f"no requester has the NIP {request.nip_pemohon}",
            state="nothing was touched",
            hint="check the NIP on the letter; a new requester is added to the inventory first",
        )
    procedure = procedures.open_procedure(
        installation.catalog,
        procedure_id,
        "restore",
        application=application.name,
        parameters={"request": request.model_dump(mode="json"), "requester_unit": requester.unit},
        release=RELEASE,
    )
    return {"id": procedure.id, "application": procedure.application}


def _refuse_personal_numbers(request: RestoreRequest) -> None:
    """A form never shows a NIK, so none may come in with the request."""
    for name, value in request.model_dump(mode="json").items():
        if contains_nik(value):
            raise ConfigurationError(
                f"the field {name} of the request holds a 16-digit number (a NIK?)",
                state="nothing was touched",
                hint="write the request without it; a NIP (18 digits) is fine",
            )
