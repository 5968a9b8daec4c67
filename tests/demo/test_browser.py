"""An official's approval in a real browser, on a real server with a real worker, as `make up` starts them."""

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.browsing import REQUEST, Person, open_page
from demo.officials import Phone
from demo.site import KADIS, Site, read_phones

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DISPOSITION = {
    "Nomor agenda": "045/XI/2026",
    "Sifat": "biasa",
    "Disposisi": "dikembalikan",
    "Instruksi": "Lengkapi surat.",
    "Catatan": "Surat belum ditandatangani.",
    "NIP": KADIS,
}


@pytest.fixture
def demonstration() -> Iterator[tuple[Site, str]]:
    """The demonstration as `make up` leaves it, with the address of its user interface."""
    if shutil.which("chromium") is None:
        pytest.fail("Chromium is not installed; first: sudo apt install chromium")
    with tempfile.TemporaryDirectory(prefix="pulih-", ignore_cleanup_errors=True) as directory:
        site = Site(Path(directory) / "kantor")
        port = _free_port()
        try:
            _demo("up", "--directory", str(site.root), "--port", str(port))
            yield site, f"http://127.0.0.1:{port}"
        finally:
            _demo("down", "--directory", str(site.root))


def test_a_request_and_its_approval_can_be_given_in_the_browser_and_a_wrong_code_is_explained(
    demonstration: tuple[Site, str],
) -> None:
    site, address = demonstration
    with open_page() as page:
        person = Person(page, address)
        person.open_request("restore")
        person.fill_in(REQUEST)
        run = person.submit()

        person.open_approval(run, "Disposisi permintaan restore data")
        document = person.document()
        first_code = person.document_code()
        person.fill_in({**DISPOSITION, "Kode dokumen": first_code, "Kode sekali pakai": "000000"})
        person.resume()

        person.open_approval(run, "Perhatian")
        complaint = person.document()
        second_code = person.document_code()
        code = Phone(read_phones(site.phones)[KADIS]).code()
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


def _demo(*arguments: str) -> None:
    # A process of its own: the demonstration points its process to its own Prefect server.
    done = subprocess.run([sys.executable, "-m", "demo", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
