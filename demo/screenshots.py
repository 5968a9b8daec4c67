"""`python -m demo.screenshots`: take the pictures in docs/ with a real browser, from `make up` or without it."""

import argparse
import os
import shutil
import sys
import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from demo.browsing import REQUEST, WIDTH, Person, open_page
from demo.officials import Phone
from demo.running import start, stop_all
from demo.site import EXECUTOR, KABID, KADIS, Site
from deployments.server import LocalServer, running_server
from recovery.calendar import WIB
from recovery.errors import ConfigurationError, PulihError

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = Path(__file__).resolve().parent.parent / "docs"
LARGEST_BYTES = 300_000
_DISPOSITION = {
    "Nomor agenda": "045/XI/2026",
    "Sifat": "segera",
    "Disposisi": "diteruskan",
    "Instruksi": "Verifikasi dan tindak lanjuti.",
    "Catatan": "-",
}
_VERIFICATION = {
    "Jenis data sesuai": "ya",
    "Pemohon berwenang": "ya",
    "Cadangan tersedia dan utuh": "ya",
    "Dampak ke unit lain": "-",
    "Penanganan data pribadi": "Hanya pelaksana yang mengakses data.",
    "Keputusan": "disetujui",
    "Catatan": "-",
}
_START = {"Pelaksanaan": "mulai", "Catatan": "-"}


def main() -> int:
    """Take the pictures; return 0 when all are there."""
    parser = argparse.ArgumentParser(prog="python -m demo.screenshots")
    parser.add_argument("--directory", type=Path, default=Path("run/demo"), help="where `make up` keeps its files")
    given = parser.parse_args()
    # Set before anything imports Prefect: its own notes would stand between the lines.
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
    try:
        if shutil.which("chromium") is None:
            raise ConfigurationError(
                "Chromium is not installed", state="no picture was taken", hint="sudo apt install chromium"
            )
        site = Site(given.directory.resolve())
        server = running_server(site.prefect_home)
        if server is not None:
            os.environ.update(server.environment())
            take(site, server)
        else:
            _take_from_a_demonstration_of_our_own()
    except PulihError as error:
        print(f"\n{error}", file=sys.stderr)
        return error.exit_code
    return 0


def take(site: Site, server: LocalServer) -> None:
    """Given a demonstration that is up, back up, request a restore, go as far as its start, and take pictures.

    The restore is called off at the end, so that SIMPEL's data stays as it is.
    """
    from demo.story import Actors

    # By `make up`, a moment ago.
    actors = Actors(site, server, print, codes_used=True)
    backup, phones = actors.back_up(), actors.phones
    with open_page() as page:
        person = Person(page, server.url)

        page.goto(f"{server.url}/v2/runs/flow-run/{backup}")
        page.get_by_role("tab", name="Task Runs").click()
        # The drawing moves into place.
        page.wait_for_timeout(3000)
        _picture(page, "run", 900)

        person.open_request("restore")
        person.fill_in({**REQUEST, **_damage_after_the_backup(page)})
        _picture(page, "restore-form", 1000)
        run = person.submit()
        _answer(person, run, "Disposisi permintaan restore data", KADIS, phones, _DISPOSITION)
        _answer(person, run, "Verifikasi jenis dan kewenangan data", KABID, phones, _VERIFICATION)

        person.open_approval(run, "Hasil gladi")
        code = phones[EXECUTOR].code()
        person.fill_in({**_START, "NIP": EXECUTOR, "Kode dokumen": person.document_code(), "Kode sekali pakai": code})
        _picture(page, "approval", 2010)
        person.fill_in({"Pelaksanaan": "batalkan", "Catatan": "Hanya untuk gambar."})
        person.resume()


def _take_from_a_demonstration_of_our_own() -> None:
    from demo.story import Actors

    with tempfile.TemporaryDirectory(prefix="pulih-", ignore_cleanup_errors=True) as directory:
        site = Site(Path(directory) / "kantor")
        try:
            server = start(site, print)
            Actors(site, server, print).approve_schedule()
            take(site, server)
        finally:
            stop_all(site)


def _damage_after_the_backup(page: "Page") -> dict[str, str | date]:
    """Wait for the next moment that the form's calendar offers; return the fields of a letter about what happens then.

    Of damage from before the only backup the officials are warned, which is not what the pictures are to show.
    """
    now = datetime.now(WIB)
    moment = now.replace(second=0, microsecond=0) + timedelta(minutes=5 - now.minute % 5)
    print(f"waiting until {moment:%H:%M}: of minutes the form's calendar offers every fifth")
    page.wait_for_timeout((moment - now).total_seconds() * 1000)
    return {"Tanggal surat": moment.date(), "Waktu kejadian": moment}


def _answer(person: Person, run: str, says: str, nip: str, phones: dict[str, Phone], fields: dict[str, str]) -> None:
    person.open_approval(run, says)
    code = phones[nip].code()
    person.fill_in({**fields, "NIP": nip, "Kode dokumen": person.document_code(), "Kode sekali pakai": code})
    person.resume()


def _picture(page: "Page", name: str, height: int) -> None:
    """Write docs/screenshot-<name>.png, as much of the page as fits into this height."""
    before = page.viewport_size
    page.set_viewport_size({"width": WIDTH, "height": height})
    # A list that closes gives the focus back, and with it the scroll position.
    page.wait_for_timeout(1000)
    page.evaluate("document.activeElement.blur()")
    dialog = page.get_by_role("dialog")
    page.evaluate("document.querySelectorAll('*').forEach(part => part.scrollTop = 0)")
    page.wait_for_timeout(1000)
    path = PICTURES / f"screenshot-{name}.png"
    (dialog if dialog.count() else page).screenshot(path=path, animations="disabled")
    page.set_viewport_size(before or {"width": WIDTH, "height": height})
    size = path.stat().st_size
    print(f"{path.relative_to(PICTURES.parent)}: {size // 1000} kB")
    if size > LARGEST_BYTES:
        raise ConfigurationError(
            f"{path.name} has {size} bytes", state="the picture was taken", hint="show less of the page"
        )


if __name__ == "__main__":
    sys.exit(main())
