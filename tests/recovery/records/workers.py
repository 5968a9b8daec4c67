"""What the tests of records run in processes of their own. One server forks them: imports are paid for once."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

from recovery.records import ledger
from recovery.records.catalog import open_catalog
from recovery.records.forms import store_form
from recovery.records.journal import prepare
from recovery.records.numbers import next_number
from recovery.records.procedures import open_procedure
from recovery.records.steps import StepResult, perform

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__, "recovery.records.migrations"])


def run_together(work: Callable[..., None], url: str, count: int = 4) -> list[int | None]:
    """Run work(url, number, barrier) in so many processes at once, and return their exit codes."""
    barrier = PROCESSES.Barrier(count)
    processes = [PROCESSES.Process(target=work, args=(url, number, barrier)) for number in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    return [process.exitcode for process in processes]


def upgrade(url: str, number: int, barrier: Any) -> None:
    """Bring the catalog up to date."""
    catalog = open_catalog(url)
    barrier.wait(timeout=60)
    catalog.upgrade()
    catalog.check()


def append_fifty(url: str, number: int, barrier: Any) -> None:
    """Append fifty entries to the ledger, each in its transaction."""
    catalog = open_catalog(url)
    barrier.wait(timeout=60)
    for entry in range(50):
        with catalog.begin() as connection:
            ledger.append(connection, "test", {"worker": number, "number": entry})


def number_ten_forms(url: str, number: int, barrier: Any) -> None:
    """Store ten forms under the next number; four of the transactions are rolled back."""
    catalog = open_catalog(url)
    open_procedure(catalog, f"run-{number}", "backup", parameters={}, release="0.1.0")
    barrier.wait(timeout=60)
    for form in range(10):
        try:
            with catalog.begin() as connection:
                store_form(
                    connection,
                    number=next_number(
                        connection, "backup", "{sequence:03d}/{year}", datetime(2026, 11, 20, tzinfo=UTC)
                    ),
                    kind=f"form-{form}",
                    procedure_id=f"run-{number}",
                    version=1,
                    facts={},
                    pdf_sha256="",
                    path="",
                )
                if form % 3 == 0:
                    raise KeyError("rolled back")
        except KeyError:
            continue


def die_in_a_step(url: str, procedure_id: str, evidence: dict[str, Any], where: str) -> None:
    """Begin step 1 and be killed in its "body", or in the "transaction" that records it."""

    def die(*_: object) -> None:
        os._exit(9)

    def body() -> StepResult:
        if where == "body":
            die()
        return StepResult(evidence, [lambda connection: prepare(connection, procedure_id, 1, "app/db", {}), die])

    perform(open_catalog(url), "backup.1", procedure_id, body, component="app/db")
