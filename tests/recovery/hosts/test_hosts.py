"""Every kind of host behaves alike: status, time limit, process groups, large and hostile input and output."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.errors import CommandError, HostError, SourceMissingError
from recovery.hosts.base import Host, last_result
from recovery.hosts.local import LocalHost
from recovery.hosts.ssh import SshHost
from tests.recovery.hosts.looking import gone, read_all, wait_for
from tests.testbed.sshd import run_sshd


@pytest.fixture(scope="module")
def server_host() -> Iterator[Host]:
    """A host that is reached by SSH."""
    with run_sshd() as server:
        yield SshHost(server.settings(name="mesin"))


@pytest.fixture(params=["local", "ssh"])
def host(request: pytest.FixtureRequest) -> Host:
    """One kind of host after the other."""
    return LocalHost("mesin") if request.param == "local" else request.getfixturevalue("server_host")


def test_a_program_gets_its_input_and_its_two_outputs_are_kept_apart(host):
    completed = host.run(["sh", "-c", "cat; echo keluhan >&2"], stdin=b"isi \xff")
    assert (completed.stdout, completed.stderr, completed.code) == (b"isi \xff", b"keluhan\n", 0)


def test_megabytes_in_and_out_do_not_block_each_other(host):
    data = os.urandom(5 << 20)
    assert data == host.run(["cat"], stdin=data).stdout


def test_a_status_that_does_not_mean_success_is_an_error_that_says_what_the_program_said(host):
    with pytest.raises(CommandError, match=r"^sh on mesin ended with status 7: tidak ada ruang; ") as caught:
        host.run(["sh", "-c", "echo baris pertama >&2; echo tidak ada ruang >&2; exit 7"])
    assert (caught.value.code, caught.value.stderr) == (7, "baris pertama\ntidak ada ruang")


def test_a_status_that_was_declared_to_mean_success_is_returned(host):
    assert host.run(["sh", "-c", "exit 3"], ok=(0, 3)).code == 3


def test_a_program_that_takes_too_long_is_killed_with_everything_it_started(host, tmp_path):
    script = f"sleep 600 & echo $! > {tmp_path}/pid; wait"
    # By then it has begun, on the busiest of machines, too.
    with pytest.raises(CommandError, match=r"did not end within 2 s; it was killed with everything"):
        host.run(["sh", "-c", script], timeout=2)
    assert gone(int(wait_for(tmp_path / "pid")))


def test_a_daemon_that_a_program_leaves_behind_neither_delays_it_nor_dies_with_it(host, tmp_path):
    host.run(["sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid"])
    pid = int((tmp_path / "pid").read_text())
    assert not gone(pid, 0.2)
    os.kill(pid, signal.SIGKILL)


def test_a_program_that_is_not_there_is_reported_with_what_to_do(host):
    with pytest.raises(HostError, match=r"tidak-ada could not be started \(No such file") as caught:
        host.run(["tidak-ada"])
    assert caught.value.hint == "check that the program is installed and that this account may run it"
    with pytest.raises(HostError, match="could not be started"), host.stream(["tidak-ada"]):
        pass


def test_programs_run_in_a_fixed_language_and_without_the_workers_secrets(host, monkeypatch):
    monkeypatch.setenv("PULIH_RAHASIA", "x")
    monkeypatch.setenv("LC_ALL", "id_ID.UTF-8")
    lines = host.run(["env"], env={"TAMBAHAN": "1"}).stdout.decode().splitlines()
    assert "LC_ALL=C.UTF-8" in lines
    assert "TAMBAHAN=1" in lines
    assert not [line for line in lines if line.startswith("PULIH_RAHASIA")]


def test_a_stream_gives_every_byte_and_then_the_status(host):
    with host.stream(["sh", "-c", "head -c 3000000 /dev/zero; echo selesai >&2"]) as stream:
        assert read_all(stream) == bytes(3_000_000)
        assert stream.finish().stderr == b"selesai\n"


def test_a_stream_whose_program_is_killed_midway_fails_at_the_end(host):
    with host.stream(["sh", "-c", "head -c 100000 /dev/zero; kill -9 $$"]) as stream:
        assert len(read_all(stream)) == 100_000
        with pytest.raises(CommandError, match="sh on mesin was killed by signal 9"):
            stream.finish()


def test_a_program_that_says_a_lot_on_stderr_does_not_block_its_stream(host):
    script = "import sys; sys.stderr.write('x' * 40_000_000); sys.stdout.write('y' * 100); sys.stderr.write('\\nakhir')"
    with host.stream([sys.executable, "-c", script]) as stream:
        assert read_all(stream) == b"y" * 100
        stderr = stream.finish().stderr
    assert stderr.endswith(b"\nakhir")
    assert len(stderr) <= 33 << 20


def test_leaving_a_stream_unfinished_kills_the_whole_process_group(host, tmp_path):
    script = f"sleep 60 & echo $! > {tmp_path}/pid; cat /dev/zero"
    with host.stream(["sh", "-c", script]) as stream:
        stream.readinto(bytearray(10))
        pid = int(wait_for(tmp_path / "pid"))
    assert gone(pid)


def test_leaving_a_stream_kills_the_children_of_a_leader_that_has_ended(host, tmp_path):
    with host.stream(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; exit 0"]):
        pid = int(wait_for(tmp_path / "pid"))
    assert gone(pid)


def test_leaving_a_stream_that_was_read_to_its_end_kills_what_it_left_running(host, tmp_path):
    """Only who knows how the program ended lets its background go on."""
    with host.stream(["sh", "-c", f"sleep 60 > /dev/null 2>&1 & echo $! > {tmp_path}/pid; exit 0"]) as stream:
        assert read_all(stream) == b""
        pid = int(wait_for(tmp_path / "pid"))
    assert gone(pid)


def test_an_input_is_written_whole_and_ended(host, tmp_path):
    data = os.urandom(3 << 20)
    with host.feed(["sh", "-c", f"cat > {tmp_path}/isi"]) as stream:
        assert stream.write(memoryview(data)) == len(data)
        stream.finish()
    assert (tmp_path / "isi").read_bytes() == data


def test_writing_to_a_program_that_has_failed_raises_its_error(host):
    with host.feed(["sh", "-c", "echo penuh >&2; exit 5"]) as stream, pytest.raises(CommandError, match="5: penuh"):
        while True:
            stream.write(bytes(1 << 20))


def test_leaving_an_input_unfinished_kills_the_program(host, tmp_path):
    with host.feed(["sh", "-c", f"echo $$ > {tmp_path}/pid; cat > /dev/null; touch {tmp_path}/selesai"]):
        pid = int(wait_for(tmp_path / "pid"))
    assert gone(pid)
    assert not (tmp_path / "selesai").exists()


def test_streams_leave_no_descriptors_behind(host):
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    for _ in range(5):
        with host.stream(["cat", "/dev/zero"]) as stream:
            stream.readinto(bytearray(10))
        with host.stream(["echo"]) as stream:
            read_all(stream)
            stream.finish()
        with host.feed(["cat"]):
            pass
        host.run(["true"])
    deadline = time.monotonic() + 60
    while descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert descriptors() == before
    assert not [thread for thread in threading.enumerate() if thread.name == "stderr"]


def test_a_shipped_program_runs_without_the_projects_packages(host, tmp_path):
    assert host.call("system", "look", str(tmp_path))["kind"] == "directory"
    assert host.helper("system", "look")[1:3] == ["-I", "-S"]


def test_the_error_that_a_shipped_program_reports_is_raised_as_ours(host):
    with pytest.raises(SourceMissingError, match="there is no database at /tidak/ada; nothing was created"):
        host.call("sqlite", "preflight", "/tidak/ada", "1")


def test_a_defect_of_a_shipped_program_is_not_taken_for_a_report(host):
    with pytest.raises(CommandError, match=r"the shipped program \(system tidak-ada\) on mesin ended with status 1"):
        host.call("system", "tidak-ada")


def test_a_name_that_is_no_text_reaches_the_program_and_comes_back(host, tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff\xfe"
    Path(os.fsdecode(name)).touch()
    assert host.call("system", "look", name)["exists"] is True


def test_output_without_a_result_counts_for_nothing(host):
    with pytest.raises(HostError, match="ended without a result; its output counts for nothing"):
        last_result(b"sesuatu yang lain\n")


HOSTILE = [
    b"spasi dan 'kutip' \"ganda\" `balik`",
    b"$(touch pulih-diserang)",
    b"; touch pulih-diserang ;",
    b"baris\nbaru\ttab\r",
    b"-rf",
    b"--help",
    b"\xff\xfe bukan teks \x80",
    b"\\ \\n %s {} * ? [a] ~ ! #",
    "nama-panjang-é".encode() + b"x" * 240,
]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_a_hostile_name_is_an_argument_and_nothing_else(host, tmp_path, name):
    assert len(name) <= 255
    path = os.fsencode(tmp_path) + b"/" + name
    script = b'printf %s "$1" && printf %s "$PULIH_NAMA"'
    text = os.fsdecode(name)
    assert name * 2 == host.run(["sh", "-c", script, "sh", name], env={"PULIH_NAMA": text}).stdout
    with host.feed(["tee", "--", path]) as stream:
        stream.write(name)
        stream.finish()
    assert Path(os.fsdecode(path)).read_bytes() == name
    with host.stream(["cat", "--", path]) as stream:
        assert read_all(stream) == name
        stream.finish()
    assert host.call("system", "look", path)["size"] == len(name)
    assert not Path("pulih-diserang").exists()


@pytest.mark.parametrize("status", [1, 2, 125, 126, 127, 128, 137, 255])
def test_every_status_comes_back_as_it_is(host, status):
    assert host.run(["sh", "-c", f"exit {status}"], ok=(status,)).code == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_is_told_apart_from_every_status(host, number):
    with pytest.raises(CommandError, match=f"sh on mesin was killed by signal {int(number)};") as caught:
        host.run(["sh", "-c", f"kill -{int(number)} $$"])
    assert caught.value.code == -number


def test_a_program_that_ends_well_without_reading_its_input_is_no_success(host):
    with (
        host.feed(["true"]) as stream,
        pytest.raises(HostError, match="true on mesin ended before it had read all input"),
    ):
        for _ in range(64):
            stream.write(bytes(1 << 20))
        stream.finish()


def test_several_programs_run_at_once_on_one_host(host):
    results: list[bytes] = []
    threads = [
        threading.Thread(target=lambda at=at: results.append(host.run(["sh", "-c", f"sleep 0.2; echo {at}"]).stdout))
        for at in range(14)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(b"%d\n" % at for at in range(14))
