"""SIMPEL on a machine of its own: a unit of systemd behind nginx, reached by SSH."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from demo.engines import choose
from demo.machine import boot, choose_host, shut_down
from demo.site import APPLICATION, Site, prepare
from recovery.errors import ConfigurationError
from recovery.inventory import load_inventory

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(900)


@pytest.mark.root
def test_simpel_answers_there_is_controlled_and_ends(tmp_path: Path) -> None:
    """What the inventory says of it holds: data, service, page; and nothing runs when the machine is shut down."""
    site = Site(tmp_path / "peragaan")
    choose(site, "")
    choose_host(site, "systemd")
    prepare(site)
    boot(site)
    try:
        with urlopen(f"{site.simpel_url}/sehat", timeout=30) as answer:
            assert 200 == answer.status
        installation = load_inventory(site.inventory).installation()
        (service,) = installation.services(APPLICATION)
        service.preflight()
        assert "shown" == service.stop()["page"]
        assert "open" == service.start()["port"]
        assert "200 without its flag" == service.open()["page"]
        for component in ("data", "berkas"):
            assert [] == installation.source(f"{APPLICATION}/{component}").preflight()
        # Another call finds it running.
        boot(site)
    finally:
        assert shut_down(site)
    assert not shut_down(site)
    with pytest.raises(OSError, match="refused"):
        urlopen(site.simpel_url, timeout=5)


@pytest.mark.root
@pytest.mark.endurance
def test_the_whole_story_ends_with_the_data_back_on_the_machine(tmp_path: Path) -> None:
    """What `make demo HOST=systemd` runs, from nothing to the proof; the machine is gone afterwards."""
    site = Site(tmp_path / "peragaan")
    command = [sys.executable, "-m", "demo", "story", "--host", "systemd", "--directory", str(site.root)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
    assert 2 == done.stdout.count("SAMA dengan cadangan")
    assert "halaman pemeliharaan http://127.0.0.1/sehat tampil) mati" in done.stdout
    assert not shut_down(site)


def test_a_host_that_cannot_be_had_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """Before anything is started."""
    site = Site(tmp_path / "peragaan")
    choose(site, "")
    with pytest.raises(ConfigurationError, match="the demonstration has no host 'awan'"):
        choose_host(site, "awan")
    site.engine_file.write_text("postgresql")
    with pytest.raises(ConfigurationError, match="on a machine of its own keeps its data in SQLite"):
        choose_host(site, "systemd")


def test_a_demonstration_keeps_the_host_on_which_it_was_made(tmp_path: Path) -> None:
    """Its data lies there."""
    site = Site(tmp_path / "peragaan")
    choose(site, "")
    choose_host(site, "")
    site.inventory.touch()
    choose_host(site, "local")
    with pytest.raises(ConfigurationError, match="was made on the host local") as caught:
        choose_host(site, "systemd")
    assert "go on with it (HOST=local), or begin anew with: make demo HOST=systemd" == caught.value.hint
