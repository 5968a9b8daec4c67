"""Processes that are killed: a run, the worker and the server, in the middle of the work and while a run waits."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recovery.records import journal
from tests.flows.people import INTERIM_KADIS
from tests.flows.waiting import wait_until
from tests.flows.working_office import is_gone
from tests.testbed.small_office import EXECUTOR, KADIS, REQUESTER

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow

# Takes long enough to be read that the program which reads it is met.
BIG = 512 << 20
# What the automation for a run that died waits for.
CRASHED = "prefect.flow-run.Crashed"


def stop_reader(file: Path) -> int:
    """Stop the process that reads a file, where it stands, and return it; 0 when there is none yet."""
    for opened in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            found = opened.readlink() == file
        except OSError:  # it has ended, or was closed
            continue
        if found:
            os.kill(pid := int(opened.parts[2]), signal.SIGSTOP)
            return pid
    return 0


def test_a_backup_killed_while_dumping_is_finished_by_retry_and_repeats_nothing(office: "WorkingOffice") -> None:
    """One component is dumped, the other half dumped when the server dies and comes again, and then the run. When it
    has come back, the worker is killed in the middle of a step: the run goes on without it, and does none twice."""
    big = office.small.uploads / "besar.bin"
    with big.open("wb") as file:
        for _ in range(BIG >> 20):
            file.write(b"\1" * (1 << 20))
    try:
        run = office.back_up()
        wait_until(lambda: ("backup.1", "simpel/berkas") in office.steps(run), "step 1 begins")
        reader = wait_until(lambda: stop_reader(big), "one component is read", every=0.02)

        def half_way() -> bool:
            dumped = office.steps(run).get(("backup.1", "simpel/data"))
            return bool(dumped and dumped.state == "done")

        wait_until(half_way, "the other component is dumped")
        assert "open" == office.steps(run)["backup.1", "simpel/berkas"].state
        office.restart_server()
        office.kill_run(run)
        # To whom nobody listens any more: it ends as soon as it goes on.
        os.kill(reader, signal.SIGCONT)
        wait_until(lambda: is_gone(reader), "the program that read has gone")
    finally:
        big.unlink()
    assert "open" == office.steps(run)["backup.1", "simpel/berkas"].state
    office.wait_for_crash(run)
    crashed = {"event": {"name": [CRASHED]}, "resource": {"id": [f"prefect.flow-run.{run}"]}}
    wait_until(lambda: office.get("POST", "/events/filter", {"filter": crashed})["events"], "who waits for it is told")
    office.retry(run)
    step, _component = office.kill_worker_during_a_step(run)
    assert step < "backup.6"
    office.wait_for_question(run, "backup.6")
    tries = {key: row.tries for key, row in office.steps(run).items() if key[0] in ("backup.1", "backup.3")}
    assert {
        ("backup.1", "simpel/data"): 1,
        ("backup.1", "simpel/berkas"): 2,
        ("backup.3", "simpel/data"): 1,
        ("backup.3", "simpel/berkas"): 1,
    } == tries

    office.start_worker()
    state = office.review(run)
    assert "COMPLETED" == state["type"]
    done = [(entry.step_id, entry.component) for entry in office.ledger(run, "step.done")]
    assert len(done) == len(set(done)) == 10
    assert not (office.installation.state_directory / "staging" / run).exists()
    assert [] == office.ledger_findings()


def test_a_restore_killed_in_the_middle_of_the_swap_is_finished_by_retry(
    office: "WorkingOffice", reviewed_backup: str
) -> None:
    """The service is down and the data half exchanged; nobody is asked again what he has answered. When the run has
    come back, the worker is killed in the middle of a step, and with the server while the requester is waited for."""
    rows, files = office.small.rows(), office.small.files()
    office.small.damage()
    run = office.request_restore()
    office.approve_restore(run)
    office.decide(run, "restore.start", EXECUTOR, "mulai")

    def stopped() -> bool:
        step = office.steps(run).get(("restore.4", ""))
        return bool(step and step.state == "done")

    # What looks as often as the swap needs takes a whole core: not while the run's process starts.
    wait_until(stopped, "the service is stopped", every=0.05)

    def swapping() -> bool:
        with office.installation.catalog.read() as connection:
            return bool(journal.entries(connection, run))

    wait_until(swapping, "the journal has an entry", every=0.002)
    # Whoever is the only writer keeps the run from recording that it came further before it is met.
    with office.installation.catalog.begin():
        office.kill_run(run)
    assert "open" == office.steps(run)["restore.5", ""].state, "killed before step 5 was done"
    assert not office.small.service_running()
    office.wait_for_crash(run)

    office.retry(run)
    step, _component = office.kill_worker_during_a_step(run)
    assert "restore.5" <= step < "restore.8"
    office.wait_for_question(run, "restore.8")
    assert (rows, files) == (office.small.rows(), office.small.files())
    assert office.small.service_running()
    tries = {step_id: row.tries for (step_id, _component), row in office.steps(run).items()}
    assert 2 == tries.pop("restore.5")
    assert {0, 1} >= set(tries.values())

    office.start_worker()
    office.kill_worker()
    office.restart_server()
    office.start_worker()
    assert "Suspended" == office.browser.state(run)["name"]
    office.decide(run, "restore.8", REQUESTER, "sesuai", kode=office.receipt_code())
    state = office.wait_for_end(run)
    assert ("COMPLETED", "Completed") == (state["type"], state["name"])
    done = [entry.step_id for entry in office.ledger(run, "step.done")]
    assert [f"restore.{number}" for number in range(1, 9)] == done
    assert 4 == len(office.ledger(run, "approval.decided"))
    assert [] == office.ledger_findings()


@pytest.mark.parametrize(
    ("nip", "force"),
    [
        pytest.param(KADIS, True, id="as the new UI retries"),
        pytest.param(INTERIM_KADIS, False, id="as the old UI retries", marks=pytest.mark.endurance),
    ],
)
def test_an_answer_given_just_before_the_run_was_killed_still_counts(
    office: "WorkingOffice", nip: str, force: bool
) -> None:
    """The official has pressed Resume and gone home; his code was right when he sent it."""
    run = office.request_restore()
    office.wait_for_question(run, "restore.2")
    wait_until(lambda: not office.processes_of(run), "the asking process has gone")
    # Whoever is the only writer keeps the run from recording the answer before it is met.
    with office.installation.catalog.begin():
        office.decide(run, "restore.2", nip, "dikembalikan", catatan="Lengkapi lampiran.")
        wait_until(lambda: "Running" == office.browser.state(run)["name"], "the run wakes", every=0.02)
        office.kill_run(run)
    assert [] == office.ledger(run, "approval.decided")
    office.wait_for_crash(run)
    office.set_state(run, "SCHEDULED", "AwaitingRetry", force=force)
    state = office.wait_for_end(run)
    assert ("COMPLETED", "Dikembalikan") == (state["type"], state["name"])
    assert [] == office.ledger(run, "approval.refused")
