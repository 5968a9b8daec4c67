"""The supervisor of programs on another machine, spoken to directly: under servers and interpreters not at hand."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from recovery.hosts import program_connection
from recovery.hosts.program_connection_frames import DONE, HEAD, SAID
from tests.recovery.hosts.looking import gone, wait_for

HELPER = Path(program_connection.__file__).with_name("helper.py")
MARK = "tanda"
# Python 3.9 cannot splice.
OLD = "import os, runpy, sys; del os.splice; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"


@contextmanager
def supervisor(*before: str) -> Iterator[tuple[socket.socket, IO[bytes], "subprocess.Popen[bytes]"]]:
    """Run it with one socket for stdin and stdout, as some SSH servers do."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, *(before or ("-I", "-S")), str(HELPER), "connection", "serve"]
    with (
        ours,
        theirs,
        subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, bufsize=0) as process,
    ):
        theirs.close()
        ours.settimeout(60)
        assert process.stderr is not None
        yield ours, process.stderr, process
        ours.close()
        process.wait(60)


def frame(data: bytes) -> bytes:
    return HEAD.pack(len(data)) + data


def request(mode: str, *argv: str, silence: float = 60, timeout: float = 0) -> bytes:
    asked = {"mode": mode, "argv": argv, "env": {}, "timeout": timeout, "silence": silence, "mark": MARK}
    return frame(json.dumps(asked).encode())


def rest(connection: socket.socket) -> bytes:
    """Everything up to the end, which must come although the other direction is still open."""
    data = b""
    while chunk := connection.recv(1 << 16):
        data += chunk
    return data


def said(stderr: IO[bytes]) -> dict[bytes, bytes]:
    data = b""
    while chunk := stderr.read(1 << 16):
        data += chunk
    assert data.startswith(MARK.encode())
    data = data[len(MARK) :]
    found: dict[bytes, bytes] = {}
    while data:
        kind, length = SAID.unpack_from(data)
        found[kind] = found.get(kind, b"") + data[SAID.size : SAID.size + length]
        data = data[SAID.size + length :]
    return found


@pytest.mark.parametrize("before", [(), ("-I", "-S", "-c", OLD)], ids=["now", "3.9"])
def test_the_end_of_the_output_is_seen_where_one_socket_is_stdin_and_stdout(before):
    with supervisor(*before) as (connection, stderr, process):
        connection.sendall(request("stream", "sh", "-c", "head -c 3000000 /dev/zero; echo keluhan >&2; exit 7"))
        assert rest(connection) == MARK.encode() + bytes(3_000_000)
        found = said(stderr)
        assert found[b"e"] == b"keluhan\n"
        assert json.loads(found[b"r"]) == {"status": 7, "unread": False, "moved": 3_000_000}
        assert process.poll() is None  # what it left running is killed unless the worker knows how it ended
        connection.sendall(HEAD.pack(DONE))
        assert process.wait(60) == 0


def test_input_that_came_with_the_request_is_not_lost():
    with supervisor() as (connection, stderr, _):
        connection.sendall(request("run", "cat") + frame(b"awal "))
        assert connection.recv(len(MARK)) == MARK.encode()
        # A program is not begun before its input is whole.
        connection.sendall(frame(b"akhir") + frame(b"") + HEAD.pack(DONE))
        assert rest(connection) == b"awal akhir"
        assert json.loads(said(stderr)[b"r"])["status"] == 0


def test_input_without_its_end_is_never_run_and_never_passed_on_as_whole(tmp_path):
    with supervisor() as (connection, _, process):
        connection.sendall(request("run", "touch", f"{tmp_path}/dijalankan") + frame(b"separuh"))
        connection.shutdown(socket.SHUT_WR)
        assert process.wait(60) == 0
    assert not (tmp_path / "dijalankan").exists()
    with supervisor() as (connection, _, process):
        connection.sendall(request("feed", "sh", "-c", f"cat > {tmp_path}/isi && touch {tmp_path}/utuh") + frame(b"x"))
        assert connection.recv(1 << 10)
        wait_for(tmp_path / "isi")
        connection.shutdown(socket.SHUT_WR)
        assert process.wait(60) == 0
    assert not (tmp_path / "utuh").exists()


def test_a_worker_that_says_nothing_any_more_has_its_program_killed(tmp_path):
    with supervisor() as (connection, _, process):
        connection.sendall(request("stream", "sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 60", silence=2))
        pid = int(wait_for(tmp_path / "pid"))
        assert process.wait(60) == 0
        assert gone(pid, 0.1)


def test_a_supervisor_that_is_told_to_end_takes_its_program_along(tmp_path):
    with supervisor() as (connection, _, process):
        connection.sendall(request("stream", "sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 60"))
        pid = int(wait_for(tmp_path / "pid"))
        process.terminate()
        assert process.wait(60) == 0
        assert gone(pid, 0.1)
