"""What a person does at the Prefect UI in a real browser: fill in a request, find a waiting run, answer its form."""

import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from demo.site import APPLICATION, LETTER_FILE, LETTER_NUMBER, REQUESTER
from recovery.calendar import WIB
from recovery.errors import ConfigurationError, HostError

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

# Headless and quiet: no sandbox, since a container has none to give, and no calls of Chromium's own to the internet.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_THIS_MACHINE = ("http://127.0.0.1:", "data:")
WIDTH, HEIGHT = 1280, 900
PATIENCE_SECONDS = 240

# Formulir Permintaan Restore Data by the titles of its fields, for the letter that the demonstration holds.
REQUEST: dict[str, str | date] = {
    "Nomor surat": LETTER_NUMBER,
    "Tanggal surat": date(2026, 11, 20),
    "Berkas surat": LETTER_FILE,
    "NIP pemohon": REQUESTER,
    "Kontak dinas": "(0355) 000000",
    "Pejabat penandatangan": "Kepala Badan Kepegawaian Daerah",
    "Nama aplikasi": APPLICATION,
    "Uraian kerusakan dan penyebab": "Tabel riwayat pangkat terhapus dan folder unggahan hilang.",
    "Waktu kejadian": datetime(2026, 11, 20, 14, 30, tzinfo=WIB),
    "Jenis data": "Data kepegawaian",
    "Data pribadi": "umum",
    "Dasar kewenangan": "SK Kepala BKD tentang pengelola SIMPEL",
    "Persetujuan kehilangan data sesudah titik pulih": "setuju",
    "Urgensi": "segera",
    "Waktu henti yang diizinkan": "Hari ini, paling lama 30 menit",
    "Pernyataan tanggung jawab": "bertanggung jawab",
}


@contextmanager
def open_page() -> "Iterator[Page]":
    """Open a browser page as an official in the office has it: 1280 pixels wide, Indonesian, in WIB.

    Only this machine is reached, whatever a page asks for. Raises ConfigurationError when Chromium or Playwright is
    missing.
    """
    executable = shutil.which("chromium")
    if executable is None:
        raise ConfigurationError(
            "Chromium is not installed", state="nothing was started", hint="sudo apt install chromium"
        )
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ConfigurationError(
            "Playwright is not installed", state="nothing was started", hint="make install"
        ) from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(_FLAGS))
        try:
            page = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, locale="id-ID", timezone_id="Asia/Jakarta"
            )
            page.set_default_timeout(60_000)
            page.route(lambda address: not address.startswith(_THIS_MACHINE), lambda route: route.abort())
            yield page
        finally:
            browser.close()


class Person:
    """Somebody at the Prefect UI, who clicks and types and sees what the page shows."""

    def __init__(self, page: "Page", address: str) -> None:
        self.page = page
        self.address = address

    def open_request(self, deployment: str) -> None:
        """Go from the start page to a deployment's form, as a person does: Deployments, its name, Run, Custom run."""
        self.page.goto(self.address)
        self.page.get_by_role("link", name="Deployments").first.click()
        self.page.get_by_role("link", name=deployment, exact=True).first.click()
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Custom run").click()
        # The fields come after the rest of the page.
        self.page.locator("form fieldset").first.wait_for()

    def open_approval(self, run: str, says: str) -> None:
        """Given a run's address, wait until it asks for an answer in a form that says this, and open it: ⋮, Resume.

        Raises HostError when the run fails, or does not ask within PATIENCE_SECONDS.
        """
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while self._asks(run, give_up_at):
            self.page.goto(run)
            self.page.get_by_role("button", name="Open menu").first.click()
            # The menu offers "Resume" only while the run waits.
            self.page.get_by_role("menuitem", name="Copy ID").wait_for()
            if self.page.get_by_role("menuitem", name="Resume").count():
                self.page.get_by_role("menuitem", name="Resume").click()
                self.page.get_by_text("Kode dokumen:").wait_for()
                if says in self.document():
                    return
        raise HostError(f"the run failed or did not ask for {says!r} in time", hint=f"look at {run}")

    def _asks(self, run: str, give_up_at: float) -> bool:
        """Wait until a run is suspended; return whether it is. The server is asked: loading its page takes a core."""
        state = f"{self.address}/api/flow_runs/{urlsplit(run).path.rpartition('/')[2]}"
        while time.monotonic() < give_up_at:
            name = self.page.request.get(state, timeout=PATIENCE_SECONDS * 1000).json()["state_name"]
            if name == "Suspended":
                return True
            if name in ("Failed", "Crashed"):
                break
            self.page.wait_for_timeout(500)
        return False

    def document(self) -> str:
        """Return the text of the open dialogue: the document with its code, and the form."""
        return self.page.get_by_role("dialog").inner_text()

    def document_code(self) -> str:
        """Return the code of the open document, as it is read off the screen."""
        return self.page.get_by_role("heading", name="Kode dokumen:").locator("code").inner_text()

    def resume(self) -> None:
        """Press Resume in the open dialogue."""
        dialog = self.page.get_by_role("dialog")
        self._send(dialog.get_by_role("button", name="Resume"), "resume")
        dialog.wait_for(state="detached")

    def fill_in(self, fields: Mapping[str, str | date]) -> None:
        """Given values by the fields' titles, fill them in by typing, by choosing, or in the calendar."""
        for title, value in fields.items():
            if isinstance(value, datetime):
                self._pick_moment(title, value.astimezone(WIB))
            elif isinstance(value, date):
                self._pick_date(title, value)
            elif (choices := self.page.get_by_label(f"Select {title}", exact=True)).count():
                self._choose(choices, value)
            else:
                self.page.get_by_label(title, exact=True).fill(value)

    def submit(self) -> str:
        """Press Submit, follow the note to the run that it made, and return the run's address."""
        self._send(self.page.get_by_role("button", name="Submit"), "create_flow_run")
        self.page.get_by_role("button", name="View run").click()
        self.page.wait_for_url("**/runs/flow-run/*")
        return self.page.url

    def _send(self, button: "Locator", request: str) -> None:
        """Press a button, and again while the server is too busy: what was filled in stays on the page then."""
        for _attempt in range(20):
            with self.page.expect_response(re.compile(f"/{request}$")) as answered:
                button.click()
            # A server that keeps its data in SQLite says so when another write came between.
            if answered.value.status != 503:
                break

    def _choose(self, choices: "Locator", value: str) -> None:
        choices.click()
        option = self.page.get_by_role("option", name=value, exact=True)
        option.click()
        option.wait_for(state="detached")

    def _pick_date(self, title: str, day: date) -> None:
        self.page.get_by_label(title, exact=True).click()
        self.page.get_by_label("Date (yyyy-MM-dd)").fill(day.isoformat())
        self.page.keyboard.press("Escape")
        self.page.get_by_role("dialog").wait_for(state="detached")

    def _pick_moment(self, title: str, moment: datetime) -> None:
        """Choose day, hour, minute (of which the list has every fifth) and half of the day in WIB."""
        self.page.get_by_label(title, exact=True).click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label("Choose the Year").select_option(str(moment.year))
        dialog.get_by_label("Choose the Month").select_option(str(moment.month - 1))
        dialog.locator(f"[data-day='{moment.date().isoformat()}'] button").click()
        columns = dialog.locator("[data-slot=scroll-area]")
        # A day begins in its first half, from which a click at "AM" would take twelve hours more.
        clock = [str(moment.hour % 12 or 12), str(moment.minute // 5 * 5), *(["PM"] if moment.hour >= 12 else [])]
        for column, text in enumerate(clock):
            columns.nth(column).get_by_role("button", name=text, exact=True).click()
        self.page.keyboard.press("Escape")
        dialog.wait_for(state="detached")
