"""What is kept on record of services that the guard, or a step 6 that was retried, could not open to people."""

from recovery.procedures.restore.interventions import NOT_OPENED, record_not_opened, unopened
from recovery.records import ledger
from tests.testbed.small_office import SmallOffice

# Nothing here looks at the service.
WITHOUT_SERVICE = True


def test_the_same_reason_is_recorded_once(office: SmallOffice) -> None:
    """A guard that tries every minute does not fill the ledger; another reason is news."""
    for reason in ("halaman 500", "halaman 500", "halaman 502", "halaman 500"):
        record_not_opened(office.installation, "run", reason, new_data=True)
    with office.installation.catalog.read() as connection:
        assert ["halaman 500", "halaman 502"] == [each.reason for each in unopened(connection, "run")]
        assert 2 == len(ledger.entries(connection, kind=NOT_OPENED))
