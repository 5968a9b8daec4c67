"""A database server of the demonstration's own, for SIMPEL's data: whatever engine it is.

It listens on loopback alone, asks everybody for a password, and never runs as root: where the demonstration is root,
the account that Debian's package made has it, in a directory that this account can reach.
"""

import getpass
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.simpel.generate import generate
from demo.site import Site, free_port, write_private
from recovery.errors import HostError

START_SECONDS = 60
# Root starts no database server; its own directories are closed to the account that does.
PLACE_FOR_ROOT = "/var/tmp"  # noqa: S108 - a private directory is made there
DATABASE = "simpel"
OWNER = "simpel_app"


class ServerEngine(ABC):
    """A server in one directory, and the database in it."""

    name: str
    title: str
    # The account that Debian's package made, and the signal with which the server ends at once and in order.
    account: str
    ending: signal.Signals

    def __init__(self, site: Site) -> None:
        self._site = site
        # A link to the true one where the demonstration is root.
        self._directory = site.root / self.name

    def make(self) -> None:
        """See Engine.make. Raises ConfigurationError when the programs are missing, HostError when they fail."""
        self._require_programs()
        if os.geteuid() == 0:
            place = Path(tempfile.mkdtemp(prefix="pulih-peraga-", dir=PLACE_FOR_ROOT))
            shutil.chown(place, self.account, self.account)
            self._directory.symlink_to(place)
        else:
            self._directory.mkdir(mode=0o700)
        (self._site.root / f"{self.name}.port").write_text(f"{free_port()}\n", encoding="ascii")
        passwords = {who: secrets.token_urlsafe(18) for who in ("administrator", "owner", "backup", "restore")}
        for who in ("administrator", "backup", "restore"):
            write_private(self._keys / f"{self.name}-{who}", passwords[who].encode())
        self._make_server(passwords)

    def fill(self) -> None:
        """See Engine.fill."""
        with self._running():
            generate(self.address, self._site.uploads)

    def programs(self) -> str:
        """See Engine.programs."""
        account = f"user={self.account}\n" if os.geteuid() == 0 else ""
        return f"""
[program:{self.name}]
command={" ".join(self._command())}
directory={self._directory.resolve()}
{account}priority=1
autostart=true
autorestart=true
stopsignal={self.ending.name.removeprefix("SIG")}
stopwaitsecs=30
stdout_logfile={self._site.root}/log/{self.name}.log
redirect_stderr=true
"""

    def component(self) -> dict[str, Any]:
        """See Engine.component."""
        return {
            "kind": self.name,
            "database": DATABASE,
            "server": "127.0.0.1",
            "port": self._port,
            "user": "pulih_backup",
            "password": f"file:{self._keys / f'{self.name}-backup'}",
            "restore_user": "pulih_restore",
            "restore_password": f"file:{self._keys / f'{self.name}-restore'}",
        }

    def remove(self) -> None:
        """See Engine.remove."""
        if self._directory.is_symlink():
            shutil.rmtree(self._directory.resolve(), ignore_errors=True)

    @property
    @abstractmethod
    def address(self) -> str:
        """See Engine.address."""

    @abstractmethod
    def table(self, name: str) -> str:
        """See Engine.table."""

    @abstractmethod
    def _require_programs(self) -> None:
        """Raises ConfigurationError when the server's programs are not installed."""

    @abstractmethod
    def _make_server(self, passwords: dict[str, str]) -> None:
        """Given the passwords of its accounts, make the server, its accounts and the empty database."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Return the argument list that runs the server until it is told to end."""

    @abstractmethod
    def _answers(self) -> str:
        """Return "" when the server answers its administrator, or else what it said."""

    @property
    def _keys(self) -> Path:
        return self._site.root / "kunci"

    @property
    def _data(self) -> Path:
        return self._directory.resolve() / "data"

    @property
    def _port(self) -> int:
        return int((self._site.root / f"{self.name}.port").read_text(encoding="ascii"))

    def _administrators_password(self) -> str:
        return (self._keys / f"{self.name}-administrator").read_text(encoding="ascii").strip()

    @contextmanager
    def _running(self, *options: str) -> Iterator[None]:
        command = [*self._command(), *options]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **self._as_account()
        ) as server:
            try:
                self._wait(server)
                yield
            finally:
                server.send_signal(self.ending)
                server.wait(START_SECONDS)

    def _wait(self, server: "subprocess.Popen[bytes]") -> None:
        give_up_at = time.monotonic() + START_SECONDS
        while said := self._answers():
            if server.poll() is not None or time.monotonic() > give_up_at:
                raise HostError(
                    f"the demonstration's {self.title} server did not start: {said}", state="nothing was started"
                )
            time.sleep(0.05)

    @contextmanager
    def _told(self, content: str) -> Iterator[Path]:
        """Give the server a private file with something secret, as long as it needs it."""
        path = self._directory.resolve() / "rahasia"
        write_private(path, content.encode())
        if os.geteuid() == 0:
            shutil.chown(path, self.account, self.account)
        try:
            yield path
        finally:
            path.unlink()

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, check=False, cwd="/", **self._as_account())
        if done.returncode != 0:
            raise HostError(
                f"the demonstration's {self.title} server could not be made: {done.stderr.decode().strip()[-300:]}",
                state="nothing was started",
            )

    def _as_account(self) -> dict[str, Any]:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        if os.geteuid() != 0:
            return {"env": {**environment, "USER": getpass.getuser()}}
        return {"env": environment, "user": self.account, "group": self.account, "extra_groups": []}
