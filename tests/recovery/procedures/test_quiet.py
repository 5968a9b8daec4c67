"""Nothing is moved while anybody has the data open, and whoever is just closing it is waited for."""

import subprocess
import threading
from collections.abc import Iterator

import pytest

from recovery.errors import SourceBusyError
from recovery.procedures.restore import quiet
from recovery.procedures.restore.quiet import make_quiet
from tests.testbed.small_office import SmallOffice

pytestmark = pytest.mark.slow


@pytest.fixture
def reader(office: SmallOffice) -> "Iterator[subprocess.Popen[bytes]]":
    """A program that is no service and has the database open; it ends when its input does."""
    with office.database.open("rb") as database:
        process = subprocess.Popen(["sh", "-c", "read line"], stdin=subprocess.PIPE, stdout=database.fileno())
    yield process
    process.kill()
    process.communicate()


def test_a_program_that_keeps_the_data_open_is_named(
    office: SmallOffice, reader: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name and number, so that an administrator finds it."""
    monkeypatch.setattr(quiet, "PATIENCE_SECONDS", 0.3)
    with pytest.raises(SourceBusyError, match=rf"simpel\.db is still open in \w+ \(pid {reader.pid}\)"):
        make_quiet(office.installation, "simpel", ["simpel/data", "simpel/berkas"], [])


def test_a_program_that_closes_the_data_is_waited_for(
    office: SmallOffice, reader: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that was just stopped may need a moment."""
    monkeypatch.setattr(quiet, "PATIENCE_SECONDS", 30.0)
    looked = threading.Event()
    source = office.installation.source("simpel/data")
    before = type(source).quiet

    def look(self: object) -> dict[str, object]:
        try:
            return before(self)
        finally:
            if not looked.is_set():
                looked.set()
                reader.communicate(b"\n")

    monkeypatch.setattr(type(source), "quiet", look)
    evidence = make_quiet(office.installation, "simpel", ["simpel/data", "simpel/berkas"], [])
    assert looked.is_set()
    assert {"simpel/data": [], "simpel/berkas": []} == {
        component: proof["holders"] for component, proof in evidence["sources"].items()
    }
