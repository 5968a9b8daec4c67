"""Processes die, and calls fail, at every place of a procedure; then the procedure goes on, and all must be well.

One office is built and each procedure played in it once; the office's directory is remembered before each action. Then
cases are played from there. Every action is played by a fork, so that nothing but what is on disk survives it, and so
that what is slow to import is imported once.
"""

import os
import random
import shutil
import signal
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import update

from recovery import points
from recovery.errors import HostError, PulihError
from recovery.guard.rounds import make_round
from recovery.records import schema, steps
from recovery.settings import ServiceSettings
from recovery.sources.base import Fingerprint
from tests.recovery.procedures.checking import Known, Whole, content, torn, whole, wrong
from tests.recovery.procedures.faults import INTERFACES, Watch, watched
from tests.recovery.procedures.playing import ACTIONS, CRITICAL, DOWN_BEFORE, KINDS, Play
from tests.recovery.procedures.processes import answers, at, forked, killed, wait_for
from tests.testbed.engine_office import attach_engine_office, open_engine_office
from tests.testbed.engines import ENGINES
from tests.testbed.small_office import SmallOffice, attach, open_office
from tests.testbed.web_service import kill_service, serving

# What is put back between cases; keys, settings and the service's own files never change.
CHANGING = ("app", "state", "store", "notices.txt")
# From here on the journal names inodes, which a copied directory does not keep: later actions are played anew.
LAST_COPIED = "restore.5"
# Steps whose failure the flow passes over: for a backup the next steps follow, for a restore the service is started.
MAY_FAIL = ("backup.1", "backup.2", "backup.3", "backup.4", "restore.4", "restore.5")

# A sample has one of each.
AT_STAKE = ("backup.1", "backup.2", "backup.3", "backup.4", "backup.5", "restore.4", "restore.5", "restore.6")

# What works with the application's database server.
ENGINE_ACTIONS = ("backup.1 simpel/data", "backup.2 simpel/data", "restore.3", *CRITICAL)

# By procedure and action: the names of its points, and of its calls through each interface.
Seen = dict[str, dict[str, dict[str, list[str]]]]


class Case(NamedTuple):
    """Something happens at the n-th point of an action, or at its n-th call through an interface.

    `how`, at a point: the process dies ("kill"); or an error of the system or of our own is raised ("system", "own");
    or the database server dies, and is started again when the action has ended ("server").
    At a call: it fails "once", or it and every later one fail "for good", which ends when the run has stopped.
    `after`: the action is played "again"; somebody starts the service first ("started"), or the guard makes a round
    first ("guarded"); or the procedure goes on without it ("given up").
    """

    procedure: str
    action: str
    where: str
    number: int
    how: str = "kill"
    after: str = "again"


def cases_of(seen: Seen) -> list[Case]:
    """All cases, given what each action reached in a clean run."""
    return [
        case
        for procedure, actions in seen.items()
        for action, reached in actions.items()
        for where, names in reached.items()
        for number in range(len(names))
        for case in _cases_at(procedure, action, where, number)
    ]


def cases_of_engine(seen: Seen) -> list[Case]:
    """The cases of an office with a database server: either of the two processes dies where both work together."""
    return [
        Case(procedure, action, "point", number, how, after)
        for procedure, actions in seen.items()
        for action, reached in actions.items()
        if procedure in ("backup", "restore") and action in ENGINE_ACTIONS
        for number in range(len(reached["point"]))
        for how in ("kill", "server")
        for after in (("again", "guarded") if action in CRITICAL else ("again",))
    ]


def _cases_at(procedure: str, action: str, where: str, number: int) -> list[Case]:
    if where in INTERFACES:
        return [Case(procedure, action, where, number, how) for how in ("once", "for good")]
    kills = ["again", *(("started", "guarded") if procedure == "restore" and action in CRITICAL else ())]
    errors = [("own", "again"), ("system", "given up" if action.split()[0] in MAY_FAIL else "again")]
    played = [*(("kill", after) for after in kills), *errors]
    return [Case(procedure, action, where, number, how, after) for how, after in played]


def sample(cases: list[Case], count: int, seed: int) -> list[Case]:
    """Some of the cases: first one of each step in which the data is at stake, then in turn from each action, beginning
    with the actions that have the most of them."""
    chance = random.Random(seed)
    waiting: dict[tuple[str, str], list[Case]] = {}
    for case in chance.sample(cases, len(cases)):
        waiting.setdefault((case.procedure, case.action), []).append(case)
    order = sorted(waiting, key=lambda action: -len(waiting[action]))
    chosen: list[Case] = []
    for step in AT_STAKE:
        of_step = [action for action in order if action[0] == step.partition(".")[0] and action[1].split()[0] == step]
        if of_step and len(chosen) < count:
            chosen.append(waiting[chance.choice(of_step)].pop())
    while len(chosen) < count and any(waiting.values()):
        for action in order:
            if waiting[action] and len(chosen) < count:
                chosen.append(waiting[action].pop())
    return chosen


class Sweep:
    """One office, and procedures of one kind ("backup" or "restore") that are played in it again and again."""

    def __init__(self, kind: str, directory: Path, engine: str = "") -> None:
        self.kind = kind
        # What keeps the rows, when it is not a file; started by this process alone, so that it ends with it.
        self._server = ENGINES[engine]() if engine else None
        self.root = directory / "office"
        self._copies = directory / "copies"
        self._seen: Seen = {}
        self._known: Known | None = None

    # --- the clean run -----------------------------------------------------------------------------------------

    def record(self) -> Seen:
        """Build the office, play each procedure once, and return what its actions reached."""
        if self._server:
            self._server.start()
        told = forked(self._build)
        backed_up, damaged = ((list(map(tuple, rows)), _bytes(files)) for rows, files, _ in told)
        self._known = Known(backed_up, damaged, *(_fingerprints(found) for _, _, found in told))
        for procedure in (name for name, kind in KINDS.items() if kind == self.kind):
            if procedure != self.kind:
                self._recall(self.kind, ACTIONS[procedure][0])
            self._seen[procedure] = {}
            for action in ACTIONS[procedure]:
                self._remember(procedure, action)
                reached = forked(lambda p=procedure, a=action: self._record(p, a))
                assert isinstance(reached, dict), f"a clean {action} of {procedure} fails: {reached}"
                self._seen[procedure][action] = reached
            if found := forked(lambda p=procedure: list(wrong(self._play(p), self.known))):
                raise AssertionError(f"a clean run of {procedure} leaves {found}")
        return self._seen

    @property
    def known(self) -> Known:
        """The data before and after."""
        assert self._known is not None
        return self._known

    def _build(self) -> Any:
        office = open_engine_office(self.root, self._server) if self._server else open_office(self.root)
        backed_up = content(office), whole(office)
        Play(office, self.kind).prepare()
        return [
            [
                rows,
                {name: value.hex() for name, value in files.items()},
                {component: fingerprint.to_json() for component, fingerprint in found.items()},
            ]
            for (rows, files), found in (backed_up, (content(office), whole(office)))
        ]

    def _record(self, procedure: str, action: str) -> dict[str, list[str]]:
        reached: list[str] = []
        watches = [Watch(interface) for interface in INTERFACES]
        with points.observe(reached.append), watched(*watches):
            self._play(procedure).act(action)
        return {"point": reached, **{watch.interface: watch.calls for watch in watches}}

    def _play(self, procedure: str) -> Play:
        return Play(self._attach(), procedure)

    def _attach(self) -> SmallOffice:
        return attach_engine_office(self.root, self._server) if self._server else attach(self.root)

    # --- one case ----------------------------------------------------------------------------------------------

    def run(self, case: Case) -> list[str]:
        """Play a case to the procedure's end and return what is wrong then."""
        before = self._start_of(case.procedure, case.action)
        self._recall(case.procedure, before)
        earlier = ACTIONS[case.procedure]
        for action in earlier[earlier.index(before) : earlier.index(case.action)]:
            forked(lambda action=action: self._play(case.procedure).act(action) and None)
        if case.how == "for good":
            return forked(lambda: self._outlast(case))
        if case.how == "server":
            if found := forked(lambda: self._lose_server(case)):
                return found
            assert self._server is not None
            self._server.start()
        elif case.how != "kill":
            return forked(lambda: self._survive_error(case))
        elif not self._die(case):
            return ["the point was not reached"]
        found = forked(lambda: list(torn(self._attach(), self.known)))
        if found:
            return found
        if case.after == "started":
            self._start_service()
        if case.after == "guarded" and (found := forked(self._guard)):
            return found
        return forked(lambda: self._finish(case))

    def _die(self, case: Case) -> bool:
        """Play the action in a process that kills itself at the point; return whether it did."""

        def play() -> None:
            with points.observe(at(case.number, lambda: os.kill(os.getpid(), signal.SIGKILL))):
                self._play(case.procedure).act(case.action)

        return forked(lambda: killed(play)) is True

    def _lose_server(self, case: Case) -> list[str]:
        """Play the action while the database server dies at the point; whether it fails then is its own affair."""
        assert self._server is not None
        killed: list[int] = []

        def kill() -> None:
            assert self._server is not None
            self._server.kill()
            killed.append(case.number)

        with points.observe(at(case.number, kill)), suppress(PulihError):
            self._play(case.procedure).act(case.action)
        return [] if killed else ["the point was not reached"]

    def _guard(self) -> list[str]:
        """Let the dead process's leases expire and the guard make its round; say what is wrong then."""
        office = self._attach()
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
        play = self._play(case.procedure)
        service = self.root / "service"
        stranger = serving(service) if case.after == "started" else 0
        # What the guard undid is undone, and step 5 says so; otherwise every step is done at the second try.
        may_fail = case.after == "guarded" or case.how == "server"
        given_up = self._again(play, case.action, may_fail=may_fail)
        found = []
        # Quiet is proven anew, whatever the catalog says, unless the dead process had recorded its evidence.
        survived = stranger and serving(service) == stranger
        if case.action in ("restore.4", "restore.5") and self._tries(play, case.action) > 1 and survived:
            found.append(f"the service that somebody started was not stopped by {case.action}")
        given_up += self._go_on(play, case.action, may_fail=may_fail)
        return found + list(wrong(play, self.known, given_up))

    def _tries(self, play: Play, step_id: str) -> int:
        with play.office.installation.catalog.read() as connection:
            row = steps.find(connection, play.procedure_id, step_id)
        return row.tries if row else 0

    def _survive_error(self, case: Case) -> list[str]:
        """One error, at a point or at a call; then the action again, or on without it."""
        play = self._play(case.procedure)
        watch = Watch(case.where, case.number) if case.where in INTERFACES else None
        error = OSError(5, "Input/output error") if case.how == "system" else HostError("the host went away")
        raised = [error]

        def fail() -> None:
            if raised:
                raise raised.pop()

        with watched(watch) if watch else points.observe(at(case.number, fail)):
            try:
                play.act(case.action)
            except (OSError, PulihError):
                failed = True
            else:
                failed = False
        if not watch.failed if watch else raised:
            return [f"the {case.where} was not reached"]
        given_up: tuple[str, ...] = ()
        step_id, _, component = case.action.partition(" ")
        if failed and case.after == "given up":
            given_up = (component or step_id,)
        elif failed:
            given_up = self._again(play, case.action, may_fail=True)
        given_up += self._go_on(play, case.action, may_fail=bool(given_up))
        return list(wrong(play, self.known, given_up))

    def _outlast(self, case: Case) -> list[str]:
        """An interface fails until the run has stopped; the guard comes by; it is mended; the run is retried."""
        play = self._play(case.procedure)
        with watched(Watch(case.where, case.number, for_good=True)) as (watch,):
            error, given_up = self._run(play, case.action)
            if not watch.failed:
                return ["the call was not reached"]
            if error is not None:
                # Whatever fails, fails the guard too; it comes again.
                with suppress(PulihError):
                    make_round(play.office.installation)
        if error is None:
            return list(wrong(play, self.known, given_up))
        if found := [*torn(play.office, self.known), *self._guard()]:
            return found
        error, given_up = self._run(play, case.action, again=True)
        return [f"the retried run stopped: {error}"] if error else list(wrong(play, self.known, given_up))

    def _run(self, play: Play, action: str, *, again: bool = False) -> tuple[PulihError | None, tuple[str, ...]]:
        """Play from an action on as the flow does; return the error that stopped the run, and what it passed over."""
        failed: tuple[str, ...] = ()
        for each in (action, *play.after(action)):
            step_id, _, component = each.partition(" ")
            if component and component in failed:
                continue
            try:
                play.act(each, again=again)
            except PulihError as error:
                if step_id not in MAY_FAIL:
                    return error, failed
                failed += (component or step_id,)
        return None, failed

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
                failed += (following,) if play.kind == "restore" else ()
        return failed

    # --- the office's directory --------------------------------------------------------------------------------

    def _start_of(self, procedure: str, action: str) -> str:
        order = ACTIONS[procedure]
        if LAST_COPIED in order and order.index(action) > order.index(LAST_COPIED):
            return LAST_COPIED
        return action

    def _copy_of(self, procedure: str, action: str) -> Path:
        return self._copies / procedure / action.replace("/", "_")

    def _remember(self, procedure: str, action: str) -> None:
        if self._start_of(procedure, action) == action:
            copy = self._copy_of(procedure, action)
            copy.mkdir(parents=True)
            self._copy(self.root, copy)
            if self._server:
                self._server.kill()
                self._copy_data(self._server.directory, copy)
                self._server.start()

    def _recall(self, procedure: str, action: str) -> None:
        if self.kind == "restore":
            self._stop_service()
        if self._server:
            self._server.kill()
            shutil.rmtree(self._server.directory / "data")
        for name in CHANGING:
            path = self.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self._copy(self._copy_of(procedure, action), self.root)
        if self._server:
            self._copy_data(self._copy_of(procedure, action), self._server.directory)
            self._server.start()
        if self.kind == "restore" and action not in DOWN_BEFORE:
            self._start_service()

    def _copy(self, source: Path, target: Path) -> None:
        there = [str(source / name) for name in CHANGING if (source / name).exists()]
        subprocess.run(["cp", "-a", "--", *there, str(target)], check=True)

    def _copy_data(self, source: Path, target: Path) -> None:
        subprocess.run(["cp", "-a", "--reflink=auto", "--", str(source / "data"), str(target)], check=True)

    def _start_service(self) -> None:
        settings = self._service()
        subprocess.run(settings.start, check=True)
        wait_for(lambda: answers(int(settings.port or 0)), "the service answers")

    def _stop_service(self) -> None:
        kill_service(self.root / "service")
        # One of its threads may have outlived it by a moment, and what listens then would be taken for the next one.
        port = int(self._service().port or 0)
        wait_for(lambda: not answers(port), "nobody listens any more")

    def _service(self) -> ServiceSettings:
        return attach(self.root).installation.application("simpel").services[0]

    def close(self) -> None:
        """End the office's service and server."""
        self._stop_service()
        if self._server:
            self._server.remove()


def _bytes(files: dict[str, str]) -> dict[str, bytes]:
    return {name: bytes.fromhex(value) for name, value in files.items()}


def _fingerprints(found: dict[str, Any]) -> Whole:
    return {component: Fingerprint.from_json(data) for component, data in found.items()}
