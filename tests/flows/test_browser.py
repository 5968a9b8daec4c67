"""An official's request and approval in a real browser, on a real server with a real worker."""

import shutil
from typing import TYPE_CHECKING

import pytest

from demo.browsing import REQUEST, Person, open_page
from tests.testbed.small_office import KADIS, LETTER

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DISPOSITION = {
    "Nomor agenda": "045/XI/2026",
    "Sifat": "biasa",
    "Disposisi": "dikembalikan",
    "Instruksi": "Lengkapi surat.",
    "Catatan": "Surat belum ditandatangani.",
    "NIP": KADIS,
}


def test_a_request_and_its_approval_can_be_given_in_the_browser_and_a_wrong_code_is_explained(
    office: "WorkingOffice", reviewed_backup: str
) -> None:
    if shutil.which("chromium") is None:
        pytest.fail("Chromium is not installed; first: sudo apt install chromium")
    with open_page() as page:
        person = Person(page, office.server.url)
        person.open_request("restore")
        person.fill_in({**REQUEST, "Berkas surat": LETTER})
        run = person.submit()

        person.open_approval(run, "Disposisi permintaan restore data")
        document = person.document()
        first_code = person.document_code()
        person.fill_in({**DISPOSITION, "Kode dokumen": first_code, "Kode sekali pakai": "000000"})
        person.resume()

        person.open_approval(run, "Perhatian")
        complaint = person.document()
        second_code = person.document_code()
        code = office.phones[KADIS].code()
        person.fill_in({**DISPOSITION, "Kode dokumen": second_code, "Kode sekali pakai": code})
        person.resume()

        page.get_by_text("Dikembalikan", exact=True).first.wait_for()

    assert "Nomor surat" not in document  # the form is over; the letter stands in the document
    assert "800/045/BKD/2026" in document
    assert "Tabel riwayat pangkat terhapus dan folder unggahan hilang." in document
    assert "Jumat, 20 November 2026 pukul 14.30" in document
    assert "Perhatian" not in document
    assert "Jawaban belum dapat diterima" in complaint
    assert first_code != second_code
