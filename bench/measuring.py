"""Measures a program with all that it starts and what a server does for it meanwhile, and prints medians and ratios."""

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.generate import MEBIBYTE

TICKS = os.sysconf("SC_CLK_TCK")
BETWEEN_LOOKS = 0.05
# The part of one processor that looking at memory may take.
LOOKING = 0.02
COLUMNS = {"downtime": "s downtime", "stored": "MiB stored", "memory": "MiB memory"}
Result = dict[str, float]


@dataclass
class Meter:
    """Where programs run and what they are told, and the process of the server that they burden."""

    directory: Path
    environment: dict[str, str]
    server: int

    def shell(self, script: str) -> Result:
        """Run a pipeline of which every program must succeed."""
        return self.run(["bash", "-c", f"set -eo pipefail; {script}"])[0]

    def run(self, argv: list[str]) -> tuple[Result, str]:
        """Run a program; return what was measured, and what it wrote to stdout."""
        before, begun = _seconds(self.server), time.perf_counter()
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=self.environment, cwd=self.directory)
        assert process.stdout is not None
        with peak_of(process.pid) as peak:
            said = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{argv[-1][:200]} ended with status {process.returncode}")
        processor = usage.ru_utime + usage.ru_stime + _seconds(self.server) - before
        return {"seconds": seconds, "processor": processor, "memory": max(peak) / MEBIBYTE}, said


def _seconds(pid: int) -> float:
    """The processor time of a server and of all its sessions, those that have ended included."""
    return sum(_ticks(member) for member in _family(pid)) / TICKS


def _ticks(pid: int) -> int:
    """What a process and those of its children that it has seen end have used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


@contextmanager
def peak_of(pid: int) -> Iterator[list[int]]:
    """Look, while the block runs, how much memory a process and its descendants hold together."""
    seen, end = [0], threading.Event()

    def look() -> None:
        pause = BETWEEN_LOOKS
        while not end.wait(pause):
            begun = time.thread_time()
            seen.append(sum(resident(member) for member in _family(pid)))
            # The kernel counts every page, so a look at a large process takes time from what is measured.
            pause = max(BETWEEN_LOOKS, (time.thread_time() - begun) / LOOKING)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()


def _family(pid: int) -> Iterator[int]:
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))


def resident(pid: int) -> int:
    """What is a process's own, and its share of what it has in common with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def show(title: str, found: dict[str, list[Result]]) -> None:
    """Print one table of all variants; ratios are to the first."""
    shown = [name for name in COLUMNS if any(name in results[0] for results in found.values())]
    first = next(iter(found.values()))
    head = " ".join(f"{COLUMNS[name]:>11}" for name in shown)
    print(f"\n{title}\n{'':36} {'seconds':>8} {'ratio':>6} {'cpu s':>7} {'ratio':>6} {head}")
    for variant, results in found.items():
        cells = []
        for name, width in (("seconds", 8), ("processor", 7)):
            value = median(results, name)
            cells.append(f"{value:{width}.2f} {value / median(first, name):6.2f}")
        cells += [f"{median(results, name):11.1f}" if name in results[0] else " " * 11 for name in shown]
        print(f"{variant:36} {' '.join(cells)}", flush=True)


def median(results: list[Result], name: str) -> float:
    """Given a variant's results, return the median of one figure."""
    return statistics.median(result[name] for result in results)
