"""Starting and stopping a server: it says why it did not start, and nothing is ended that is not ours."""

import json
import os
import stat
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployments.server import LocalServer, _share_runner_storage, running_server, start_server, stop
from recovery.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


@pytest.fixture
def sleeper() -> "Iterator[subprocess.Popen[bytes]]":
    """Some process that has nothing to do with us."""
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_pid_that_came_round_again_is_not_taken_for_the_server(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]"
) -> None:
    record = {"pid": str(sleeper.pid), "started": "1", "port": "4200"}
    (tmp_path / "server.pid").write_text(json.dumps(record))
    assert running_server(tmp_path) is None
    assert stop(tmp_path) == []
    assert sleeper.poll() is None
    assert not (tmp_path / "server.pid").exists()


def test_what_the_pid_file_names_is_ended(tmp_path: Path, sleeper: "subprocess.Popen[bytes]") -> None:
    started = Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()[19]
    record = {"pid": str(sleeper.pid), "started": started, "port": "4200"}
    (tmp_path / "server.pid").write_text(json.dumps(record))
    assert running_server(tmp_path) == LocalServer(tmp_path, 4200)
    assert stop(tmp_path) == ["server"]
    assert sleeper.wait(timeout=60) < 0


def test_workers_of_several_accounts_share_the_directory_of_prefects_runners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shared = tmp_path / "runner_storage"
    for _ in range(2):
        _share_runner_storage()
        assert 0o1777 == stat.S_IMODE(shared.stat().st_mode)


@pytest.mark.root
def test_a_link_that_somebody_put_in_the_place_of_that_directory_opens_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ours = tmp_path / "ours"
    ours.mkdir(mode=0o700)
    (tmp_path / "runner_storage").symlink_to(ours)
    os.chown(tmp_path / "runner_storage", NOBODY, NOBODY, follow_symlinks=False)
    _share_runner_storage()
    assert 0o700 == stat.S_IMODE(ours.stat().st_mode)


@pytest.mark.root
def test_a_directory_of_prefects_runners_that_is_somebody_elses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Prefect made it for another account, before Pulih."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        shared = Path(directory) / "runner_storage"
        shared.mkdir(mode=0o755)
        monkeypatch.setattr(tempfile, "tempdir", directory)
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
        monkeypatch.setattr(os, "access", partial(os.access, effective_ids=True))
        os.seteuid(NOBODY)
        try:
            with pytest.raises(HostError, match="runner_storage belongs to another account") as caught:
                _share_runner_storage()
        finally:
            os.seteuid(0)
    assert caught.value.hint == f"sudo chmod 1777 {shared}, or let its owner remove it"


def test_a_home_without_a_server_has_nothing_to_stop(tmp_path: Path) -> None:
    assert stop(tmp_path) == []


def test_a_damaged_pid_file_is_no_running_server(tmp_path: Path) -> None:
    (tmp_path / "server.pid").write_text("")
    assert running_server(tmp_path) is None


def test_clients_of_a_server_send_nothing_elsewhere_and_reach_no_other(tmp_path: Path) -> None:
    expected = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_API_URL": "http://127.0.0.1:4200/api",
    }
    assert LocalServer(tmp_path, 4200).environment() == expected


@pytest.mark.slow
def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="the Prefect server ended with status") as caught:
        start_server(tmp_path, settings={"PREFECT_SERVER_API_PORT": "not a port"}, timeout=120)
    assert "not a port" in caught.value.message
    assert caught.value.hint == f"read {tmp_path}/server.log"
    assert not (tmp_path / "server.pid").exists()


@pytest.mark.slow
def test_the_running_server_is_found_and_not_started_twice(prefect_server: LocalServer) -> None:
    assert start_server(prefect_server.home) == prefect_server
    assert os.environ["PREFECT_API_URL"] == prefect_server.api_url
