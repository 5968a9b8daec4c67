"""Runs that were replaced are cancelled; that they could not be fails nothing."""

import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from recovery.installation import Installation
from recovery.records import procedures
from recovery.settings import KeySettings, OfficeSettings
from tasks.replaced_runs import cancel_replaced


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An office with a catalog alone."""
    built = Installation(
        office=OfficeSettings(state_directory=str(tmp_path)),
        keys=KeySettings(
            operations_recipient="age1x",
            escrow_recipient="age1y",
            operations_identity="file:/none",
            signing_key="file:/none",
            enrolment_key="file:/none",
        ),
        hosts={},
        stores={},
        applications={},
        schedules={},
    )
    built.catalog.upgrade()
    yield built
    built.catalog.dispose()


def test_a_server_that_does_not_answer_is_a_warning_and_what_is_not_replaced_asks_none(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    """The approval that was opened just now goes on; the next one cancels what is left."""

    def opened(schedule: str) -> None:
        procedures.open_procedure(
            installation.catalog, str(uuid4()), "schedule", schedule=schedule, parameters={}, release="0.1.0"
        )

    def warnings() -> list[str]:
        with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
            cancel_replaced(installation, "schedule", "harian")
        return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]

    opened("bulanan")
    opened("bulanan")
    opened("harian")
    assert [] == warnings()
    opened("harian")
    (warning,) = warnings()
    assert warning.startswith("Prefect does not show: pembatalan proses yang diganti (ConnectError: ")
