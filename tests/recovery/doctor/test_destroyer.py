"""A worker that destroys under an account of its own, beside a store that is a directory: it can remove nothing there.
The account is what systemd says of the unit; a program in its place says it here."""

import os
import pwd
from pathlib import Path

import pytest

from recovery.doctor import Finding, examine
from recovery.doctor.places import DROP_IN, examine_places
from recovery.installation import Installation

OPERATIONS = Path(__file__).resolve().parents[3] / "docs" / "operations.md"
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def destroying(installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Destruction is scheduled, and its worker runs as nobody."""
    (tmp_path / "bin").mkdir()
    says(tmp_path, "nobody")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    installation.office.destruction_cron = "0 3 1 * *"
    return installation


def says(tmp_path: Path, account: str) -> None:
    program = tmp_path / "bin" / "systemctl"
    asked = "show --property=User --value pulih-destruction-worker.service"
    program.write_text(f'#!/bin/sh\ntest "$*" = "{asked}" && echo "{account}"\n')
    program.chmod(0o755)


def found(installation: Installation) -> list[Finding]:
    return [each for each in examine_places(installation) if "destruction-worker" in each.message]


def test_an_account_that_can_remove_nothing_is_a_problem_with_the_lines_that_mend_it(
    destroying: Installation, tmp_path: Path
) -> None:
    """They are those of the documentation."""
    (trouble,) = found(destroying)
    assert ("store utama", "problem") == (trouble.subject, trouble.state)
    assert (
        "nobody, the account of pulih-destruction-worker.service, can remove nothing from "
        f"{tmp_path / 'store'}, which belongs to root"
    ) == trouble.message
    assert DROP_IN.format(user="root", group="root") == trouble.mend
    documented = OPERATIONS.read_text(encoding="utf-8").splitlines()
    assert set(DROP_IN.format(user="pulih", group="pulih").split("; ")) <= set(documented)
    assert trouble in examine(destroying, None)


def test_who_owns_the_store_or_may_write_there_by_group_or_mode_is_no_problem(
    destroying: Installation, tmp_path: Path
) -> None:
    """And one whom its group lets only read is."""
    store = tmp_path / "store"
    for uid, gid, mode, problems in (
        (NOBODY.pw_uid, 0, 0o750, 0),
        (0, NOBODY.pw_gid, 0o770, 0),
        (0, NOBODY.pw_gid, 0o757, 1),
        (0, 0, 0o757, 0),
        (0, 0, 0o775, 1),
    ):
        os.chown(store, uid, gid)
        store.chmod(mode)
        assert problems == len(found(destroying)), (uid, gid, oct(mode))
    os.chown(store, 54321, 0)
    store.chmod(0o750)
    (trouble,) = found(destroying)
    assert trouble.message.endswith(f"{store}, which belongs to no account (54321)")
    assert f"let {store} be owned by the account that backs up" == trouble.mend


def test_without_that_worker_or_systemd_nothing_is_said(
    destroying: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor where root destroys, nor where nothing is destroyed by a schedule."""
    for account in ("", "root", "nobody-of-that-name"):
        says(tmp_path, account)
        assert [] == found(destroying)
    says(tmp_path, "nobody")
    assert 1 == len(found(destroying))
    destroying.office.destruction_cron = ""
    assert [] == found(destroying)
    destroying.office.destruction_cron = "0 3 1 * *"
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    assert [] == found(destroying)
