"""An application of former times: the inventory has it no more, its sets lie in both stores still, and as each new one
comes, the oldest may go."""

import uuid
from datetime import UTC, datetime, timedelta

from recovery.own_records import back_up_records
from recovery.procedures.retention import begin_retention, conclude_retention, destroy, draw_up_record
from recovery.records import backups, destructions, ledger, ledger_heads
from recovery.records.backups import Backup
from recovery.sets import open_set, read_back, set_prefix
from recovery.settings import OwnRecordsSettings, RetentionSettings, ScheduleSettings
from tests.testbed.old_backups import old_backup, old_records
from tests.testbed.small_office import KABID, SmallOffice, describe
from tests.testbed.two_stores import MAIN, OFFSITE

FORMER = "arsip"
STORES = (MAIN, OFFSITE)
# Of sets that are a week apart, more than ten days old means: all but the newest two.
STAYING, BEFORE = 2, 4
OLD_RECORDS = 3
FIRST = timedelta(weeks=520)


def add_former_application(office: SmallOffice) -> None:
    """Put its sets of ten years ago into both stores, and sets of own records of which the old ones may go at once."""
    installation = office.installation
    installation.office.records = OwnRecordsSettings(newest=3, days=15)
    describe(office)
    for number in range(OLD_RECORDS):
        old_records(office, datetime.now(UTC) - timedelta(weeks=8 - number), number + 1)
    for _ in range(BEFORE):
        take_another(office)
    # As many as always stay: so none of the old ones is among them, whatever comes first.
    for _ in range(3):
        back_up_records(installation, str(uuid.uuid4()))
    for name in STORES:
        ledger_heads.anchor(installation.catalog, installation.store(name), installation.signer)


def take_another(office: SmallOffice) -> Backup:
    """Take its set of the next week."""
    installation = office.installation
    with installation.catalog.read() as connection:
        weeks = len(backups.list_backups(connection, FORMER))
        begins = ledger.first_entry_at(connection)
    assert begins is not None
    one = next(iter(installation.schedules.values()))
    changes = {
        "name": FORMER,
        "applications": [FORMER],
        "retention_days": 10,
        "retention": RetentionSettings(verified=STAYING, daily=0, weekly=0, monthly=0, yearly=0),
    }
    schedule = ScheduleSettings(**{**one.model_dump(), **changes})
    moment = datetime.fromisoformat(begins) - FIRST + timedelta(weeks=weeks)
    return old_backup(office, moment, application=FORMER, schedule=schedule)


def destroy_expired(office: SmallOffice) -> None:
    """Take another set, and let go what is more than is to stay, as the Kabid approves; it is gone afterwards."""
    installation, procedure_id = office.installation, str(uuid.uuid4())
    take_another(office)
    there = _secured(office)
    if why_not := begin_retention(installation, procedure_id):
        raise AssertionError(f"retention did not begin: {why_not.sentence}")
    draw_up_record(installation, procedure_id)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    destroy(installation, procedure_id)
    told = conclude_retention(installation, procedure_id).sentence
    if not told.split(". ")[0].endswith(" dimusnahkan, 0 dilewati, 0 belum selesai"):
        raise AssertionError(f"not all was destroyed: {told}")
    if there[-STAYING:] != _secured(office):
        raise AssertionError(f"of {[each.name for each in there]} remained {[each.name for each in _secured(office)]}")


def require_destroyed_for_good(office: SmallOffice) -> None:
    """What was to go is gone from both stores and once in the ledger; what was to stay is there, and every byte of it
    is as it was signed."""
    installation = office.installation
    with installation.catalog.read() as connection:
        every = backups.list_backups(connection, FORMER)
        ended = [entry.facts["name"] for entry in ledger.entries(connection, kind="backup.destroyed", last=100_000)]
        begun = [
            entry.facts["name"] for entry in ledger.entries(connection, kind="backup.destruction_begun", last=100_000)
        ]
        assert [] == ledger.entries(connection, kind="backup.destruction_skipped")
        assert [] == destructions.unfinished(connection)
        assert [] == destructions.verify(connection)
    staying = _secured(office)
    assert every[-STAYING:] == staying
    gone = {str(each.name) for each in every[:-STAYING]}
    assert len(gone) + OLD_RECORDS == len(ended) == len(set(ended))
    assert sorted(begun) == sorted(ended)
    assert gone < set(ended)
    for name in STORES:
        keys = [info.key for info in installation.store(name).list()]
        assert set() == {key.split("/")[2] for key in keys if key.startswith(("bkd/", "pulih/"))} & set(ended)
    for backup in staying:
        for name in STORES:
            store, prefix = installation.store(name), set_prefix(backup.unit, FORMER, str(backup.name))
            trusted_pem = installation.signer.trusted_pem
            opened = open_set(
                store,
                prefix,
                trusted_pem,
                application=FORMER,
                component=backup.component,
                manifest_sha256=backup.manifest_sha256,
            )
            read_back(store, prefix, opened.manifest, trusted_pem)


def _secured(office: SmallOffice) -> list[Backup]:
    with office.installation.catalog.read() as connection:
        return [each for each in backups.list_backups(connection, FORMER) if each.state == "secured"]
