"""Shipped program: a program in a session of its own, as a worker asked for it by SSH.

Standard library only, Python 3.9 or newer.
"""

# ruff: noqa: PTH208 - pathlib takes longer to import than all of this to run

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Any

KILL_SECONDS = 5.0


class Process:
    """A program in a session of its own; its end is seen but not collected, so that its group stays ours to kill."""

    def __init__(self, request: dict[str, Any], stdin: int, stdout: int, stderr: int) -> None:
        argv = [_encoded(argument) for argument in request["argv"]]
        environment = {name: os.environb[name] for name in (b"PATH", b"HOME", b"TMPDIR") if name in os.environb}
        environment.setdefault(b"PATH", b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        environment[b"LC_ALL"] = b"C.UTF-8"
        environment.update({_encoded(name): _encoded(value) for name, value in request["env"].items()})
        self._collected = False
        self.pid = os.posix_spawnp(
            argv[0],
            argv,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, given, at) for at, given in enumerate((stdin, stdout, stderr))],
            setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGHUP, signal.SIGTERM, signal.SIGXFSZ],
        )

    def status(self) -> int | None:
        """Return the exit status, or the number of the signal as a negative one, or None while it runs."""
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def kill(self) -> None:
        """Kill the program and everything in its group, and wait until they are gone."""
        if self._collected:
            return  # the number may be another's by now
        give_up_at = time.monotonic() + KILL_SECONDS
        # What another account runs for us (sudo) cannot be killed by this one.
        with suppress(PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        while self.status() is None and time.monotonic() < give_up_at:
            time.sleep(0.002)
        with suppress(ChildProcessError):
            self._collected = os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
        while _lives(self.pid) and time.monotonic() < give_up_at:
            time.sleep(0.002)


def _lives(group: int) -> bool:
    """Tell whether a process of a group lives. Those that only wait to be collected, by whomever, do not count."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, _parent, its_group = file.read().rpartition(b")")[2].split()[:3]
        except OSError:
            continue  # ended while we looked
        if int(its_group) == group and state not in (b"Z", b"X"):
            return True
    return False


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
