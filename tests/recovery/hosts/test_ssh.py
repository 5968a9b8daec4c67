"""The way to a machine by SSH: pinned host keys, one private key, nothing of ~/.ssh; and what is kept there."""

import getpass
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import paramiko
import pytest

from recovery.errors import ConfigurationError, HostError, KeyMissingError
from recovery.hosts import open_host, ssh_connection
from recovery.hosts.services import open_service
from recovery.hosts.ssh import SshHost
from recovery.hosts.ssh_installation import bundle
from recovery.settings import ServiceSettings
from tests.recovery.hosts.looking import gone, read_all, wait_for
from tests.testbed.sshd import SshServer, make_key, run_sshd

USER = getpass.getuser()
UNTOUCHED = "nothing was asked of the machine"


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    """The server of these tests."""
    with run_sshd() as running:
        yield running


@pytest.fixture
def other_key(tmp_path: Path) -> Path:
    """A private key that nobody knows."""
    make_key(tmp_path / "lain")
    return tmp_path / "lain"


def refusal(host: SshHost) -> HostError:
    with pytest.raises(HostError) as caught:
        host.run(["true"])
    return caught.value


def test_a_machine_whose_host_key_is_pinned_is_reached(server):
    host = open_host(server.settings(title="Server Basis Data"))
    assert isinstance(host, SshHost)
    assert host.run(["echo", "halo"]).stdout == b"halo\n"
    assert host.title() == "Server Basis Data"
    assert open_host(server.settings()).title() == "127.0.0.1"


def test_a_machine_whose_host_key_is_not_pinned_is_refused_and_not_remembered(server, tmp_path):
    known = tmp_path / "known_hosts"
    known.write_text("")
    error = refusal(SshHost(server.settings(host_keys=str(known))))
    assert error.message == (f"the host key of server ({USER}@127.0.0.1, port {server.port}) is not pinned in {known}")
    assert error.state == UNTOUCHED
    assert f"ssh-keyscan -p {server.port} 127.0.0.1 >> {known}" in error.hint
    assert "ssh_host_ed25519_key.pub" in error.hint
    assert known.read_text() == ""


def test_a_machine_that_shows_another_host_key_is_refused(server, tmp_path):
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {make_key(tmp_path / 'palsu')}\n")
    error = refusal(SshHost(server.settings(host_keys=str(known))))
    assert "shows another host key than the pinned one: SHA256:" in error.message
    assert error.hint.startswith("if nobody has changed the machine's key, somebody stands in between: do not go on;")
    assert error.state == UNTOUCHED


def test_a_file_of_host_keys_that_is_not_there_is_a_mistake_of_the_inventory(server):
    with pytest.raises(ConfigurationError, match="the file of pinned host keys, /tidak/ada, is not there"):
        SshHost(server.settings(host_keys="/tidak/ada")).run(["true"])


def test_a_file_of_host_keys_that_cannot_be_read_is_not_told_as_a_machine_that_is_not_reached(server, tmp_path):
    """A directory: root may read every file."""
    with pytest.raises(
        ConfigurationError, match=rf"pinned host keys, {tmp_path}, cannot be read \(Is a directory"
    ) as e:
        SshHost(server.settings(host_keys=str(tmp_path))).run(["true"])
    assert e.value.hint == "let the worker's account read it"


def test_a_key_that_the_machine_does_not_know_is_refused_with_what_to_do(server, other_key):
    error = refusal(SshHost(server.settings(key=f"file:{other_key}")))
    assert error.message == f"server ({USER}@127.0.0.1, port {server.port}) refuses the key file:{other_key}"
    assert "passwords are never used" in error.hint


def test_a_machine_that_wants_a_password_gets_none(tmp_path):
    with run_sshd("PubkeyAuthentication no", "PasswordAuthentication yes", "PermitRootLogin yes") as wanting:
        assert "refuses the key" in refusal(SshHost(wanting.settings())).message


def test_neither_agent_nor_files_in_the_home_directory_change_anything(server, other_key, tmp_path, monkeypatch):
    home = tmp_path / "rumah"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    shutil.copy(server.key, home / ".ssh" / "id_ed25519")
    (home / ".ssh" / "config").write_text(
        f"Host *\n  User nobody\n  Port 1\n  ProxyCommand touch {tmp_path}/diserang\n  IdentityFile {server.key}\n"
    )
    (home / ".fabric.yaml").write_text(f"gateway: touch {tmp_path}/diserang\nconnect_kwargs:\n  password: rahasia\n")
    agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    variables = dict(line.split(";")[0].split("=") for line in agent.splitlines() if "=" in line)
    try:
        for name, value in {**variables, "HOME": str(home)}.items():
            monkeypatch.setenv(name, value)
        subprocess.run(["ssh-add", "-q", server.key], check=True, capture_output=True)
        assert "refuses the key" in refusal(SshHost(server.settings(name="asing", key=f"file:{other_key}"))).message
        assert SshHost(server.settings(name="dikenal")).run(["echo", "1"]).stdout == b"1\n"
    finally:
        os.kill(int(variables["SSH_AGENT_PID"]), 15)
    assert not (tmp_path / "diserang").exists()


def test_what_is_no_private_key_is_named_before_anything_is_contacted(server, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "kata sandi", "-f", tmp_path / "terkunci"], check=True)
    (tmp_path / "bukan").write_text("bukan kunci")
    for name in ("terkunci", "bukan"):
        with pytest.raises(ConfigurationError, match=f"file:{tmp_path}/{name} is no private key of SSH") as caught:
            SshHost(server.settings(key=f"file:{tmp_path}/{name}")).run(["true"])
        assert "without a passphrase" in caught.value.hint
    with pytest.raises(KeyMissingError):
        SshHost(server.settings(key="file:/tidak/ada")).run(["true"])


@pytest.mark.parametrize(("kind", "bits"), [("ecdsa", "256"), ("rsa", "2048")])
def test_keys_of_other_kinds_are_used_alike(server, tmp_path, kind, bits):
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-f", tmp_path / kind], check=True)
    authorized = server.directory / "authorized_keys"
    authorized.write_text(authorized.read_text() + (tmp_path / f"{kind}.pub").read_text())
    assert SshHost(server.settings(key=f"file:{tmp_path / kind}")).run(["echo", kind]).stdout == f"{kind}\n".encode()


def test_a_machine_that_does_not_listen_cannot_be_reached(server):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    error = refusal(SshHost(server.settings(port=port)))
    assert error.message == f"server ({USER}@127.0.0.1, port {port}) cannot be reached (Connection refused)"


def test_a_machine_to_which_no_way_leads_cannot_be_reached(server):
    """The system says so itself, of one address; of several that refuse, paramiko makes an error of its own."""
    error = refusal(SshHost(server.settings(address="255.255.255.255")))
    assert error.message.endswith(" cannot be reached (Network is unreachable)")


def test_a_machine_that_drops_what_it_gets_is_given_up(server):
    """As behind a firewall: the queue of those who wait to be taken is full, and the system answers nobody else."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        error = refusal(SshHost(server.settings(port=port, connect_timeout=1)))
    assert error.message == f"server ({USER}@127.0.0.1, port {port}) did not answer within 1 s"


def test_a_name_that_nobody_knows_is_a_mistake_of_the_inventory(server):
    error = refusal(SshHost(server.settings(address="tidak-ada.invalid")))
    assert error.message.startswith(
        f"the address of server ({USER}@tidak-ada.invalid, port {server.port}) is unknown ("
    )
    assert error.hint == "correct the inventory"


def test_what_listens_but_says_nothing_is_given_up(server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refusal(SshHost(server.settings(port=silent.getsockname()[1], connect_timeout=0.3)))
    assert "does not speak SSH as it should" in error.message


def test_more_programs_than_one_connection_may_have_use_another(tmp_path):
    with run_sshd("MaxSessions 2") as narrow:
        host = SshHost(narrow.settings())
        with host.stream(["cat", "/dev/zero"]), host.stream(["cat", "/dev/zero"]), host.stream(["cat", "/dev/zero"]):
            assert host.run(["echo", "1"]).stdout == b"1\n"


def test_more_programs_than_all_connections_may_have_are_refused_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(ssh_connection, "MOST_CONNECTIONS", 1)
    with run_sshd("MaxSessions 2") as narrow:
        host = SshHost(narrow.settings(title="sempit"))
        host.run(["true"])
        with ExitStack() as stack, pytest.raises(HostError) as caught:
            for _ in range(3):
                stack.enter_context(host.stream(["cat", "/dev/zero"]))
    assert "server does not allow more sessions" == caught.value.message
    assert "nothing was begun there" == caught.value.state
    assert "raise MaxSessions in the machine's /etc/ssh/sshd_config, or lower components_at_once" == caught.value.hint


def test_a_stream_that_was_left_takes_no_more(server):
    host = SshHost(server.settings(title="selesai"))
    with host.feed(["cat"]) as stream:
        pass
    with pytest.raises(HostError, match="the stream of cat is already finished"):
        stream.write(b"lagi")


def test_output_that_nobody_took_is_no_failure_of_the_program(server):
    """What its end is told with counts all bytes, those that were thrown away, too."""
    host = SshHost(server.settings(title="sisa"))
    with host.stream(["sh", "-c", "echo awal; head -c 1000000 /dev/zero; exit 3"], ok=(3,)) as stream:
        first = bytearray(4)
        assert 0 < stream.readinto(first) <= 4
        assert 3 == stream.finish().code
        assert 3 == stream.finish().code, "asked again"


def test_a_program_that_ends_well_without_its_input_is_no_success(server, tmp_path):
    host = SshHost(server.settings(title="tak dibaca"))
    os.mkfifo(tmp_path / "akhir")
    with host.feed(["sh", "-c", f"exec <&-; echo ya > {tmp_path}/ditutup; read line < {tmp_path}/akhir"]) as stream:
        wait_for(tmp_path / "ditutup")
        stream.write(b"satu")
        assert b"." == stream._receive(1), "taken there, and thrown away"
        (tmp_path / "akhir").write_text("\n")
        with pytest.raises(HostError, match="sh on server ended before it had read all input"):
            stream.finish()


def test_a_program_of_another_machine_is_found_on_its_path(server):
    """The account of the machine is told, so that nothing of this process's environment is taken for it."""
    host = SshHost(server.settings())
    assert server.settings().user == host.account()
    settings = {"name": "web", "kind": "supervisor", "program": "web", "configuration": "/tidak/ada", "port": 1}
    service = open_service(host, ServiceSettings.model_validate(settings))
    assert ["supervisorctl", "-c", "/tidak/ada"] == service._manager._command


def test_a_connection_that_is_slow_to_begin_another_program_keeps_those_that_it_has(server, monkeypatch):
    host = SshHost(server.settings(title="lambat"))
    with host.stream(["cat", "/dev/zero"]) as lasting:
        (link,) = host._connection._links

        def slow(**_options: object) -> None:
            raise paramiko.SSHException("Timeout opening channel.")

        monkeypatch.setattr(link.transport, "open_session", slow)
        assert host.run(["echo", "1"]).stdout == b"1\n"
        assert lasting.readinto(bytearray(10)) > 0
        assert link.transport.is_active()


# --- what is kept on the machine ---------------------------------------------------------------------------------


def test_the_shipped_programs_lie_in_a_private_directory_under_their_digest(server):
    host = SshHost(server.settings(name="baru"))
    helper = Path(str(host.helper("system", "look")[3]))
    assert helper == server.home / ".cache" / "pulih" / bundle()[0] / "helper.py"
    assert stat.S_IMODE(helper.parent.stat().st_mode) == 0o700
    assert helper.read_text() == bundle()[1]["helper.py"]
    before = helper.stat().st_ino
    SshHost(server.settings(name="baru-lagi")).identity()
    assert helper.stat().st_ino == before


def test_a_shipped_program_that_was_changed_there_is_replaced(server):
    helper = Path(str(SshHost(server.settings(name="utuh")).helper("system", "look")[3]))
    helper.write_text("print('jahat')")
    assert SshHost(server.settings(name="diubah")).call("system", "look", "/")["kind"] == "directory"
    assert helper.read_text() == bundle()[1]["helper.py"]


def test_what_has_not_been_used_for_long_is_removed_there(server):
    host = SshHost(server.settings(name="lama"))
    kept = Path(str(host.helper("system", "look")[3])).parent.parent
    for name, days in (("a" * 64, 31), ("b" * 64, 29), ("new-x", 1)):
        (kept / name).mkdir(mode=0o700)
        (kept / name / "helper.py").touch()
        os.utime(kept / name, (time.time() - days * 86400,) * 2)
    SshHost(server.settings(name="lama-2")).identity()
    assert sorted(path.name for path in kept.iterdir()) == sorted([bundle()[0], "b" * 64])
    shutil.rmtree(kept / ("b" * 64))


def test_a_directory_into_which_others_can_write_is_not_used(server):
    kept = Path(str(SshHost(server.settings(name="dulu")).helper("system", "look")[3])).parent.parent
    kept.chmod(0o777)
    try:
        error = refusal(SshHost(server.settings(name="terbuka")))
    finally:
        kept.chmod(0o700)
    assert error.message == f"the shipped programs cannot be kept on terbuka: others can write into {kept}"
    assert "nobody else can" in error.hint


def test_programs_that_were_removed_meanwhile_are_put_there_again(server):
    host = SshHost(server.settings(name="terhapus"))
    shutil.rmtree(Path(str(host.helper("system", "look")[3])).parent)
    assert "was lost while true ran there" in refusal(host).message
    assert host.run(["echo", "1"]).stdout == b"1\n"


def test_a_machine_without_python_is_told_apart_from_one_with_an_old_one(server):
    error = refusal(SshHost(server.settings(python="python-tidak-ada")))
    assert error.message.startswith("server has no Python that runs the shipped programs (")
    assert "python-tidak-ada: not found" in error.message
    assert error.hint == (
        "install Python 3.9 or newer there, or name one in the host's field `python`; "
        "the account's login shell must run commands"
    )
    old = server.directory / "fake_python3.8"
    old.write_text(
        "#!/bin/sh\nexec /usr/bin/python3 -I -S -c "
        '\'import sys; sys.version_info = (3, 8, 1); sys.version = "3.8.1"; exec(sys.argv[1])\' "$4"\n'
    )
    old.chmod(0o755)
    error = refusal(SshHost(server.settings(python=str(old))))
    assert error.message.endswith("(Python 3.9 is needed and this is 3.8.1)")
    assert error.hint == "install Python 3.9 or newer there, or name one in the host's field `python`"


def test_what_a_login_prints_is_no_output(tmp_path):
    with run_sshd() as talkative:
        (talkative.home / ".bashrc").write_text("echo Selamat datang; echo Perhatian >&2\n")
        host = SshHost(talkative.settings())
        completed = host.run(["echo", "isi"])
        assert (completed.stdout, completed.stderr) == (b"isi\n", b"")
        with host.stream(["echo", "isi"]) as stream:
            assert read_all(stream) == b"isi\n"
            assert stream.finish().stderr == b""
        with host.feed(["tee", str(tmp_path / "isi")]) as fed:
            fed.write(bytes(8 << 20))
            fed.finish()
        assert (tmp_path / "isi").stat().st_size == 8 << 20


def test_nothing_of_what_is_asked_for_stands_in_a_command_line_of_the_server(server, tmp_path):
    script = f"tr '\\0' '\\n' < /proc/$PPID/cmdline > {tmp_path}/perintah; sleep 0"
    SshHost(server.settings()).run(["sh", "-c", script, "nama rahasia"], stdin=b"masukan", env={"KUNCI": "sandi"})
    asked = wait_for(tmp_path / "perintah").splitlines()
    assert asked[1:] == ["-I", "-S", f"{server.home}/.cache/pulih/{bundle()[0]}/helper.py", "connection", "serve"]


@pytest.mark.root
def test_an_account_that_is_not_root_is_served_alike(tmp_path):
    # Without PAM an account that has no password, as this one, counts as locked.
    with run_sshd("UsePAM yes") as shared:
        shutil.chown(shared.home, "postgres", "postgres")
        tmp_path.chmod(0o777)
        # All that pytest made, which is one more where several test files run at once.
        for parent in tmp_path.parents:
            if not parent.name.startswith(("pytest-", "popen-")):
                break
            parent.chmod(0o755)
        host = SshHost(shared.settings(user="postgres"))
        assert host.run(["id", "-un"]).stdout == b"postgres\n"
        assert host.identity() == open_host(shared.settings(kind="local")).identity()
        with host.stream(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; cat /dev/zero"]) as stream:
            stream.readinto(bytearray(10))
            pid = int(wait_for(tmp_path / "pid"))
        assert gone(pid, 0)


FAKE_SUPERVISOR = """#!/usr/bin/python3 -I
import json, os, struct, sys
if "-c" in sys.argv:
    os.execv("/usr/bin/python3", ["python3", *sys.argv[1:]])
(length,) = struct.unpack(">I", os.read(0, 4))
mark = json.loads(os.read(0, length))["mark"].encode()
os.write(1, mark + b"lima!")
result = json.dumps({{"status": 0, "unread": False, "moved": {moved}}}).encode()
os.write(2, mark + struct.pack(">cI", b"b", 0) + struct.pack(">cI", b"r", len(result)) + result)
"""


def test_an_output_of_which_part_did_not_arrive_is_no_success(server):
    """Even when the far side says that all went well."""
    program = server.directory / "fake_python"
    for moved in (5, 10):
        program.write_text(FAKE_SUPERVISOR.format(moved=moved))
        program.chmod(0o755)
        host = SshHost(server.settings(python=str(program), name=f"hilang-{moved}"))
        with host.stream(["cat"]) as stream:
            assert read_all(stream) == b"lima!"
            if moved == 5:
                assert stream.finish().code == 0
            else:
                with pytest.raises(HostError, match="the connection to hilang-10 was lost while cat ran there"):
                    stream.finish()
        if moved == 5:
            assert host.run(["cat"]).stdout == b"lima!"
        else:
            with pytest.raises(HostError, match="the connection to hilang-10 was lost while cat ran there"):
                host.run(["cat"])


def test_a_supervisor_that_never_begins_is_given_up(server):
    """The machine answers, so that its connection is well."""
    program = server.directory / "fake_python"
    # The directory's name, which is made by chance, may hold a "-c" of its own.
    program.write_text('#!/bin/sh\ncase "$*" in *" -c "*) exec python3 "$@";; esac\nexec sleep 60\n')
    program.chmod(0o755)
    host = SshHost(server.settings(python=str(program), name="diam", answer_timeout=1))
    with (
        pytest.raises(HostError, match="the connection to diam was lost while cat ran there"),
        host.stream(["cat"]),
    ):
        pass
