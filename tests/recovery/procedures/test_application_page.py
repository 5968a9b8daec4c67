"""The page of an application says what the records say, whatever stood on the page before."""

import uuid
from datetime import UTC, datetime

import pytest

from recovery.calendar import format_bytes, format_duration, format_moment
from recovery.errors import SourceError
from recovery.procedures.application_page import application_page, applications_of
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.restore.expected_downtime import expected_downtime
from recovery.procedures.restore.forecast import forecast
from recovery.records import backups, forms, procedures
from tests.testbed.small_office import SmallOffice

# After whatever these tests do.
NOW = datetime(2099, 11, 20, 3, 0, tzinfo=UTC)


def link(procedure_id: str) -> str:
    return f"http://127.0.0.1:4200/runs/flow-run/{procedure_id}"


def page(office: SmallOffice) -> str:
    return application_page(office.installation, "simpel", link, now=NOW)


def sections(office: SmallOffice) -> dict[str, dict[str, str]]:
    """What is said of each component, by its label."""
    found: dict[str, dict[str, str]] = {}
    for section in page(office).split("\n## ")[1:-1]:
        title, *lines = section.strip().splitlines()
        found[title] = dict(line[4:].split(":** ", 1) for line in lines if ":** " in line)
    return found


def test_before_the_first_backup_the_page_says_that_there_is_none(office: SmallOffice) -> None:
    assert page(office).startswith(
        "# Cadangan SIMPEL\n\n"
        "Pemilik data: Badan Kepegawaian Daerah. Keadaan pada Jumat, 20 November 2099 pukul 10.00.00 WIB.\n"
    )
    none = {"Cadangan terverifikasi terbaru": "**belum ada**", "Gladi restore terakhir": "belum pernah"}
    assert {"data": none, "berkas": none} == sections(office)
    assert page(office).endswith("## Restore terakhir\n\nBelum pernah.\n")


@pytest.mark.slow
def test_after_backup_and_restore_the_page_says_what_counts_and_where_its_form_is(office: SmallOffice) -> None:
    backup = office.back_up()
    restore = office.restore()
    with office.installation.catalog.read() as connection:
        newest = backups.newest_verified(connection, "simpel", "data")
        form = forms.latest(connection, "backup", backup)
        restore_form = forms.latest(connection, "restore", restore)
    assert newest is not None and form is not None and restore_form is not None
    assert {
        "Cadangan terverifikasi terbaru": str(newest.name).replace("_", "\\_"),
        "Titik pulih": format_moment(newest.moment),
        "Hasil uji": "✅ LULUS",
        "Ukuran": format_bytes(newest.facts["digests"]["cipher_size"]),
        "Disimpan di": "utama",
        "Disimpan sampai": format_moment(newest.retention_until),
        "Formulir": f"[{form.number}]({link(backup)})",
        "Gladi restore terakhir": "belum pernah",
    } == sections(office)["data"]
    assert f"[{restore_form.number}]({link(restore)}): **Berhasil**, selesai " in page(office)
    assert "GAGAL" not in page(office)
    # What a restore takes is what the last one took.
    planned = forecast(office.installation, "simpel", None)
    assert {f"the rehearsal of {restore}"} == {each.rehearsal.by for each in planned.components}
    assert f"the restore {restore}" == planned.downtime.by
    assert planned.downtime.seconds is not None
    measured = format_duration(planned.downtime.seconds)
    assert expected_downtime(office.installation, "simpel").startswith(
        f"{measured} pada restore terakhir: menghentikan"
    )


@pytest.mark.slow
def test_a_newer_backup_that_failed_is_said_beside_the_old_one_that_counts(office: SmallOffice) -> None:
    office.back_up()
    before = sections(office)
    failed = str(uuid.uuid4())
    begin_backup(office.installation, failed, schedule_name="bulanan", routine=True)
    office.uploads.rename(office.uploads.with_name("unggahan-hilang"))
    with pytest.raises(SourceError):
        office.step("backup.1", failed, "simpel/berkas")
    assert before == sections(office)
    assert 1 == page(office).count("- ❌ **Back up terbaru GAGAL** ([")
    assert f"({link(failed)})), langkah 1. Melakukan back up sesuai dengan jadwal yang telah ditetapkan" in page(office)


def test_a_restore_under_way_is_said_to_be_under_way(office: SmallOffice) -> None:
    """On the page of the application that it is about, as the backup is."""
    backup, restore = office.back_up(), office.request()
    with office.installation.catalog.read() as connection:
        form = forms.latest(connection, "restore_request", restore)
    assert form is not None
    assert f"[{form.number}]({link(restore)}): **sedang berjalan**, dimulai " in page(office)
    with office.installation.catalog.read() as connection:
        assert ["simpel"] == applications_of(procedures.get(connection, backup))
        assert ["simpel"] == applications_of(procedures.get(connection, restore))
