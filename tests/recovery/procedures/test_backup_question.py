"""What the Kabid is shown of a backup is what its form says."""

import socket
from typing import NoReturn

import pytest

from recovery.errors import SourceError
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.questions import question_of
from recovery.records import forms
from recovery.records.steps import perform
from tests.testbed.small_office import SmallOffice

# Nothing here looks at the service.
WITHOUT_SERVICE = True

NIK = "3503012345678901"


def rows(office: SmallOffice, procedure_id: str, section: int) -> dict[str, str]:
    document = question_of(office.installation, procedure_id, "backup.6").document
    return dict(document["bagian"][section]["baris"])


def printed(office: SmallOffice, procedure_id: str) -> str:
    with office.installation.catalog.read() as connection:
        (form,) = forms.list_forms(connection, procedure_id)
    return str(form.facts)


def unreadable() -> NoReturn:
    raise SourceError(f"the file /srv/ktp/{NIK}.jpg cannot be read", state="nothing was dumped")


def test_failures_and_reasons_are_told_as_on_the_form(office: SmallOffice) -> None:
    """No personal number, the system's own words marked as such, and of a repetition what it repeats."""
    begin_backup(office.installation, "run", schedule_name="bulanan", routine=True)
    with pytest.raises(SourceError):
        perform(office.installation.catalog, "backup.1", "run", unreadable, component="simpel/berkas")
    number = office.step("backup.5", "run")["form_number"]
    assert "Rutin" == rows(office, "run", 0)["Jenis"]
    data, files = rows(office, "run", 1).values()
    assert "GAGAL – tidak selesai" == data
    assert files.startswith("GAGAL – langkah 1 gagal (pesan sistem: the file /srv/ktp/")
    assert "Kendala" not in rows(office, "run", 1)
    assert NIK not in files and files.endswith(".jpg cannot be read; nothing was dumped)")
    assert files.removeprefix("GAGAL – ") in printed(office, "run")

    begin_backup(office.installation, "again", schedule_name="bulanan", routine=False, cites=number)
    with socket.socket(socket.AF_UNIX) as left_out:
        left_out.bind(str(office.uploads / "soket"))
        office.step("backup.1", "again", "simpel/berkas")
    office.step("backup.5", "again")
    # Beside the failure of what was not backed up, the Kabid reads what the backup of the tree lacks.
    lacks = rows(office, "again", 1)["Kendala"]
    assert lacks.startswith("simpel/berkas: ") and "soket is a socket and was left out" in lacks
    assert lacks in printed(office, "again")
    why = f"mengulang komponen yang gagal pada formulir {number}"
    assert f"Di luar jadwal: {why}" == rows(office, "again", 0)["Jenis"]
    assert why in printed(office, "again")
    begin_backup(office.installation, "both", schedule_name="bulanan", routine=False, cites=number, reason="Uji.")
    office.step("backup.5", "both")
    assert f"Di luar jadwal: Uji.; {why}" == rows(office, "both", 0)["Jenis"]
