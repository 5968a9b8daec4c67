"""Processes die, or fail once, at every point of a procedure.

`python -m tests.recovery.procedures.sweep PROCEDURE DIRECTORY` builds one office, plays the procedure once, and
remembers the office's directory before each action. Then it reads cases from stdin, one JSON list each, and answers
each with one JSON list of what was wrong. Every action is played by a fork, so that nothing but what is on disk
survives it, and so that what is slow to import is imported once.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import update

from recovery import points
from recovery.errors import HostError, PulihError
from recovery.guard.rounds import make_round
from recovery.records import schema, steps
from tests.recovery.procedures.checking import Known, content, torn, wrong
from tests.recovery.procedures.playing import ACTIONS, CRITICAL, DOWN_BEFORE, Play
from tests.testbed.small_office import attach, open_office

# What is put back between cases; keys, settings and the service's own files never change.
CHANGING = ("app", "state", "store", "notices.txt")
# From here on the journal names inodes, which a copied directory does not keep: later actions are played anew.
LAST_COPIED = "restore.5"
# Steps whose failure the flow passes over: for a backup the next steps follow, for a restore the service is started.
MAY_FAIL = ("backup.1", "backup.2", "backup.3", "backup.4", "restore.4", "restore.5")


class Case(NamedTuple):
    """A process dies ("kill") or an error is raised ("system", "own") at the n-th point of an action.

    Then, as `after` says: the action is played "again"; or somebody starts the service first ("started"), or the
    guard makes a round first ("guarded"); or the procedure goes on without it ("given up").
    """

    action: str
    point: int
    kind: str = "kill"
    after: str = "again"


def cases_of(procedure: str, recorded: dict[str, list[str]], kinds: tuple[str, ...]) -> list[Case]:
    """All cases of these kinds, given the names of the points that each action reached in a clean run."""
    found = []
    for action in ACTIONS[procedure]:
        for point in range(len(recorded[action])):
            for kind in kinds:
                found.append(Case(action, point, kind))
                if kind == "kill" and action in CRITICAL:
                    found += [Case(action, point, kind, after) for after in ("started", "guarded")]
                if kind != "kill" and action.split()[0] in MAY_FAIL:
                    found.append(Case(action, point, kind, "given up"))
    return found


def sample(cases: list[Case], count: int, seed: int) -> list[Case]:
    """Some of the cases, in turn from each action, beginning with the actions that have the most of them."""
    chance = random.Random(seed)
    waiting: dict[str, list[Case]] = {}
    for case in chance.sample(cases, len(cases)):
        waiting.setdefault(case.action, []).append(case)
    order = sorted(waiting, key=lambda action: -len(waiting[action]))
    chosen: list[Case] = []
    while len(chosen) < count and any(waiting.values()):
        for action in order:
            if waiting[action] and len(chosen) < count:
                chosen.append(waiting[action].pop())
    return chosen


class Sweep:
    """One office, and a procedure that is played in it again and again."""

    def __init__(self, procedure: str, directory: Path) -> None:
        self.procedure = procedure
        self.root = directory / "office"
        self._copies = directory / "copies"
        self._recorded: dict[str, list[str]] = {}
        self._known: Known | None = None

    # --- the clean run -----------------------------------------------------------------------------------------

    def record(self) -> dict[str, list[str]]:
        """Build the office, play the procedure once, and return the points of each action."""
        backed_up, damaged = ((list(map(tuple, rows)), _bytes(files)) for rows, files in _forked(self._build))
        self._known = Known(backed_up, damaged)
        for action in ACTIONS[self.procedure]:
            self._remember(action)
            self._recorded[action] = _forked(lambda action=action: self._record(action))
        if found := _forked(lambda: list(wrong(self._play(), self.known))):
            raise AssertionError(f"a clean run leaves {found}")
        return self._recorded

    @property
    def known(self) -> Known:
        """The data before and after."""
        assert self._known is not None
        return self._known

    def _build(self) -> Any:
        office = open_office(self.root)
        backed_up = content(office)
        Play(office, self.procedure).prepare()
        both = (backed_up, content(office))
        return [[rows, {name: value.hex() for name, value in files.items()}] for rows, files in both]

    def _record(self, action: str) -> list[str]:
        reached: list[str] = []
        with points.observe(reached.append):
            self._play().act(action)
        return reached

    def _play(self) -> Play:
        return Play(attach(self.root), self.procedure)

    # --- one case ----------------------------------------------------------------------------------------------

    def run(self, case: Case) -> list[str]:
        """Play a case to the procedure's end and return what is wrong then."""
        if case.action not in self._recorded:
            return [f"there is no action {case.action}"]
        before = self._start_of(case.action)
        self._recall(before)
        earlier = ACTIONS[self.procedure]
        for action in earlier[earlier.index(before) : earlier.index(case.action)]:
            _forked(lambda action=action: self._play().act(action) and None)
        if case.kind != "kill":
            return _forked(lambda: self._survive_error(case))
        if not self._die(case):
            return ["the point was not reached"]
        found = _forked(lambda: list(torn(attach(self.root), self.known)))
        if found:
            return found
        if case.after == "started":
            self._start_service()
        if case.after == "guarded" and (found := _forked(self._guard)):
            return found
        return _forked(lambda: self._finish(case))

    def _die(self, case: Case) -> bool:
        """Play the action in a process that kills itself at the point; return whether it did."""
        pid = os.fork()
        if pid == 0:
            try:
                with points.observe(_at(case.point, lambda: os.kill(os.getpid(), signal.SIGKILL))):
                    self._play().act(case.action)
            finally:
                os._exit(0)
        return os.WIFSIGNALED(os.waitpid(pid, 0)[1])

    def _guard(self) -> list[str]:
        """Let the dead process's leases expire and the guard make its round; say what is wrong then."""
        office = attach(self.root)
        with office.installation.catalog.begin() as connection:
            connection.execute(
                update(schema.leases).values(expires_at=schema.timestamp(datetime(2020, 1, 1, tzinfo=UTC)))
            )
        make_round(office.installation)
        found = [] if office.service_running() else ["the guard left the service down"]
        if content(office) not in (self.known.backed_up, self.known.damaged):
            found.append("the guard left neither whole old nor whole new data")
        return found

    def _finish(self, case: Case) -> list[str]:
        play = self._play()
        stranger = _service_pid(self.root) if case.after == "started" else 0
        # What the guard undid is undone, and step 5 says so; otherwise every step is done at the second try.
        given_up = self._again(play, case.action, may_fail=case.after == "guarded")
        found = []
        # Quiet is proven anew, whatever the catalog says, unless the dead process had recorded its evidence.
        if case.action in ("restore.4", "restore.5") and self._tries(play, case.action) > 1 and _alive(stranger):
            found.append(f"the service that somebody started was not stopped by {case.action}")
        given_up += self._go_on(play, case.action, may_fail=case.after == "guarded")
        return found + list(wrong(play, self.known, given_up))

    def _tries(self, play: Play, step_id: str) -> int:
        with play.office.installation.catalog.read() as connection:
            row = steps.find(connection, play.procedure_id, step_id)
        return row.tries if row else 0

    def _survive_error(self, case: Case) -> list[str]:
        play = self._play()
        error = OSError(5, "Input/output error") if case.kind == "system" else HostError("the host went away")
        raised = [error]

        def fail() -> None:
            if raised:
                raise raised.pop()

        with points.observe(_at(case.point, fail)):
            try:
                play.act(case.action)
            except (OSError, PulihError):
                failed = True
            else:
                failed = False
        if raised:
            return ["the point was not reached"]
        given_up: tuple[str, ...] = ()
        step_id, _, component = case.action.partition(" ")
        if failed and case.after == "given up":
            given_up = (component or step_id,)
        elif failed:
            given_up = self._again(play, case.action, may_fail=True)
        given_up += self._go_on(play, case.action, may_fail=bool(given_up))
        return list(wrong(play, self.known, given_up))

    def _again(self, play: Play, action: str, *, may_fail: bool) -> tuple[str, ...]:
        """Play an action again; return it when it failed for good, which only a swap that was undone may."""
        try:
            play.act(action, again=True)
        except PulihError:
            if not may_fail or action != "restore.5":
                raise
            return (action,)
        return ()

    def _go_on(self, play: Play, action: str, *, may_fail: bool) -> tuple[str, ...]:
        """Play the actions after one, as the flow does: it passes over steps that fail after another failed."""
        failed: tuple[str, ...] = ()
        for following in play.after(action):
            try:
                play.act(following)
            except PulihError:
                if not may_fail or following.split()[0] not in MAY_FAIL:
                    raise
                failed += (following,) if play.procedure == "restore" else ()
        return failed

    # --- the office's directory --------------------------------------------------------------------------------

    def _start_of(self, action: str) -> str:
        order = ACTIONS[self.procedure]
        if LAST_COPIED in order and order.index(action) > order.index(LAST_COPIED):
            return LAST_COPIED
        return action

    def _remember(self, action: str) -> None:
        if self._start_of(action) != action:
            return
        copy = self._copies / action.replace("/", "_")
        copy.mkdir(parents=True)
        self._copy(self.root, copy)

    def _recall(self, action: str) -> None:
        if self.procedure == "restore":
            self._stop_service()
        for name in CHANGING:
            path = self.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self._copy(self._copies / action.replace("/", "_"), self.root)
        if self.procedure == "restore" and action not in DOWN_BEFORE:
            self._start_service()

    def _copy(self, source: Path, target: Path) -> None:
        there = [str(source / name) for name in CHANGING if (source / name).exists()]
        subprocess.run(["cp", "-a", "--", *there, str(target)], check=True)

    def _start_service(self) -> None:
        settings = attach(self.root).installation.application("simpel").services[0]
        if _answers(int(settings.port or 0)):
            return
        subprocess.run(settings.start, check=True)
        _wait_for(lambda: _answers(int(settings.port or 0)), "the service answers")

    def _stop_service(self) -> None:
        pid = _service_pid(self.root)
        if pid and _alive(pid):
            os.kill(pid, signal.SIGKILL)
            _wait_for(lambda: not _alive(pid), "the service is gone")

    def close(self) -> None:
        """End the office's service."""
        self._stop_service()


def _at(point: int, deed: Callable[[], None]) -> points.Observer:
    """An observer that does a deed at the n-th point that is reached, in whatever thread."""
    counting = threading.Lock()
    count = -1

    def observer(_name: str) -> None:
        nonlocal count
        with counting:
            count += 1
            reached = count == point
        if reached:
            deed()

    return observer


def _forked(work: Callable[[], Any]) -> Any:
    """Do something in a process of its own and return its result (JSON). An exception becomes a finding."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            result = work()
        except BaseException:  # noqa: BLE001 - told to the parent, whatever it is
            result = [traceback.format_exc()]
        with os.fdopen(writing, "w") as pipe:
            json.dump(result, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(told)


def _bytes(files: dict[str, str]) -> dict[str, bytes]:
    return {name: bytes.fromhex(value) for name, value in files.items()}


def _service_pid(root: Path) -> int:
    try:
        return int((root / "service" / "pid").read_text())
    except FileNotFoundError:
        return 0


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + 20
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(what)
        time.sleep(0.01)


def _serve(procedure: str, directory: Path) -> None:
    # The forks must not import, each for itself, what takes seconds. Importing starts no threads that matter.
    import great_expectations  # noqa: F401
    import typst  # noqa: F401

    import recovery.forms.render
    import recovery.quality.judge  # noqa: F401

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sweep = Sweep(procedure, directory)
    try:
        _tell(answers, sweep.record())
        for line in sys.stdin:
            begun = time.monotonic()
            found = sweep.run(Case(*json.loads(line)))
            print(f"{line.strip()} {time.monotonic() - begun:.1f} s {found or ''}", file=sys.stderr, flush=True)
            _tell(answers, found)
    finally:
        sweep.close()


def _tell(answers: Any, value: Any) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


class Sweeper:
    """The program as another process uses it."""

    def __init__(self, procedure: str, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.procedure = procedure
        self._log = (directory / "log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.recovery.procedures.sweep", procedure, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.points: dict[str, list[str]] = {}

    def recorded(self) -> dict[str, list[str]]:
        """The points of each action, when the clean run is over."""
        self.points = self.points or self._answer()
        return self.points

    def run(self, cases: list[Case]) -> Iterator[tuple[Case, list[str]]]:
        """Play cases and yield what is wrong after each."""
        assert self._process.stdin is not None
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


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]))
