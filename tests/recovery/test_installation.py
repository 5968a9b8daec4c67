"""What an installation opens, and the directories that are its own."""

import base64
from pathlib import Path

import pytest

from recovery.errors import ConfigurationError, KeyMissingError
from recovery.installation import Installation, private_directory, remove_tree
from recovery.settings import KeySettings, OfficeSettings


def installation(key: Path) -> Installation:
    """Nothing but a place for the enrolment key."""
    keys = KeySettings(
        operations_recipient="age1a",
        escrow_recipient="age1b",
        operations_identity="env:NONE",
        signing_key="env:NONE",
        enrolment_key=f"file:{key}",
    )
    return Installation(OfficeSettings(state_directory=str(key.parent)), keys, {}, {}, {}, {})


@pytest.mark.parametrize("content", [b"", b"not base64!", base64.b64encode(bytes(31))])
def test_an_enrolment_key_of_another_shape_is_named_and_not_shown(tmp_path: Path, content: bytes) -> None:
    """With a wrong key every right code would be refused, and nobody would know why."""
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(KeyMissingError, match="is not 32 bytes of base64; no approval can be checked") as refused:
        installation(tmp_path / "key").enrolment_key()
    assert not content or content.decode() not in str(refused.value)


def test_a_private_directory_is_its_owners_alone_on_every_level(tmp_path: Path) -> None:
    """Mode 0700, whatever the umask; what is there already is left as it is."""
    made = private_directory(tmp_path / "one" / "two")
    assert [0o40700] * 2 == [path.stat().st_mode for path in (made, made.parent)]
    assert made == private_directory(made)


def test_a_directory_that_cannot_be_made_is_a_matter_of_configuration(tmp_path: Path) -> None:
    """A file stands in the way."""
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigurationError, match=r"file/one cannot be created \(Not a directory\); nothing was written"
    ):
        private_directory(tmp_path / "file" / "one")


def test_a_tree_that_cannot_be_removed_is_named_and_may_hold_plain_data(tmp_path: Path) -> None:
    """A file stands in its place."""
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigurationError, match=r"file cannot be removed \(Not a directory\); what is left of it may be"
    ):
        remove_tree(tmp_path / "file")


def test_a_tree_without_permissions_and_with_links_is_removed_and_nothing_beyond_it(tmp_path: Path) -> None:
    """Restored trees hold both."""
    (tmp_path / "kept").mkdir(mode=0o750)
    (tmp_path / "kept" / "file").touch()
    closed = tmp_path / "tree" / "closed"
    closed.mkdir(parents=True)
    (closed / "file").touch()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "kept")
    closed.chmod(0)
    remove_tree(tmp_path / "tree")
    remove_tree(tmp_path / "tree")
    assert ["kept"] == [path.name for path in tmp_path.iterdir()]
    assert ["file"] == [path.name for path in (tmp_path / "kept").iterdir()]
    assert 0o40750 == (tmp_path / "kept").stat().st_mode, "a link is not followed"
