"""Keys that are missing, wrong, or readable by others are found."""

import base64
import os
from pathlib import Path

import pytest

from recovery.crypto import generate_identity
from recovery.doctor import examine
from recovery.installation import Installation
from tests.recovery.doctor.conftest import only
from tests.testbed.small_office import KABID


@pytest.mark.parametrize("name", ["signing", "operations", "enrolment"])
def test_a_key_that_others_can_read_is_a_problem(installation: Installation, tmp_path: Path, name: str) -> None:
    """The mend is the command to type."""
    path = tmp_path / "keys" / name
    path.chmod(0o640)
    (trouble,) = [finding for finding in examine(installation, None) if finding.message.startswith("others can read")]
    assert ("problem", f"others can read {path}", f"chmod 600 {path}") == (
        trouble.state,
        trouble.message,
        trouble.mend,
    )


@pytest.mark.parametrize(
    ("name", "subject"),
    [("signing", "signing key"), ("operations", "operations identity"), ("enrolment", "enrolment key")],
)
@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_a_key_that_is_missing_or_of_no_use_is_a_problem(
    installation: Installation, tmp_path: Path, name: str, subject: str, content: bytes | None
) -> None:
    """Its content is never told."""
    path = tmp_path / "keys" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    trouble = only(installation, subject)
    assert "problem" == trouble.state
    assert trouble.mend
    assert "nonsense" not in str(trouble)


def test_an_identity_that_cannot_open_the_backups_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    """Backups would go on well for years, and no restore could open one."""
    identity, recipient = generate_identity()
    (tmp_path / "keys" / "operations").write_text(identity)
    trouble = only(installation, "operations identity")
    assert "problem" == trouble.state
    assert f"it opens what is encrypted for {recipient} and not for the operations recipient" == trouble.message


def test_a_key_that_is_in_no_file_has_no_permissions(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's environment, or a credential of systemd."""
    monkeypatch.setenv("KUNCI", (tmp_path / "keys" / "signing").read_text())
    installation.keys = installation.keys.model_copy(update={"signing_key": "env:KUNCI"})
    (tmp_path / "keys" / "signing").chmod(0o644)
    found = {each.subject: each.state for each in examine(installation, None)}
    assert ("ok", None) == (found["signing key"], found.get("signing key file"))


def test_an_escrow_key_that_is_the_daily_one_is_a_problem(installation: Installation) -> None:
    """One lost key would lose everything."""
    daily = installation.keys.operations_recipient
    installation.keys = installation.keys.model_copy(update={"escrow_recipient": daily})
    assert "is the operations recipient" == only(installation, "escrow recipient").message


def test_an_enrolment_key_that_opens_no_secret_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    """The key is of use, only not here: no answer would ever count."""
    (tmp_path / "keys" / "enrolment").write_bytes(base64.b64encode(os.urandom(32)))
    trouble = only(installation, f"official {KABID}")
    assert ("problem", f"the enrolment key does not open the secret of the official {KABID}") == (
        trouble.state,
        trouble.message,
    )
