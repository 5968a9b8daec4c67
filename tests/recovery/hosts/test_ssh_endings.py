"""However a connection ends – cut, frozen, killed, abandoned – the call fails, and nothing goes on running there."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.errors import HostError
from recovery.hosts.ssh import SshHost
from tests.recovery.hosts.looking import gone, wait_for
from tests.testbed.sshd import SshServer, run_sshd
from tests.testbed.stopping_proxy import StoppingProxy, stopping_proxy

LIMIT = 2.0
LOST = "the connection to server was lost while sh ran there"
# The connection and the supervisor's word are waited for equally long: either may be missed first.
UNANSWERED = rf"{LOST} \((it did not answer|the supervisor there said nothing) for {LIMIT:g} s\)"
# Leaves its whole group's leader in a file, and makes the whole file only when its input ended as it should.
KEEPING = "echo $$ > {0}/pid; cat > {0}/sebagian && mv {0}/sebagian {0}/utuh"
ENDLESS = "sleep 60 & echo $! > {0}/anak; echo $$ > {0}/pid; cat /dev/zero"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    """The server of these tests."""
    with run_sshd() as running:
        yield running


@pytest.fixture
def proxy(server: SshServer) -> Iterator[StoppingProxy]:
    """A proxy before the server."""
    with stopping_proxy(server.port) as running:
        known = server.host_keys.read_text().splitlines()[0].split(" ", 1)[1]
        with server.host_keys.open("a") as file:
            file.write(f"[127.0.0.1]:{running.port} {known}\n")
        yield running


@pytest.fixture
def host(server: SshServer, request: pytest.FixtureRequest) -> SshHost:
    """The host, by a connection of this test's own."""
    return SshHost(server.settings(title=request.node.name, answer_timeout=LIMIT))


@pytest.fixture
def distant(server: SshServer, proxy: StoppingProxy) -> SshHost:
    """The host behind the proxy."""
    return SshHost(server.settings(port=proxy.port, answer_timeout=LIMIT))


def pid_in(path: Path) -> int:
    return int(wait_for(path))


def read_on(stream, said: str = LOST) -> None:
    with pytest.raises(HostError, match=rf"\A{said}") as caught:
        drain(stream)
        stream.finish()
    assert caught.value.state.startswith("it is killed there with everything that it had started")


def drain(stream) -> None:
    buffer = bytearray(1 << 16)
    while stream.readinto(buffer):
        pass


def write_on(stream, said: str = LOST) -> None:
    with pytest.raises(HostError, match=rf"\A{said}"):
        while True:
            stream.write(bytes(1 << 20))


def both_gone(tmp_path: Path) -> bool:
    return gone(pid_in(tmp_path / "pid")) and gone(pid_in(tmp_path / "anak"))


def nothing_whole(tmp_path: Path) -> bool:
    return gone(pid_in(tmp_path / "pid")) and not (tmp_path / "utuh").exists()


def test_a_connection_that_is_cut_in_a_stream_is_never_its_end(host, server, tmp_path):
    with host.stream(["sh", "-c", ENDLESS.format(tmp_path)]) as stream:
        stream.readinto(bytearray(10))
        pid_in(tmp_path / "anak")
        server.cut()
        read_on(stream)
    assert both_gone(tmp_path)


def test_a_short_output_that_was_cut_is_not_taken_for_the_whole(host, server, tmp_path):
    with host.stream(["sh", "-c", f"echo separuh; echo $$ > {tmp_path}/pid; sleep 60"]) as stream:
        assert stream.readinto(bytearray(100)) == 8
        pid_in(tmp_path / "pid")
        server.cut()
        assert stream.readinto(bytearray(100)) == 0
        with pytest.raises(HostError, match=LOST):
            stream.finish()


def test_an_input_that_was_cut_is_not_passed_on_as_whole(host, server, tmp_path):
    with host.feed(["sh", "-c", KEEPING.format(tmp_path)]) as stream:
        stream.write(bytes(1 << 20))
        pid_in(tmp_path / "pid")
        server.cut()
        write_on(stream)
    assert nothing_whole(tmp_path)


def test_after_a_cut_the_next_call_makes_a_new_connection(host, server):
    host.run(["true"])
    server.cut()
    assert host.run(["echo", "lagi"]).stdout == b"lagi\n"


def test_a_frozen_server_ends_a_stream_within_the_limit_and_what_it_ran(host, server, tmp_path):
    with host.stream(["sh", "-c", ENDLESS.format(tmp_path)]) as stream:
        stream.readinto(bytearray(10))
        pid_in(tmp_path / "anak")
        server.freeze(True)
        try:
            read_on(stream, UNANSWERED)
            # Still frozen: what serves the program there heard nothing for as long, and needs nobody to tell it.
            assert both_gone(tmp_path)
        finally:
            server.freeze(False)


@pytest.mark.parametrize("kind", ["stream", "feed", "run"])
def test_a_cable_that_is_cut_without_a_word_ends_everything_on_both_sides(distant, proxy, tmp_path, kind):
    begun = threading.Event()

    def stop() -> None:
        pid_in(tmp_path / "pid")
        begun.wait(60)
        proxy.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    if kind == "stream":
        with distant.stream(["sh", "-c", ENDLESS.format(tmp_path)]) as stream:
            stream.readinto(bytearray(10))
            begun.set()
            read_on(stream, UNANSWERED)
        assert both_gone(tmp_path)
    elif kind == "feed":
        with distant.feed(["sh", "-c", KEEPING.format(tmp_path)]) as stream:
            begun.set()
            write_on(stream, UNANSWERED)
        assert nothing_whole(tmp_path)
    else:
        begun.set()
        with pytest.raises(HostError, match=UNANSWERED):
            distant.run(["sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 60"])
        assert gone(pid_in(tmp_path / "pid"))
    stopper.join()
    proxy.go_on()
    assert distant.run(["echo", "pulih"]).stdout == b"pulih\n"


def test_a_worker_that_is_killed_leaves_nothing_running(server, tmp_path):
    program = (
        "import sys, time; from recovery.hosts.ssh import SshHost; from recovery.settings import HostSettings\n"
        "with SshHost(HostSettings.model_validate_json(sys.argv[1])).stream(['sh', '-c', sys.argv[2]]) as stream:\n"
        "    time.sleep(60)"
    )
    settings = server.settings(name="kerja").model_dump_json()
    worker = subprocess.Popen([sys.executable, "-c", program, settings, ENDLESS.format(tmp_path)], cwd=ROOT)
    pid_in(tmp_path / "anak")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert both_gone(tmp_path)


def test_an_input_that_nobody_reads_is_left_with_its_program_gone(host, tmp_path):
    """The word to end must not wait behind the data that the program does not take."""
    with host.feed(["sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 60"]) as stream:
        stream.write(bytes(2 << 20))
        pid = pid_in(tmp_path / "pid")
    assert gone(pid, 0)


def test_a_stream_that_is_left_has_its_program_gone_when_the_block_ends(host, tmp_path):
    with host.stream(["sh", "-c", ENDLESS.format(tmp_path)]) as stream:
        stream.readinto(bytearray(10))
        pids = pid_in(tmp_path / "anak"), pid_in(tmp_path / "pid")
    assert all(gone(pid, 0) for pid in pids)


def test_a_quiet_program_is_not_taken_for_a_frozen_one(host):
    """Both sides say that they are there while nothing else is said, for several times the limit."""
    assert host.run(["sh", "-c", f"sleep {LIMIT * 2.5}; echo selesai"]).stdout == b"selesai\n"
    with host.feed(["sh", "-c", "cat > /dev/null"]) as stream:
        stream.write(b"awal")
        time.sleep(LIMIT * 1.5)
        stream.write(b"akhir")
        stream.finish()


def test_a_process_that_was_forked_makes_a_connection_of_its_own(server):
    program = (
        "import os, sys; from recovery.hosts.ssh import SshHost; from recovery.settings import HostSettings\n"
        "host = SshHost(HostSettings.model_validate_json(sys.argv[1])); host.run(['true'])\n"
        "if os.fork() == 0:\n"
        "    print(host.run(['echo', 'anak']).stdout.decode(), end='', flush=True); os._exit(0)\n"
        "os.wait(); print(host.run(['echo', 'induk']).stdout.decode(), end='')"
    )
    done = subprocess.run(
        # So patient that it could never come to its end by waiting for its parent's connection.
        [sys.executable, "-c", program, server.settings(answer_timeout=600).model_dump_json()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.stdout, done.stderr) == ("anak\ninduk\n", "")


def test_a_server_that_goes_away_altogether_is_told_so(tmp_path):
    with run_sshd() as brief:
        host = SshHost(brief.settings())
        host.run(["true"])
        brief.end()
        with pytest.raises(HostError, match="cannot be reached"):
            host.run(["true"])


def test_a_word_to_a_program_that_has_just_ended_does_not_end_the_connection_of_the_others(host):
    with host.stream(["cat", "/dev/zero"]) as lasting:
        with host.stream(["true"]) as brief:
            brief.finish()
        brief.beat()
        with host.feed(["sleep", "60"]) as left:
            pass
        left.beat()
        assert lasting.readinto(bytearray(10)) > 0


SILENT = rf"{LOST} \(the supervisor there said nothing for {LIMIT:g} s\)"


def test_a_supervisor_that_freezes_in_a_stream_is_noticed_within_the_limit(host, tmp_path):
    """sshd still answers, and the program may be quiet for hours: only the supervisor's own words tell."""
    with host.stream(["sh", "-c", f"echo $PPID; echo $$ > {tmp_path}/pid; sleep 60"]) as stream:
        first = bytearray(100)
        supervisor = int(first[: stream.readinto(first)])
        os.kill(supervisor, signal.SIGSTOP)
        with pytest.raises(HostError, match=SILENT):
            drain(stream)
        os.kill(supervisor, signal.SIGCONT)
    assert gone(pid_in(tmp_path / "pid"))


@pytest.mark.parametrize("after", [0, 16 << 20])
def test_a_supervisor_that_freezes_while_it_is_fed_is_noticed_within_the_limit(host, tmp_path, after):
    """Whether the worker waits for the end, or for room to send."""
    with host.feed(["sh", "-c", f"echo $PPID > {tmp_path}/penjaga; echo $$ > {tmp_path}/pid; sleep 60"]) as stream:
        supervisor = pid_in(tmp_path / "penjaga")
        os.kill(supervisor, signal.SIGSTOP)
        with pytest.raises(HostError, match=SILENT):
            stream.write(bytes(after))
            stream.finish()
        os.kill(supervisor, signal.SIGCONT)
    assert gone(pid_in(tmp_path / "pid"))


def test_output_that_is_not_taken_for_long_does_not_look_like_silence(host):
    """A store that stands still: the supervisor's words cannot pass, and all of it is there when it goes on."""
    with host.stream(["sh", "-c", "head -c 67108864 /dev/zero; echo $$"]) as stream:
        buffer = bytearray(1 << 16)
        assert stream.readinto(buffer) > 0
        time.sleep(LIMIT * 2)
        drain(stream)
        assert 0 == stream.finish().code


def test_a_supervisor_that_is_stuck_is_not_waited_for_longer_than_the_time_allows(host, tmp_path):
    script = f"echo $PPID > {tmp_path}/penjaga; echo $$ > {tmp_path}/pid; kill -STOP $PPID; sleep 60"
    with pytest.raises(HostError, match=LOST):
        host.run(["sh", "-c", script], timeout=2)  # by then it has begun
    os.kill(pid_in(tmp_path / "penjaga"), signal.SIGCONT)
    assert gone(pid_in(tmp_path / "pid"))
