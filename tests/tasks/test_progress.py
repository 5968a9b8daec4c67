"""Bars of proofs: what they say, how often, and that nothing which was proven counts as failed for them."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from recovery.progress import Progress
from tasks import progress as shown

# Outside a run an artifact belongs to none, which Prefect warns of.
pytestmark = pytest.mark.filterwarnings("ignore:Artifact creation outside:FutureWarning")

ID = "0b8a3a1e-0000-4000-8000-000000000001"


@pytest.fixture(autouse=True)
def no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect tells of the artifacts by a websocket, which this server has not."""
    monkeypatch.setattr("prefect.events.utilities.should_emit_events", lambda: False)


@contextmanager
def artifacts(status: int = 200, update_status: int = 0) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """A server that keeps what it is told of artifacts; given another status it refuses."""
    told: list[tuple[str, dict[str, Any]]] = []

    class Keeper(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            if "artifacts" in self.path:
                told.append((self.command, body))
            answer = {"id": ID, "created": "2026-11-22T00:00:00Z", "updated": "2026-11-22T00:00:00Z", **body}
            given = update_status if self.command == "PATCH" and update_status else status
            self.send_response(given if "artifacts" in self.path else 404)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_POST = do_PATCH = do_GET = _answer  # noqa: N815 - names of the standard library

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Keeper) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{server.server_port}/api"}):
            yield told
        server.shutdown()


def loaded(done: int, total: int = 2_000_000, component: str = "simpel/data") -> Progress:
    return Progress(component, "postgresql", "load", done, total)


def measured(done: int, total: int = 40, kind: str = "postgresql") -> Progress:
    return Progress("simpel/data", kind, "measure", done, total)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What our own code warned of; Prefect warns in threads of its own."""
    ours = [record for record in caplog.records if record.name.startswith("tasks.")]
    return [record.getMessage() for record in ours if record.levelno == logging.WARNING]


def test_a_proof_has_one_bar_that_says_what_is_loaded_and_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "SECONDS_BETWEEN", 0.0)
    with artifacts() as told:
        tell = shown.show_progress("kemajuan-uji", "Pengujian cadangan")
        for progress in (loaded(0), loaded(1_000_000), measured(0), measured(30), measured(40)):
            tell(progress)
    assert [command for command, _ in told] == ["POST", "PATCH", "PATCH", "PATCH", "PATCH"]
    assert (told[0][1]["key"], told[0][1]["type"]) == ("kemajuan-uji-simpel-data", "progress")
    assert [body["data"] for _, body in told] == [0.0, 25.0, 50.0, 87.5, 100.0]
    assert [body["description"].partition(": ")[2] for _, body in told] == [
        "memuat salinan uji, 0 byte dari 1,9 MiB",
        "memuat salinan uji, 976,6 KiB dari 1,9 MiB",
        "memeriksa tabel, 0 dari 40",
        "memeriksa tabel, 30 dari 40",
        "memeriksa tabel, 40 dari 40",
    ]
    assert {body["description"].partition(": ")[0] for _, body in told} == {"Pengujian cadangan simpel/data"}


def test_each_component_has_its_own_bar_and_trees_have_directories() -> None:
    with artifacts() as told:
        tell = shown.show_progress("kemajuan-gladi", "Gladi restore")
        tell(loaded(0, 0, "simpel/berkas"))
        tell(loaded(0))
    assert [body["key"] for _, body in told] == ["kemajuan-gladi-simpel-berkas", "kemajuan-gladi-simpel-data"]
    assert told[0][1]["data"] == 50.0, "of nothing, all is loaded"
    assert shown.words(measured(1, 3, "files")) == "memeriksa direktori, 1 dari 3"


def test_the_server_is_asked_now_and_then_and_at_the_end_of_each_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "SECONDS_BETWEEN", 3600.0)
    with artifacts() as told:
        tell = shown.show_progress("kemajuan-uji", "Pengujian cadangan")
        for done in range(0, 2_000_001, 1000):
            tell(loaded(done))
        for done in range(41):
            tell(measured(done))
    assert [body["data"] for _, body in told] == [0.0, 50.0, 100.0]


def test_a_bar_that_somebody_removed_meanwhile_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with artifacts(update_status=404) as told:
        tell = shown.show_progress("kemajuan-uji", "Pengujian cadangan")
        for progress in (loaded(0), measured(40), measured(40)):
            tell(progress)
    assert [command for command, _ in told] == ["POST", "PATCH"]
    assert [line.rpartition(" (")[2].partition(":")[0] for line in warnings(caplog)] == ["PrefectHTTPStatusError"]


def test_what_cannot_be_shown_is_one_warning_and_is_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    with artifacts(status=500) as told:
        tell = shown.show_progress("kemajuan-uji", "Pengujian cadangan")
        for done in range(5):
            tell(measured(done))
    assert len(told) == 1
    (warning,) = warnings(caplog)
    assert warning.startswith("Prefect does not show: Pengujian cadangan simpel/data: memeriksa tabel, 0 dari 40 (")
