"""The place where step 1 keeps a backup until it is secured, full or read-only."""

import uuid
from pathlib import Path

import pytest

from recovery.errors import StoreError, StoreFullError, StoreReadOnlyError
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.file_digest import sha256_of_file
from recovery.records import backups, steps
from tests.testbed.only_root import mounted
from tests.testbed.small_office import SmallOffice

pytestmark = pytest.mark.root

WITHOUT_SERVICE = True


@pytest.mark.parametrize(
    ("options", "kind", "state"),
    [
        ("size=4k", StoreFullError, "the unfinished file was removed"),
        ("ro", StoreReadOnlyError, "nothing was written"),
    ],
    ids=["full", "read-only"],
)
def test_staging_that_cannot_be_written_fails_step_1_and_a_retry_finishes_it(
    office: SmallOffice, options: str, kind: type[StoreError], state: str
) -> None:
    """Nothing half stands there, and nothing is recorded."""
    procedure_id, staging = str(uuid.uuid4()), Path(office.installation.state_directory, "staging")
    begin_backup(office.installation, procedure_id, schedule_name="bulanan", routine=True)
    with mounted(staging, options):
        for component in ("simpel/data", "simpel/berkas"):
            with pytest.raises(kind) as caught:
                office.step("backup.1", procedure_id, component)
            assert state == caught.value.state
            assert caught.value.hint
            assert [] == [path.name for path in staging.rglob("data.*")]
        with office.installation.catalog.read() as connection:
            assert {"simpel/data": "failed", "simpel/berkas": "failed"} == {
                row.component: row.state for row in steps.list_steps(connection, procedure_id)
            }
    for component in ("simpel/data", "simpel/berkas"):
        parts = office.step("backup.1", procedure_id, component)["parts"]
        with office.installation.catalog.read() as connection:
            backup = backups.of_procedure(connection, procedure_id, component)
        assert backup is not None
        for name, digests in parts.items():
            assert digests["cipher_sha256"] == sha256_of_file(Path(backup.staging, name))
