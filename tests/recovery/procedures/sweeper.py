"""The sweep in a process of its own: `python -m tests.recovery.procedures.sweeper backup|restore DIRECTORY [ENGINE]`.

It answers with what a clean run reached, then reads cases from stdin, one JSON list each, and answers each with one
JSON list of what was wrong.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.recovery.procedures.sweep import Case, Seen, Sweep

# No case takes a minute; one that hangs ends its sweeper.
LONGEST_CASE = 300


class Sweeper:
    """The program as another process uses it."""

    def __init__(self, kind: str, directory: Path, engine: str = "") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.kind = kind
        self._log = (directory / "log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.recovery.procedures.sweeper", kind, str(directory), engine],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._seen: Seen = {}

    def seen(self) -> Seen:
        """What each action reached, when the clean run is over."""
        self._seen = self._seen or self._answer()
        return self._seen

    def run(self, cases: list[Case]) -> Iterator[tuple[Case, list[str]]]:
        """Play cases and yield what is wrong after each."""
        assert self._process.stdin is not None
        self.seen()
        for case in cases:
            self._process.stdin.write(json.dumps(case) + "\n")
            self._process.stdin.flush()
            yield case, self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the sweep ended; see {self._log.name}")
        return json.loads(line)

    def close(self) -> None:
        """End the program and its office."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._log.close()


def told(case: Case, seen: Seen, finding: str) -> str:
    """A finding in words."""
    name = seen[case.procedure][case.action][case.where][case.number]
    return f"{tuple(case)} at {name!r}: {finding}"


def _serve(kind: str, directory: Path, engine: str) -> None:
    # The forks must not import, each for itself, what takes seconds. Importing starts no threads that matter.
    import great_expectations  # noqa: F401
    import typst  # noqa: F401

    import recovery.forms.render
    import recovery.quality.judge  # noqa: F401

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sweep = Sweep(kind, directory, engine)
    try:
        _tell(answers, sweep.record())
        for line in sys.stdin:
            begun = time.monotonic()
            signal.alarm(LONGEST_CASE)
            found = sweep.run(Case(*json.loads(line)))
            signal.alarm(0)
            print(f"{line.strip()} {time.monotonic() - begun:.1f} s {found or ''}", file=sys.stderr, flush=True)
            _tell(answers, found)
    finally:
        sweep.close()


def _tell(answers: Any, value: Any) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
