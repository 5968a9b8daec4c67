"""Guards that are killed in the midst of a round: the next one ends what they began, and the form knows of it."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from recovery import points
from recovery.errors import SwapError
from recovery.guard import make_round
from recovery.records import ledger
from tests.recovery.guard.conftest import STOPPED, Scene
from tests.recovery.killed_work import PATIENCE, PROCESSES, expire_leases
from tests.testbed.kept_office import put_back
from tests.testbed.small_office import attach

# Each stops and starts a real service.
pytestmark = pytest.mark.slow


def one_of_two_swapped(scene: Scene) -> str:
    """The old data comes back, and the run says so."""
    scene.prepare()
    scene.swap("simpel/data")
    return "dikembalikan"


def swapped(scene: Scene) -> str:
    """The new data stays."""
    scene.office.step("restore.5", scene.procedure_id)
    return "berhasil"


def told_points(root: Path) -> Path:
    return root.with_name(f"{root.name}-points.json")


def watched_round(root: Path) -> None:
    """Make a round, and leave the names of its points beside the office."""
    names: list[str] = []
    with points.observe(names.append):
        make_round(attach(root).installation)
    told_points(root).write_text(json.dumps(names))


def deadly_round(root: Path, name: str, turn: int) -> None:
    """Make a round that is killed when it comes to the point of that name for the so-manyth time."""
    names: list[str] = []

    def observer(reached: str) -> None:
        names.append(reached)
        if reached == name and names.count(name) > turn:
            os.kill(os.getpid(), signal.SIGKILL)

    with points.observe(observer):
        make_round(attach(root).installation)


def in_a_process(target: Callable[..., None], *arguments: object) -> int | None:
    """Do something in a process of its own, forked from one without threads, and return its exit code."""
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    process.join(PATIENCE)
    return process.exitcode


def kill_a_guard(scene: Scene, name: str, turn: int = 0) -> None:
    """The restore is dead, a guard takes it up, is killed, and two minutes pass."""
    expire_leases(scene.office.root)
    assert -signal.SIGKILL == in_a_process(deadly_round, scene.office.root, name, turn)
    expire_leases(scene.office.root)


def is_ended_well(scene: Scene, outcome: str) -> None:
    """After the next round: whole data under a service that is well, and the run ends with a true form."""
    report = scene.guard()
    assert scene.office.service_running(), report
    assert [] == scene.guard().actions, "a further round has no work"
    assert 1 == scene.kinds().count("guard.service_started")
    if outcome == "dikembalikan":
        with pytest.raises(SwapError, match="this restore was undone before"):
            scene.office.step("restore.5", scene.procedure_id)
    started = scene.office.step("restore.6", scene.procedure_id)
    with scene.installation.catalog.read() as connection:
        (entry,) = ledger.entries(connection, procedure_id=scene.procedure_id, kind="guard.service_started")
    assert (outcome, entry.at) == (started["status"], started["started_at"])
    down = datetime.fromisoformat(entry.at) - datetime.fromisoformat((scene.evidence("restore.4") or {})["stopped_at"])
    assert round(down.total_seconds() * 1000) == started["downtime_milliseconds"]
    scene.office.finish(scene.procedure_id)
    live = "lama" if outcome == "dikembalikan" else "baru"
    assert f"penjaga menjalankan layanan dengan data {live}" in scene.form()
    assert scene.content() == (scene.old if live == "lama" else scene.new)
    assert len(scene.copies()) == (0 if live == "lama" else 2), "none, or the safety copies"
    assert scene.ledger_is_intact()


def test_a_guard_that_is_killed_before_it_says_that_the_service_runs_is_spoken_for(stopped: Scene) -> None:
    """Everything is well then, and nothing but its own word is missing: the next guard says it."""
    outcome = one_of_two_swapped(stopped)
    kill_a_guard(stopped, "service: after opening web")
    assert stopped.office.service_running()
    assert stopped.old == stopped.content()
    assert ["guard.took_over"] == stopped.kinds()
    # Nothing is said of a service that is not well: that it runs would be untrue.
    (stopped.office.service_state / "unhealthy").touch()
    assert [] == stopped.guard().actions
    (stopped.office.service_state / "unhealthy").unlink()
    pid = (stopped.office.service_state / "pid").read_text()
    assert ["guard.service_started"] == [action.kind for action in stopped.guard().actions]
    assert pid == (stopped.office.service_state / "pid").read_text(), "the service was not disturbed"
    is_ended_well(stopped, outcome)


@pytest.mark.endurance
@pytest.mark.parametrize("die", [one_of_two_swapped, swapped])
def test_a_guard_may_be_killed_at_every_point_of_its_round(stopped: Scene, die: Callable[[Scene], str]) -> None:
    """The restore is dead, and so is the first guard; the second one and the run bring it to its end."""
    root = stopped.office.root
    die(stopped)
    expire_leases(root)
    assert 0 == in_a_process(watched_round, root)
    names: list[str] = json.loads(told_points(root).read_text())
    assert "service: after opening web" in names
    for position, name in enumerate(names):
        print(f"{position} of {len(names)}: {name}", flush=True)
        # It dies anew each time: what is put back has other inodes, which a swap does not take for what it moved.
        scene = replace(stopped, office=put_back(root, STOPPED, running=False), held=[])
        outcome = die(scene)
        kill_a_guard(scene, name, names[:position].count(name))
        is_ended_well(scene, outcome)
        scene.installation.catalog.dispose()
