"""New files are there whole or not at all. What a full disk does to them is tried in the tests of stores."""

import os
from pathlib import Path

import pytest

from recovery import durable, points
from recovery.durable import NewFile, remove_file, sync_directory
from recovery.errors import ConflictError, StoreError, StoreReadOnlyError


def test_a_new_file_has_its_content_and_is_its_owners_alone(tmp_path: Path) -> None:
    """Mode 0600 unless another is asked for."""
    with NewFile(tmp_path / "new") as file:
        file.write(b"whole")
        file.sync()
    assert (b"whole", 0o100600) == ((tmp_path / "new").read_bytes(), (tmp_path / "new").stat().st_mode)


def test_a_large_file_is_synced_as_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever computes the rest does not wait for the disk at the end."""
    sizes = []
    sync = os.fdatasync

    def look(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        sync(descriptor)

    monkeypatch.setattr(durable, "SYNCED_EVERY", 4)
    monkeypatch.setattr(os, "fdatasync", look)
    with NewFile(tmp_path / "new") as file:
        for _ in range(5):
            file.write(b"abc")
    assert [6, 12] == sizes


def test_an_existing_file_is_left_as_it_is(tmp_path: Path) -> None:
    """Never overwritten, and not removed by the failure either."""
    (tmp_path / "new").write_bytes(b"old")
    with pytest.raises(ConflictError, match=r"new already exists; it was left as it is"), NewFile(tmp_path / "new"):
        pass
    assert b"old" == (tmp_path / "new").read_bytes()


def test_a_file_whose_writing_fails_is_gone(tmp_path: Path) -> None:
    """Whatever the body raises."""
    with pytest.raises(KeyError), NewFile(tmp_path / "new") as file:
        file.write(b"half")
        raise KeyError
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_written_but_not_certain_to_be_found_again_is_gone(tmp_path: Path) -> None:
    """An error after the last byte and before its name is on the disk."""

    def fail(name: str) -> None:
        if name == "new file: written":
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"), points.observe(fail), NewFile(tmp_path / "new") as file:
        file.write(b"whole")
    assert not (tmp_path / "new").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A directory that is not there, and one that nobody may write to, root included."""
    with pytest.raises(StoreError, match=r"nowhere/new cannot be written \(No such file or directory\)"):
        NewFile(tmp_path / "nowhere" / "new").__enter__()
    with pytest.raises(StoreError, match=r"cannot be written") as refused:
        NewFile(Path("/proc/new")).__enter__()
    assert isinstance(refused.value, StoreReadOnlyError) or "No such file" in refused.value.message


def test_a_file_is_removed_and_what_is_none_is_named_and_stays(tmp_path: Path) -> None:
    """Once it is gone, removing it again changes nothing."""
    (tmp_path / "file").touch()
    for _ in range(2):
        remove_file(tmp_path / "file")
        assert [] == list(tmp_path.iterdir())
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match=r"folder cannot be written \(.*\); it still lies there"):
        remove_file(tmp_path / "folder")
    assert ["folder"] == [path.name for path in tmp_path.iterdir()]


def test_a_directory_that_is_gone_cannot_be_synced(tmp_path: Path) -> None:
    """Said, because names in it may not survive a power cut."""
    with pytest.raises(StoreError, match=r"gone cannot be written .*; its newest names may be lost in a power cut"):
        sync_directory(tmp_path / "gone")
