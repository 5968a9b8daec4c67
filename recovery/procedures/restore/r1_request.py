"""Step 1: "Membuat surat dan mengisi formulir permintaan restore data"."""

import re
from pathlib import Path

from recovery.canonical import digest
from recovery.errors import NotFoundError
from recovery.installation import Installation
from recovery.procedures.documents import issue_form
from recovery.procedures.file_digest import sha256_of_file
from recovery.records import procedures
from recovery.records.steps import StepResult


def request(installation: Installation, procedure_id: str) -> StepResult:
    """Given an open restore procedure, fix the letter by its digest and issue the request's form.

    The letter is named by its SHA-256, or lies in the intake folder of the state directory under the name given.
    """
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
    form = procedure.parameters["request"]
    letter_sha256 = letter_digest(installation, form["berkas_surat"])
    issued = issue_form(installation, procedure_id, "restore_request", version=1)
    return StepResult(
        evidence={
            "form_number": issued.number,
            "form_sha256": issued.pdf_sha256,
            "letter_number": form["nomor_surat"],
            "letter_sha256": letter_sha256,
            "request_hash": digest({"request": form, "letter_sha256": letter_sha256}),
        }
    )


def letter_digest(installation: Installation, letter: str) -> str:
    """Given the request's "berkas surat", return the letter's SHA-256: as it stands there, or of the file in the intake
    folder. Raises NotFoundError when no such file is there."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", letter):
        return letter.lower()
    intake = installation.state_directory / "surat-masuk"
    # Only a plain name: the field comes from a form and must not lead anywhere else.
    path = intake / Path(letter).name
    if Path(letter).name != letter or not path.is_file():
        raise NotFoundError(
            f"there is no letter {letter!r} in the intake folder",
            state="nothing was touched",
            hint=f"put the scanned letter into {intake} and retry the run, or give its SHA-256 instead",
        )
    return sha256_of_file(path)
