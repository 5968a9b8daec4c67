"""Looking at what programs on hosts do: whether they live, what they wrote."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recovery.hosts.base import OutputStream

# As long as the busiest machine may take. Programs that tests start live for a minute at least: what is gone sooner was
# ended.
PATIENCE_SECONDS = 30.0


def gone(pid: int, seconds: float = PATIENCE_SECONDS) -> bool:
    """Tell whether a process ends (or is a zombie that nobody reaped) within some seconds; 0: by now."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)


def wait_for(path: Path) -> str:
    """Return the content of a file as soon as it has some."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if path.exists() and path.read_text().strip():
            return path.read_text().strip()
        time.sleep(0.01)
    raise AssertionError(f"{path} did not appear")


def read_all(stream: OutputStream) -> bytes:
    """Return the whole output."""
    buffer, data = bytearray(1 << 16), b""
    while count := stream.readinto(buffer):
        data += buffer[:count]
    return data


@contextmanager
def watched_processes() -> Iterator[set[bytes]]:
    """Look at the arguments and environments of everything that begins within the block; what was seen grows
    meanwhile, so copy it before you go through it. What ran before is left alone: on a busy machine that is much."""
    seen: set[bytes] = set()
    end = threading.Event()
    before = set(os.listdir("/proc"))

    def look() -> None:
        while not end.wait(0.005):
            there = set(os.listdir("/proc"))
            # A number whose process has ended may be given again.
            before.intersection_update(there)
            for process in filter(str.isdigit, there - before):
                for name in ("cmdline", "environ"):
                    try:
                        seen.add(Path("/proc", process, name).read_bytes())
                    except OSError:
                        continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        end.set()
        watcher.join()
