"""What starts and stops services: two commands, or supervisord. Services under systemd have a module of their own."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from recovery.errors import ServiceError
from recovery.hosts.base import Host
from recovery.hosts.services_look import Managed
from recovery.settings import ServiceSettings

# Asked right before each single change; raises when it must not be made any more.
Permit = Callable[[], None]


def always() -> None:
    """The permit of whoever need not ask."""


class Manager(Protocol):
    """What starts and stops a service."""

    def check(self) -> None:
        """Raise ServiceError when the service could not be stopped, or not be started again; changes nothing."""

    def stop(self, timeout: float, permit: Permit) -> None:
        """Ask for a stop. Raises CommandError; whether the service is down is asked separately."""

    def start(self, timeout: float, permit: Permit) -> None:
        """Ask for a start. Raises CommandError; whether the service is up is asked separately."""

    def state(self) -> Managed:
        """Return what it says of the service. Raises ServiceError when it does not know it."""


class Commands:
    """A service that two configured programs start and stop; they cannot be asked for its state."""

    def __init__(self, host: Host, settings: ServiceSettings) -> None:
        self._host, self._settings = host, settings

    def check(self) -> None:
        """See Manager.check. Nothing can be known before the programs run."""

    def stop(self, timeout: float, permit: Permit) -> None:
        """See Manager.stop."""
        permit()
        self._host.run(self._settings.stop, timeout=timeout)

    def start(self, timeout: float, permit: Permit) -> None:
        """See Manager.start."""
        permit()
        self._host.run(self._settings.start, timeout=timeout)

    def state(self) -> Managed:
        """See Manager.state."""
        return Managed("")


class Supervisor:
    """A program under supervisord."""

    # Words of supervisord (process states); the others mean that something runs or is about to.
    STOPPED = ("STOPPED", "EXITED", "FATAL")

    def __init__(self, host: Host, settings: ServiceSettings) -> None:
        self._host, self._program = host, settings.program
        self._command = [_supervisorctl(host), "-c", settings.configuration]

    def check(self) -> None:
        """See Manager.check."""
        self.state()

    def stop(self, timeout: float, permit: Permit) -> None:
        """See Manager.stop."""
        permit()
        # Stopping what is stopped prints ERROR and still ends with 0, one of the reasons to look for ourselves.
        self._host.run([*self._command, "stop", self._program], timeout=timeout)

    def start(self, timeout: float, permit: Permit) -> None:
        """See Manager.start."""
        permit()
        self._host.run([*self._command, "start", self._program], timeout=timeout)

    def state(self, settled: bool = False) -> Managed:
        """See Manager.state."""
        # 3: not running. Any other status means that the daemon did not answer, or does not know the program.
        completed = self._host.run([*self._command, "status", self._program], timeout=30, ok=(0, 3, 4))
        words = completed.stdout.decode(errors="replace").split()
        if completed.code == 4 or len(words) < 2 or words[0] != self._program:
            raise ServiceError(
                f"supervisord cannot tell the state of {self._program}",
                state="nothing was changed",
                hint="check that supervisord runs, and the names of its configuration file and of the program",
            )
        if words[1] == "EXITED" and not settled:
            # With autorestart this state lasts until supervisord's next round, a second later.
            time.sleep(1.5)
            return self.state(settled=True)
        if words[1] in self.STOPPED:
            return Managed("stopped")
        return Managed("running" if words[1] == "RUNNING" else words[1].lower())


def _supervisorctl(host: Host) -> str:
    if host.account():
        return "supervisorctl"  # another machine's, found on its PATH
    # On PATH of a service account there is often no virtual environment, so first beside the running Python.
    beside = Path(sys.executable).with_name("supervisorctl")
    return str(beside) if beside.exists() else shutil.which("supervisorctl") or "supervisorctl"
