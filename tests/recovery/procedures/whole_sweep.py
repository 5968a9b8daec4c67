"""The whole sweep: every case, three at a time, and docs/reliability.md written from what came out.

`make test-sweep`; nothing is written with `--every 50`, which plays only each fiftieth case, nor with `--only`, which
names what else than backups and restores is to be played.
"""

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.recovery.killed_work import Played, Work, build, sweep
from tests.recovery.procedures.playing import ACTIONS
from tests.recovery.procedures.reliability_page import Swept, work_row, write_page
from tests.recovery.procedures.sweep import Case, Seen, cases_of
from tests.recovery.procedures.sweeper import Sweeper, told
from tests.recovery.swept_points import unreached
from tests.recovery.works import WORKS

PAGE = Path(__file__).parents[3] / "docs" / "reliability.md"
KINDS = ("restore", "backup")
SHOWN_EVERY = 50


class Board:
    """Which cases wait, and what was found. Workers share it."""

    def __init__(self, every: int) -> None:
        self.seen: Seen = {}
        self.played: list[Case] = []
        self.findings: list[str] = []
        self.total = 0
        self._every = every
        self._waiting: dict[str, list[Case]] = {}
        self._changing = threading.Lock()
        self._begun = time.monotonic()

    def recorded(self, kind: str, seen: Seen) -> None:
        """Take up what a clean run reached; every sweeper's must be the same."""
        with self._changing:
            if kind not in self._waiting:
                self.seen |= seen
                # In any order, so that the time that is left can be told; the same one every time.
                cases = random.Random(1).sample(found := cases_of(seen), len(found))[:: self._every]
                self._waiting[kind] = cases
                self.total += len(cases)
            elif {name: self.seen[name] for name in seen} != seen:
                self.findings.append(f"two clean runs of {kind} do not reach the same points and calls")

    def next(self, kind: str) -> Case | None:
        """The next case of a kind; None when there is none left."""
        with self._changing:
            return self._waiting[kind].pop() if self._waiting[kind] else None

    def waits(self, kind: str) -> bool:
        """Whether a sweeper of this kind would have something to do."""
        with self._changing:
            return kind not in self._waiting or bool(self._waiting[kind])

    def done(self, case: Case, findings: list[str]) -> None:
        """Record what came of a case."""
        with self._changing:
            self.played.append(case)
            for finding in findings:
                text = told(case, self.seen, finding)
                self.findings.append(text)
                print(text, flush=True)
            if len(self.played) % SHOWN_EVERY == 0:
                minutes = (time.monotonic() - self._begun) / 60
                print(
                    f"{len(self.played)} of {self.total} cases, {minutes:.0f} min, {len(self.findings)} findings",
                    flush=True,
                )


def work(board: Board, number: int, directory: Path) -> None:
    """Play cases until none is left: a worker begins with its own kind and then helps with the other one."""
    turn = number % len(KINDS)
    for kind in (*KINDS[turn:], *KINDS[:turn]):
        tries = 0
        while board.waits(kind):
            tries += 1
            case: Case | None = None
            sweeper = Sweeper(kind, directory / f"{number}-{kind}-{tries}")
            try:
                board.recorded(kind, sweeper.seen())
                while (case := board.next(kind)) is not None:
                    for _, findings in sweeper.run([case]):
                        board.done(case, findings)
            except AssertionError as error:
                if case is None:
                    raise
                # It hung, or took its sweeper down: the next one goes on with the rest.
                board.done(case, [str(error)])
            finally:
                sweeper.close()


def play_works(works: list[Work], workers: int, every: int, directory: Path) -> list[Played]:
    """Play what else may die, so many of them at a time."""

    def one(work: Work) -> Played:
        root = directory / work.title.replace(" ", "-")
        build(work, root)
        played = sweep(work, root, every)
        print(work_row(played), flush=True)
        return played

    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(one, works))


def missed(board: Board, works: list[Played]) -> list[str]:
    """Points that are declared, and that the sweep which must come to them did not reach."""
    names = {played.title: played.names for played in works}
    for kind, actions in board.seen.items():
        names[kind] = [name for reached in actions.values() for name in reached["point"]]
    return [f"{title} does not come to {point!r}" for title in names for point in unreached(title, names[title])]


def main() -> int:
    """Play, print, write; the status says whether anything was found."""
    titles = [work.title for work in WORKS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="play only each n-th case, and write nothing")
    parser.add_argument("--workers", type=int, default=3, help="how many cases at a time")
    parser.add_argument("--only", nargs="+", choices=titles, metavar="TITLE", help=f"of {'; '.join(titles)}")
    arguments = parser.parse_args()
    board = Board(arguments.every)
    failures: list[BaseException] = []
    begun = time.monotonic()

    def one(number: int, directory: Path) -> None:
        try:
            work(board, number, directory)
        except BaseException as error:  # noqa: BLE001 - told at the end, whatever it is
            failures.append(error)

    directory = Path(tempfile.mkdtemp(prefix="pulih-sweep-"))
    count = 0 if arguments.only else arguments.workers
    workers = [threading.Thread(target=one, args=(number, directory)) for number in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for failure in failures:
        print(f"a worker ended: {failure}", file=sys.stderr)
    chosen = [work for work in WORKS if work.title in (arguments.only or titles)]
    works = play_works(chosen, arguments.workers, arguments.every, directory)
    findings = [*board.findings, *(each for played in works for each in played.findings), *missed(board, works)]
    cases = len(board.played) + sum(sum(played.kills.values()) for played in works)
    print("\n".join([*findings, f"{cases} cases, {len(findings)} findings; logs and offices are in {directory}"]))
    if arguments.only:
        return 1 if findings else 0
    if failures or len(board.played) != board.total or set(board.seen) != set(ACTIONS):
        return 2
    if arguments.every == 1:
        minutes = round((time.monotonic() - begun) / 60)
        cores = os.cpu_count() or 1
        write_page(PAGE, Swept(board.seen, board.played, findings, minutes, arguments.workers, cores, works))
        print(f"wrote {PAGE}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
