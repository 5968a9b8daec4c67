"""References to secrets: each kind is found, and an error names the reference and never the value."""

from pathlib import Path

import pytest

from recovery.errors import ConfigurationError, KeyMissingError
from recovery.secrets import resolve


def test_a_file_is_read_without_the_blanks_around_it(tmp_path: Path) -> None:
    """Editors end a file with a newline."""
    (tmp_path / "key").write_bytes(b" s3cret\n")
    assert b"s3cret" == resolve(f"file:{tmp_path / 'key'}")


def test_an_environment_variable_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's own, without the blanks around it."""
    monkeypatch.setenv("PULIH_TEST_SECRET", "s3cret ")
    assert b"s3cret" == resolve("env:PULIH_TEST_SECRET")


def test_a_systemd_credential_is_read_from_its_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """systemd names the directory in CREDENTIALS_DIRECTORY."""
    (tmp_path / "enrolment").write_bytes(b"s3cret\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert b"s3cret" == resolve("credential:enrolment")


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_or_empty_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """An empty secret is none."""
    monkeypatch.delenv("PULIH_TEST_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("PULIH_TEST_SECRET", value)
    with pytest.raises(KeyMissingError, match=r"the secret env:PULIH_TEST_SECRET is not set"):
        resolve("env:PULIH_TEST_SECRET")


def test_a_credential_outside_of_systemd_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked for in the current directory."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(KeyMissingError, match=r"the secret credential:enrolment cannot be read \(No such file"):
        resolve("credential:enrolment")


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_credential_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    """systemd gives a unit an empty one where the file is not there, as the units say (tests/deployments)."""
    (tmp_path / "enrolment").write_bytes(content)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(KeyMissingError, match=r"the secret credential:enrolment is empty: its file is not") as missing:
        resolve("credential:enrolment")
    assert "put the file where that says" in missing.value.hint


def test_a_reference_of_another_kind_is_refused_without_its_value() -> None:
    """Somebody may have written the secret itself where its reference belongs."""
    with pytest.raises(ConfigurationError, match=r"'plain' is no kind of secret reference") as refused:
        resolve("plain:s3cret")
    assert "s3cret" not in str(refused.value)
