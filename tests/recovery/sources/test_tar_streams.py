"""What GNU tar says is judged word by word: tolerated, or the end of the dump or the copy."""

import io
import tarfile

import pytest

from recovery.errors import SourceError
from recovery.hosts.local import LocalHost
from recovery.sources.tar_streams import WARNINGS_LIMIT, TreeLoad, judged


def test_what_changed_while_it_was_read_is_a_warning() -> None:
    """A tree has no snapshot; tar then ends with status 1 and a line of its own, which says nothing more."""
    said = (
        "tar: ./a: file changed as we read it\ntar: ./b: socket ignored\n"
        "tar: Exiting with failure status due to previous errors\n"
    )
    assert judged(said) == ("./a changed while it was read", "./b is a socket and was left out")


def test_many_warnings_are_counted_and_not_listed() -> None:
    """They stand in the records of each run."""
    said = "".join(f"tar: ./{number}: file changed as we read it\n" for number in range(WARNINGS_LIMIT + 3))
    warnings = judged(said)
    assert len(warnings) == WARNINGS_LIMIT + 1
    assert warnings[-2:] == (f"./{WARNINGS_LIMIT - 1} changed while it was read", "and 3 more")


def test_anything_else_means_that_the_dump_is_not_whole() -> None:
    with pytest.raises(
        SourceError, match=r"the tree could not be read completely: tar: \./a: Cannot open: Input/output"
    ):
        judged("tar: ./b: socket ignored\ntar: ./a: Cannot open: Input/output error\n")


def test_a_copy_about_which_tar_says_anything_is_not_kept() -> None:
    """Also when it ends with status 0: what it could not set is missing in the copy."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT):
        pass
    kept = []
    fake_tar = ["sh", "-c", "cat >/dev/null; echo 'tar: ./a: Cannot set owner' >&2"]
    with LocalHost().feed(fake_tar) as program:
        load = TreeLoad(program, lambda: kept.append(True))
        load.write(content.getvalue())
        with pytest.raises(
            SourceError, match=r"the copy could not be written: tar: \./a: Cannot set owner; the live data"
        ):
            load.finish()
    assert (kept, load.kept) == ([], False)
