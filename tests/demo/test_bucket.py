"""The demonstration's store in a bucket: its server starts and ends, and the whole story ends with the data back."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demo.bucket import ACCOUNTS, choose_store, close_bucket, open_bucket, store_settings
from demo.engines import choose
from demo.site import Site, free_port
from recovery.errors import ConfigurationError
from recovery.settings import StoreSettings
from recovery.stores import open_store
from tests.testbed import s3

ROOT = Path(__file__).parents[2]


def prepared(site: Site, store: str) -> Site:
    """As much of a site as its store needs."""
    choose(site, "")
    choose_store(site, store)
    for folder in ("kunci", "log"):
        (site.root / folder).mkdir()
    (site.root / "s3.port").write_text(f"{free_port()}\n")
    return site


def test_the_servers_know_the_demonstrations_accounts() -> None:
    assert {"s3": s3.OWNER, "ceph": s3.BACKUP} == ACCOUNTS


def test_the_buckets_server_starts_once_and_keeps_what_it_stored(tmp_path: Path) -> None:
    site = prepared(Site(tmp_path / "peragaan"), "s3")
    store = open_store(StoreSettings.model_validate(store_settings(site)))
    for content in (b"words", b"words"):
        open_bucket(site)
        open_bucket(site)
        try:
            store.put_bytes("a", content)
        finally:
            assert close_bucket(site)
    assert not close_bucket(site)


def test_a_store_that_cannot_be_had_is_refused_with_the_way_out(tmp_path: Path) -> None:
    site = Site(tmp_path / "peragaan")
    choose(site, "")
    with pytest.raises(ConfigurationError, match="the demonstration has no store 'awan'; nothing was started"):
        choose_store(site, "awan")
    command = [sys.executable, "-m", "demo", "up", "--store", "ceph", "--directory", str(site.root)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "lies in memory and is gone with `make down`; nothing was started" in done.stderr


def test_a_demonstration_keeps_the_store_that_it_was_made_with(tmp_path: Path) -> None:
    site = Site(tmp_path / "peragaan")
    choose(site, "")
    assert site.store_kind == "directory"
    choose_store(site, "s3")
    site.inventory.touch()
    choose_store(site, "")
    choose_store(site, "s3")
    with pytest.raises(ConfigurationError, match="was made with the store s3; it was left as it is") as caught:
        choose_store(site, "ceph")
    assert caught.value.hint == "go on with it (STORE=s3), or begin anew with: make demo STORE=ceph"


@pytest.mark.endurance
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("store", ["s3", "ceph"])
def test_the_whole_story_ends_with_the_data_back(store: str, tmp_path: Path) -> None:
    directory = tmp_path / "peragaan"
    command = [sys.executable, "-m", "demo", "story", "--store", store, "--directory", str(directory)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.count("SAMA dengan cadangan") == 2
    robbed = re.findall(r"(\d+) objek di gudang cadangan ditimpa dengan akun cadangan itu sendiri", done.stdout)
    refused = re.findall(r"(\d+) dari (\d+) upaya menghapus objek ditolak oleh gudang", done.stdout)
    assert (1 if store == "ceph" else 0) == len(robbed) == len(refused)
    # Of each object two attempts, and not one of them got through.
    assert [(str(2 * int(count)),) * 2 for count in robbed] == refused and "0" not in robbed
    assert not (directory / "s3.pid").exists()
