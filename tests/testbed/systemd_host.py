"""A machine for tests: Debian 12 with a real systemd, in namespaces of its own, reached by SSH like any other.

What it writes lies in memory, but for /srv. When the process that booted it ends, however that comes, it is gone.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from recovery.settings import HostSettings
from tests.testbed.systemd_root import ACCOUNT, cache, die_with_parent, held_root

BOOT = Path(__file__).with_name("systemd_boot.sh")
FORWARDER = Path(__file__).with_name("port_forwarder.py")
BOOT_SECONDS = 60
SSH, WEB = 22, 80
NAMESPACES = ("--mount", "--propagation=private", "--pid", "--uts", "--ipc", "--cgroup", "--net")


class SystemdHost:
    """A running machine. `key` opens root and the account `pulih`; `known_hosts` names the machine's own key."""

    def __init__(self, directory: Path, process: "subprocess.Popen[bytes]", ports: dict[int, int]) -> None:
        self.key = directory / "id_ed25519"
        self.known_hosts = directory / "known_hosts"
        self.log = directory / "boot.log"
        self.data = directory / "srv"
        self.ports = ports
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        self.pid = int(children[0])

    @property
    def root(self) -> Path:
        """The machine's root directory as seen from here; never follow an absolute link in it."""
        return Path(f"/proc/{self.pid}/root")

    @property
    def ssh_port(self) -> int:
        """The port of 127.0.0.1 that leads to the machine's sshd."""
        return self.ports[SSH]

    @property
    def web_url(self) -> str:
        """Where the machine's nginx answers, from here."""
        return f"http://127.0.0.1:{self.ports[WEB]}"

    def inside(self, path: str) -> Path:
        """Return a path of the machine as seen from here: below /srv a plain one, elsewhere one into its root."""
        return self.data / path.removeprefix("/srv/") if path.startswith("/srv/") else self.root / path.lstrip("/")

    def settings(self, name: str, user: str = "root") -> HostSettings:
        """Settings by which Pulih reaches the machine with one of its two accounts."""
        fields = {"address": "127.0.0.1", "port": self.ssh_port, "user": user}
        keys = {"key": f"file:{self.key}", "host_keys": str(self.known_hosts)}
        return HostSettings.model_validate({"name": name, "kind": "ssh", "title": "Server uji", **fields, **keys})

    def answer(self, path: str = "/") -> tuple[int, str]:
        """What the machine's web server answers to somebody outside: status and text."""
        request = urllib.request.Request(self.web_url + path)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def run(self, *argv: str, ok: tuple[int, ...] = (0,), user: str = "root", stdin: str = "") -> str:
        """Run a program there, not over SSH; return what it prints. Fails with it unless its status is in `ok`."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--uts", "--ipc", "--net", "--root", "--wd"]
        switch = [] if user == "root" else ["/usr/sbin/runuser", "-u", user, "--"]
        done = subprocess.run([*enter, *switch, *argv], input=stdin, capture_output=True, text=True)
        assert done.returncode in ok, f"{argv} ended with {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def systemctl(self, *words: str, ok: tuple[int, ...] = (0,)) -> str:
        """Run systemctl there."""
        return self.run("systemctl", *words, ok=ok)

    def write(self, path: str, text: str, *, mode: int = 0o644, user: str = "root") -> Path:
        """Write a file there, with its directories; return its path as seen from here."""
        inside = self.inside(path)
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.write_text(text)
        inside.chmod(mode)
        if user != "root":
            self.run("chown", f"{user}:{user}", path)
        return inside

    def unit(self, name: str, text: str) -> None:
        """Write a unit of systemd and let it be read."""
        self.write(f"/etc/systemd/system/{name}", text)
        self.systemctl("daemon-reload")

    def is_active(self, unit: str) -> bool:
        """Whether systemd says that a unit is active."""
        return self.systemctl("is-active", unit, ok=(0, 3, 4)).strip() == "active"


@contextmanager
def run_systemd_host(
    directory: Path, ports: dict[int, int] | None = None, lent: Mapping[str, Path] | None = None
) -> Iterator[SystemdHost]:
    """Boot a machine, with its keys and data in a directory, and yield it; ready for SSH.

    `ports` says which ports of this machine lead to its sshd and its web server; without it any that are free. `lent`
    says which directories of this machine it sees, by its own paths; what it writes there goes with it.

    Raises RuntimeError with a sentence when this machine cannot: without root, programs or control groups.
    """
    place = cache() / "mount"
    place.mkdir(parents=True, exist_ok=True)
    data = directory / "srv"
    data.mkdir(parents=True, exist_ok=True)
    with (
        held_root() as lower,
        _control_group() as group,
        (directory / "boot.log").open("wb") as log,
        _listeners(ports) as listeners,
    ):
        places = [word for path, source in (lent or {}).items() for word in (str(source), path)]
        machine = subprocess.Popen(
            # The kernel kills what is in a process namespace when its first process ends, and frees all else with it.
            [
                "unshare",
                *NAMESPACES,
                "--fork",
                "--kill-child=SIGKILL",
                str(BOOT),
                *map(str, (lower, place, data)),
                *places,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            preexec_fn=lambda: _begin(group),
        )
        with machine, _killed(machine):
            assert machine.stdin is not None and machine.stdout is not None
            if machine.stdout.readline() != b"ready\n":
                raise RuntimeError(f"the systemd test host did not boot: {(directory / 'boot.log').read_text()}")
            taken = {inside: listener.getsockname()[1] for inside, listener in listeners.items()}
            host = SystemdHost(directory, machine, taken)
            _write_keys(host)
            machine.stdin.write(b"\n")
            machine.stdin.close()
            with _forwarding(host, listeners):
                _wait_until_ready(host)
                yield host


def _begin(group: Path) -> None:
    die_with_parent()
    (group / "cgroup.procs").write_text("0")


@contextmanager
def _killed(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()


@contextmanager
def _control_group() -> Iterator[Path]:
    """A control group for one machine; its systemd makes its own below it."""
    top = _unified()
    for left in top.glob("pulih-testbed-*"):
        # A killed test run leaves empty groups. Those of a living one stay, even before its machine has begun.
        if not Path(f"/proc/{left.name.rsplit('-', 2)[1]}").exists():
            _remove_groups(left)
    number = 0
    while True:
        group = top / f"pulih-testbed-{os.getpid()}-{number}"
        try:
            group.mkdir()
            break
        except FileExistsError:
            number += 1
    try:
        yield group
    finally:
        _remove_groups(group)


def _unified() -> Path:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, _ = line.split(" ", 3)
        if kind == "cgroup2" and os.access(place, os.W_OK):
            return Path(place)
    raise RuntimeError("the systemd test host needs a writable cgroup2 file system, which this machine does not have")


def _remove_groups(top: Path) -> None:
    give_up_at = time.monotonic() + BOOT_SECONDS
    while top.exists():
        # Deepest first. What was killed leaves its group a moment later.
        for directory, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                os.rmdir(directory)
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"processes of a test host still run in {top}")
        time.sleep(0.01)


@contextmanager
def _listeners(ports: dict[int, int] | None) -> Iterator[dict[int, socket.socket]]:
    listeners = {}
    for port in (SSH, WEB):
        listeners[port] = socket.create_server(("127.0.0.1", ports[port] if ports else 0), backlog=64)
    try:
        yield listeners
    finally:
        for listener in listeners.values():
            listener.close()


@contextmanager
def _forwarding(host: SystemdHost, listeners: dict[int, socket.socket]) -> Iterator[None]:
    pairs = [f"{listener.fileno()}:{port}" for port, listener in listeners.items()]
    forwarder = subprocess.Popen(
        [sys.executable, "-S", str(FORWARDER), f"/proc/{host.pid}/ns/net", *pairs],
        pass_fds=[listener.fileno() for listener in listeners.values()],
        preexec_fn=die_with_parent,
    )
    with forwarder, _killed(forwarder):
        yield


def _write_keys(host: SystemdHost) -> None:
    own, account = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    host.write("/etc/ssh/testbed_host_key", _private(own), mode=0o600)
    host.known_hosts.write_text(f"[127.0.0.1]:{host.ssh_port} {_public(own)}\n")
    host.key.write_text(_private(account))
    host.key.chmod(0o600)
    for home in ("root", f"home/{ACCOUNT}"):
        folder = host.root / home
        (folder / ".ssh").mkdir(mode=0o700, exist_ok=True)
        keys = folder / ".ssh" / "authorized_keys"
        keys.write_text(f"{_public(account)}\n")
        owner = folder.stat()
        for each in (keys.parent, keys):
            os.chown(each, owner.st_uid, owner.st_gid)
        keys.chmod(0o600)


def _private(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _wait_until_ready(host: SystemdHost) -> None:
    give_up_at = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < give_up_at:
        with suppress(OSError), socket.create_connection(("127.0.0.1", host.ssh_port), timeout=5) as connection:
            if connection.recv(4) == b"SSH-":
                return
        time.sleep(0.05)
    raise RuntimeError(f"the systemd test host does not answer: {host.log.read_text(errors='replace')[-2000:]}")
