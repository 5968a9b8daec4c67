"""A real sshd on loopback for tests: keys of its own, a port of its own, gone when the test ends."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recovery.settings import HostSettings
from tests.testbed.family import descendants

SSHD = "/usr/sbin/sshd"
START_SECONDS = 60


class SshServer:
    """A running sshd, into which the account that runs the tests may log in, or root into any account."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port

    @property
    def key(self) -> Path:
        """The private key that is let in."""
        return self.directory / "id_ed25519"

    @property
    def host_keys(self) -> Path:
        """A known_hosts file with the server's key."""
        return self.directory / "known_hosts"

    @property
    def home(self) -> Path:
        """The home directory of whoever logs in."""
        return self.directory / "home"

    @property
    def pid(self) -> int:
        """The process that listens."""
        return int((self.directory / "sshd.pid").read_text())

    def settings(self, **changes: object) -> HostSettings:
        """The settings of a host of kind ssh that is this server."""
        given: dict[str, object] = {
            "name": "server",
            "kind": "ssh",
            "address": "127.0.0.1",
            "port": self.port,
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "key": f"file:{self.key}",
            "host_keys": str(self.host_keys),
            **changes,
        }
        return HostSettings.model_validate(given)

    def sessions(self) -> list[int]:
        """The processes of sshd that serve connections, not the one that listens."""
        return [pid for pid in descendants(self.pid) if _name(pid).startswith("sshd")]

    def cut(self) -> None:
        """Kill what serves connections; the server goes on."""
        for pid in self.sessions():
            _kill(pid)

    def freeze(self, frozen: bool) -> None:
        """Stop what serves connections as it stands, or let it go on."""
        for pid in self.sessions():
            os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def end(self) -> None:
        """Kill all of it; when this returns, nothing listens any more."""
        for pid in [*descendants(self.pid), self.pid]:
            _kill(pid)
        with suppress(ConnectionRefusedError, ConnectionResetError):
            while True:
                with suppress(TimeoutError):  # a dying server's queue swallows a connection without a word
                    socket.create_connection(("127.0.0.1", self.port), timeout=1).close()


def make_key(path: Path) -> str:
    """Make a key pair; return the public half."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f", path], check=True)
    return " ".join(Path(f"{path}.pub").read_text().split()[:2])


@contextmanager
def run_sshd(*options: str) -> Iterator[SshServer]:
    """Start a server, with more lines of sshd_config, and yield it. Options given here come before the usual ones.

    Raises RuntimeError naming Debian's package when sshd is not there.
    """
    if not Path(SSHD).exists():
        raise RuntimeError("these tests need sshd, which is not here: install Debian's package openssh-server")
    directory = Path(tempfile.mkdtemp(prefix="pulih-sshd-"))
    directory.chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    try:
        host_key = make_key(directory / "host_ed25519")
        (directory / "authorized_keys").write_text(f"restrict {make_key(directory / 'id_ed25519')}\n")
        server = SshServer(directory, _free_port())
        server.home.mkdir(mode=0o700)
        server.host_keys.write_text(f"[127.0.0.1]:{server.port} {host_key}\n")
        configuration = [
            *options,
            f"Port {server.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {directory}/host_ed25519",
            f"PidFile {directory}/sshd.pid",
            f"AuthorizedKeysFile {directory}/authorized_keys",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "MaxStartups 50:30:100",
            "PrintMotd no",
            # Not the account's own: its shell would read files there, and the shipped programs are to stay in here.
            f"SetEnv HOME={server.home}",
        ]
        (directory / "sshd_config").write_text("\n".join(configuration) + "\n")
        arguments = [SSHD, "-D", "-f", str(directory / "sshd_config"), "-E", str(directory / "log")]
        with subprocess.Popen(arguments) as process:
            try:
                _wait_until_ready(process, server)
                yield server
            finally:
                for pid in [*descendants(process.pid), process.pid]:
                    _kill(pid)
    finally:
        shutil.rmtree(directory)


def _wait_until_ready(process: "subprocess.Popen[bytes]", server: SshServer) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise RuntimeError(f"sshd did not start: {(server.directory / 'log').read_text()}")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
