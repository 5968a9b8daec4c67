"""What a program on a host says at its end is taken for its result only when it is one."""

from pathlib import Path

import pytest

from recovery.errors import CommandError, HostError, SourceLockedError
from recovery.hosts.base import Argument, Completed, call_program, command_failed, last_result
from recovery.hosts.local import LocalHost

REPORT = b'{"error": "SourceLockedError", "message": "it is locked", "state": "as it was", "hint": "wait"}'


@pytest.mark.parametrize(
    ("stderr", "sentence"),
    [
        (b"", "the shipped program ended without a result; its output counts for nothing"),
        (b'{"rows": 1}\nKilled\n', "the shipped program ended without a result; its output counts for nothing"),
        (b"[1]\n", "the result of the shipped program is no object; its output counts for nothing"),
    ],
)
def test_output_without_a_result_counts_for_nothing(stderr: bytes, sentence: str) -> None:
    """The program did not come to its end, whatever its status says."""
    with pytest.raises(HostError) as caught:
        last_result(stderr)
    assert str(caught.value).partition("\nHINT: ")[0] == sentence
    assert last_result(b'noise\n{"rows": 1}\n') == {"rows": 1}


@pytest.mark.parametrize(
    ("code", "stderr", "kind", "message"),
    [
        (3, REPORT, SourceLockedError, "it is locked"),
        (1, REPORT, CommandError, f"tar on mesin ended with status 1: {REPORT.decode()}"),
        (3, b"not found", CommandError, "tar on mesin ended with status 3: not found"),
        (3, b'{"error": "Path"}', CommandError, 'tar on mesin ended with status 3: {"error": "Path"}'),
        (3, b'{"error": "NoSuchError"}', CommandError, 'tar on mesin ended with status 3: {"error": "NoSuchError"}'),
        (-9, b"", CommandError, "tar on mesin was killed by signal 9"),
    ],
)
def test_only_an_error_of_ours_is_raised_as_what_it_says(
    code: int, stderr: bytes, kind: type[Exception], message: str
) -> None:
    """Any program may end with the same status and print what it likes."""
    error = command_failed("mesin", ["/bin/tar"], Completed(code, b"", stderr))
    assert (kind, message) == (type(error), error.message)


@pytest.mark.parametrize("answer", ["[]", '{"half":', ""])
def test_a_program_that_returns_something_else_than_an_object_is_refused(answer: str) -> None:
    """Another program may stand under its name."""

    class FakeHost(LocalHost):
        def helper(self, *arguments: Argument) -> list[Argument]:
            return ["echo", answer]

    with pytest.raises(HostError, match="echo on mesin returned no object") as caught:
        call_program(FakeHost("mesin"), ["system", "look"], 5)
    assert caught.value.state == "it ended well, but what it answered counts for nothing"
    assert caught.value.hint.startswith("see whether something else prints there")


def test_a_stream_that_was_finished_gives_no_more(tmp_path: Path) -> None:
    """Its descriptor may belong to another file by now. To finish it again is harmless."""
    with LocalHost("mesin").stream(["true"]) as stream:
        assert stream.finish().code == stream.finish().code == 0
        with pytest.raises(HostError, match="the stream of true is already finished"):
            stream.readinto(bytearray(1))
