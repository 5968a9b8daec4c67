"""That no drill could follow a backup is told to the office at once, once, and stands in the ledger."""

from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.drill_unstarted import NOT_STARTED, SUBJECT, tell_not_started
from recovery.records import ledger, notices
from tests.testbed.small_office import SmallOffice

WITHOUT_SERVICE = True


def test_it_is_told_once_and_recorded(office: SmallOffice) -> None:
    """Also where the run of the backup comes to it again after the answer to its review; what failed is on record."""
    begin_backup(office.installation, "one", schedule_name="bulanan", routine=True)
    office.installation.office.notice_targets.append("env:NO_SUCH")
    for _ in range(2):
        tell_not_started(office.installation, "bulanan", "one", "ConnectError: the server is down")
    text = (office.root / "notices.txt").read_text()
    assert 1 == text.count(SUBJECT)
    assert "Jadwal: bulanan\nRincian teknis: ConnectError: the server is down\nTindakan: " in text
    with office.installation.catalog.read() as connection:
        (entry,) = ledger.entries(connection, procedure_id="one", kind=NOT_STARTED)
        told = notices.list_notices(connection, "one")
    assert {"schedule": "bulanan", "why": "ConnectError: the server is down"} == entry.facts
    assert [(SUBJECT, True), (SUBJECT, False)] == [(notice.subject, notice.delivered) for notice in told]
