"""Work that dies at its points and is done again: what `make test` plays as a sample and `make test-sweep` in full.

Every process is forked from one that has only imported what is slow to import: rendering and libraries start threads,
which no fork survives, so nothing may have run in the one that is forked.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from recovery import points
from tests.recovery.procedures.processes import at
from tests.recovery.swept_points import unreached
from tests.testbed.small_office import attach

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["great_expectations", "typst", "tests.testbed.small_office", __name__])
# Whoever starts a process also asks every other one how it ended, and the answer is there to be read once only: of two
# threads that read, one would be told 255.
ENDINGS = threading.Lock()
# As long as the slowest machine may take.
PATIENCE = 250
SAMPLED = 3


@dataclass(frozen=True)
class Work:
    """What is done to an office in a directory, by a process that may die.

    `build` makes the office; `play` does the work, from its first line or again; `finish` does what a person does when
    it died, which is to do it again; `anew` what is done when nobody does: the guard comes, and a new run is started.
    The last two raise when all is not well in the end.
    """

    title: str
    build: Callable[[Path], object]
    play: Callable[[Path], object]
    finish: Callable[[Path], object]
    anew: Callable[[Path], object] | None = None

    @property
    def ways(self) -> tuple[str, ...]:
        """What can follow a death."""
        return ("finish", "anew") if self.anew else ("finish",)


@dataclass(frozen=True)
class Played:
    """What a clean run reached, how often it was killed for each way to go on, and what was wrong then."""

    title: str
    names: list[str]
    kills: dict[str, int]
    findings: list[str]


def remember(root: Path) -> None:
    """Keep the office as it is now."""
    subprocess.run(["cp", "-a", "--", str(root), str(_kept(root))], check=True)


def recall(root: Path) -> None:
    """Put the office back to where it was when it was remembered."""
    shutil.rmtree(root)
    subprocess.run(["cp", "-a", "--", str(_kept(root)), str(root)], check=True)


def _kept(root: Path) -> Path:
    return root.with_name(f"{root.name}-kept")


def build(work: Work, root: Path) -> None:
    """Make the office of some work, and remember it."""
    built = _in_a_process(root, _tried, work.build, root)
    assert (0, []) == built, built
    remember(root)


def sweep(work: Work, root: Path, every: int) -> Played:
    """Given an office that was remembered, kill the work at every n-th point (0: at a sample of them), and go on."""
    recall(root)
    code, names = _in_a_process(root, _watched, work.play, root)
    assert code == 0, f"a clean run of {work.title} fails: {names}"
    every = every or max(1, len(names) // SAMPLED)
    kills, findings = dict.fromkeys(work.ways, 0), []
    for turn, point in enumerate(range(0, len(names), every)):
        # Each way at every point, or the ways in turn.
        for way in work.ways if every == 1 else [work.ways[turn % len(work.ways)]]:
            recall(root)
            code, _ = _in_a_process(root, _killed, work.play, root, point)
            found = [f"the point was not reached: it ended with {code}"]
            if code == -signal.SIGKILL:
                _, found = _in_a_process(root, _tried, getattr(work, way), root)
            told = [f"{work.title}, {point} {names[point]!r}, {way}: {each}" for each in found]
            # Whoever waits for an hour wants to know at once.
            print("".join(f"{each}\n" for each in told), end="", flush=True)
            findings += told
            kills[way] += 1
    return Played(work.title, names, kills, findings)


def expire_leases(root: Path) -> None:
    """Let the leases of a dead process run out."""
    installation = attach(root).installation
    with installation.catalog.begin() as connection:
        connection.exec_driver_sql("UPDATE leases SET expires_at = '2000-01-01T00:00:00.000000+00:00'")
    installation.catalog.dispose()


def _watched(play: Callable[[Path], object], root: Path) -> list[str]:
    names: list[str] = []
    with points.observe(names.append):
        play(root)  # when it fails, multiprocessing prints why
    return names


def _killed(play: Callable[[Path], object], root: Path, point: int) -> None:
    with points.observe(at(point, lambda: os.kill(os.getpid(), signal.SIGKILL))):
        play(root)


def _tried(deed: Callable[[Path], object], root: Path) -> list[str]:
    try:
        deed(root)
    except Exception:  # noqa: BLE001 - told to whoever sweeps, whatever it is
        return [traceback.format_exc()]
    return []


def _in_a_process(root: Path, target: Callable[..., object], *arguments: Any) -> tuple[int | None, Any]:
    """Run something in a process of its own; return its exit code, and what it returned when it ended well."""
    told = root.with_name(f"{root.name}-told.json")
    process = PROCESSES.Process(target=_tell, args=(told, target, *arguments))
    with ENDINGS:
        process.start()
    if not wait([process.sentinel], PATIENCE):
        process.kill()
        wait([process.sentinel])
    with ENDINGS:
        code = process.exitcode
    # A process that was killed told nothing; nor did one that hung.
    found = json.loads(told.read_text()) if code == 0 else [f"it ended with {code}"]
    told.unlink(missing_ok=True)
    return code, found


def _tell(told: Path, target: Callable[..., object], *arguments: Any) -> None:
    told.write_text(json.dumps(target(*arguments)))


def assert_survives(work: Work, directory: Path) -> None:
    """Play a sample of some work's deaths. Every point that is declared to be its own must be reached."""
    build(work, directory / "office")
    played = sweep(work, directory / "office", 0)
    assert [] == played.findings, "\n".join(played.findings)
    assert [] == unreached(work.title, played.names), unreached(work.title, played.names)
