"""The demonstration as `make up` leaves it and `make down` ends it."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.browsing import Person, open_page
from demo.instructions import instructions
from demo.site import KADIS, Site

pytestmark = [pytest.mark.endurance, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def demonstration() -> Iterator[tuple[Site, int]]:
    """The demonstration while it is up and has said how it is used, with the port of its user interface."""
    with tempfile.TemporaryDirectory(prefix="pulih-", ignore_cleanup_errors=True) as directory:
        site = Site(Path(directory) / "kantor")
        port = _free_port()
        try:
            said = _demo("up", "--directory", str(site.root), "--port", str(port))
            assert said.endswith("\n".join(["", *instructions(site, f"http://127.0.0.1:{port}"), ""]))
            yield site, port
        finally:
            _demo("down", "--directory", str(site.root))


def test_a_person_finds_the_request_form_and_the_officials_phones_until_it_is_stopped(
    demonstration: tuple[Site, int],
) -> None:
    site, port = demonstration
    with open_page() as page:
        Person(page, f"http://127.0.0.1:{port}").open_request("restore")
        assert page.get_by_label("Nomor surat", exact=True).is_visible()
    pulih = Path(sys.executable).with_name("pulih")
    assert _run(str(pulih), "--inventory", str(site.inventory), "official", "code", KADIS).split()[0].isdigit()
    _demo("down", "--directory", str(site.root))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def _demo(*arguments: str) -> str:
    # A process of its own: the demonstration points its process to its own Prefect server.
    return _run(sys.executable, "-m", "demo", *arguments)


def _run(*argv: str) -> str:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
