"""A server of the demonstration's own that lives as long as the process that keeps it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recovery.errors import HostError

END_SECONDS = 60


@dataclass(frozen=True)
class Keeper:
    """The process that keeps a server: what it is called, its module, where its number stands, and its log."""

    title: str
    module: str
    pid_file: Path
    log: Path

    @property
    def pid(self) -> int | None:
        """The process, if it lives; a number that another program has by now does not count."""
        with suppress(FileNotFoundError, ValueError):
            pid = int(self.pid_file.read_text(encoding="ascii"))
            if self.module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def start(self, *arguments: str) -> None:
        """Start it, unless it runs; returns when the server is ready. Raises HostError with what it said."""
        if self.pid is not None:
            return
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", self.module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=Path(__file__).resolve().parent.parent,
                start_new_session=True,
            )
        assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        said = process.stdout.readline().strip()
        if said != "ready":
            process.kill()
            raise HostError(
                f"{self.title} did not start ({said or 'it said nothing'})",
                state="nothing runs",
                hint=f"read {self.log}",
            )
        self.pid_file.write_text(f"{process.pid}\n", encoding="ascii")

    def end(self) -> bool:
        """End it; say whether it ran. Raises HostError when it does not end."""
        pid = self.pid
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        give_up_at = time.monotonic() + END_SECONDS
        while self.pid is not None:
            if time.monotonic() > give_up_at:
                raise HostError(
                    f"{self.title} (process {pid}) does not end", state="it still runs", hint="kill that process"
                )
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.05)
        self.pid_file.unlink()
        return True
