"""The installation's own records go by the plan of retention, with a Berita Acara, and never all of them."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.procedures.questions import question_of
from recovery.procedures.retention import begin_retention, conclude_retention, destroy, draw_up_record
from recovery.records import destructions, forms, holds, ledger
from recovery.records.backups import list_backups
from recovery.retention_own_records import KEY, stored_records
from recovery.retention_plan import DrawnUpPlan, draw_up
from recovery.settings import OwnRecordsSettings, StoreSettings
from recovery.sync import sync
from tests.testbed.old_backups import old_backup, old_records
from tests.testbed.small_office import KABID, SmallOffice, describe, open_office

pytestmark = pytest.mark.slow

MAIN, OFFSITE = "utama", "terpisah"


@pytest.fixture
def office(tmp_path: Path) -> SmallOffice:
    return build(tmp_path / "office")


def build(root: Path) -> SmallOffice:
    """Two stores and six sets of records, a week apart; three always stay, and none goes in its first 15 days."""
    office = open_office(root, running=False)
    (root / "terpisah").mkdir()
    installation = office.installation
    installation.stores[OFFSITE] = StoreSettings(name=OFFSITE, path=str(root / "terpisah"))
    installation.office.records = OwnRecordsSettings(newest=3, days=15)
    describe(office)
    now = datetime.now(UTC)
    # A backup of today: while none succeeds, nothing goes.
    old_backup(office, now - timedelta(minutes=1))
    for weeks in range(6, 0, -1):
        old_records(office, now - timedelta(weeks=weeks - 1, minutes=1), 7 - weeks)
    return office


def names(office: SmallOffice) -> list[str]:
    return [each.id for each in stored_records(office.installation)]


def going(plan: DrawnUpPlan) -> list[str]:
    return [each["name"] for each in plan.document["destroy"]]


def run(office: SmallOffice, procedure_id: str) -> str:
    """The whole procedure, from its first line or again; what it says in the end."""
    installation = office.installation
    if nothing := begin_retention(installation, procedure_id):
        return nothing.sentence
    draw_up_record(installation, procedure_id)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    destroy(installation, procedure_id)
    return conclude_retention(installation, procedure_id).sentence


def test_the_oldest_go_with_a_berita_acara_and_the_newest_stay(office: SmallOffice) -> None:
    """One more component of the plan that the Kabid approves; what is gone comes back by no synchronisation."""
    before = names(office)
    assert before[:3] == going(draw_up(office.installation, datetime.now(UTC)))
    procedure_id = str(uuid.uuid4())
    assert begin_retention(office.installation, procedure_id) is None
    draw_up_record(office.installation, procedure_id)
    asked = json.dumps(question_of(office.installation, procedure_id, "retention.approve").document)
    assert "Rekaman Pulih sendiri (pulih/rekaman)" in asked
    assert "6 terverifikasi, dimusnahkan 3, tetap ada 3 (ketentuan: paling sedikit 3)" in asked
    assert before == names(office)
    assert run(office, procedure_id).startswith("3 cadangan dimusnahkan, 0 dilewati, 0 belum selesai.")
    # And the set that the procedure itself put at its end.
    assert (before[3:], 4) == (names(office)[:3], len(names(office)))
    sync(office.installation)
    assert before[3:] == names(office)[:3]
    for store in (MAIN, OFFSITE):
        left = {info.key.split("/")[2] for info in office.installation.store(store).list("pulih/")}
        assert set(names(office)) == left
    with office.installation.catalog.read() as connection:
        ended = ledger.entries(connection, procedure_id=procedure_id, kind="backup.destroyed")
        assert [(name, KEY) for name in before[:3]] == [(entry.facts["name"], entry.component) for entry in ended]
        assert [] == ledger.verify(connection) + destructions.verify(connection)
        assert [1] == [1 for each in list_backups(connection) if each.state == "secured"]
        assert "Rekaman Pulih sendiri" in json.dumps(forms.list_forms(connection, procedure_id)[-1].facts)
    assert run(office, str(uuid.uuid4())).startswith("Tidak ada cadangan yang perlu dimusnahkan")


def test_what_lies_in_one_store_only_does_not_count(office: SmallOffice) -> None:
    """While a store is down the other one goes on; when it is back, it still has sets that open."""
    before = names(office)
    now = datetime.now(UTC)
    newest = [old_records(office, now - timedelta(minutes=1), 10 + number, (MAIN,)) for number in range(4)]
    plan = draw_up(office.installation, now)
    assert before[:3] == going(plan)
    faulty = {each["name"]: each["fault"] for each in plan.document["faults"]}
    assert set(newest) == set(faulty)
    assert all(fault.startswith("the copy in terpisah is bad: ") for fault in faulty.values())


def test_the_young_the_held_and_the_unsigned_stay(office: SmallOffice) -> None:
    """A minimum age, legal holds, and what no signature of ours vouches for: that is no set."""
    before = names(office)
    now = datetime.now(UTC)
    office.installation.office.records = OwnRecordsSettings(newest=3, days=28)
    assert before[:2] == going(draw_up(office.installation, now))
    for store in ("store", "terpisah"):
        (office.root / store / "pulih" / "pulih" / before[0] / "manifest.json.sig").unlink()
    assert before[1:2] == going(draw_up(office.installation, now))
    # A set of which one copy is whole counts, and its other copy as damaged; one without any is left alone.
    damaged = (office.root / "store" / "pulih" / "pulih" / name / "manifest.json.sig" for name in before[1:3])
    for signature in damaged:
        signature.write_bytes(b"x" * 64)
    (office.root / "terpisah" / "pulih" / "pulih" / before[1] / "manifest.json.sig").write_bytes(b"x" * 64)
    assert before[2:] == names(office)
    with office.installation.catalog.begin() as connection:
        holds.add(connection, application="pulih", reason="Perkara 12/2026")
    assert [] == going(draw_up(office.installation, now))


def test_records_say_nothing_of_whether_backups_succeed(office: SmallOffice) -> None:
    """Every procedure leaves some, so the newest backup alone shows that the clock is to be believed."""
    plan = draw_up(office.installation, datetime.now(UTC) + timedelta(days=63))
    assert "and the newest set of all is of" in plan.document["suspicion"]
    assert [] == going(plan)


def test_what_changed_since_the_approval_is_skipped(office: SmallOffice) -> None:
    """A set that is gone from the stores, and one that is held since."""
    before = names(office)
    procedure_id = str(uuid.uuid4())
    begin_retention(office.installation, procedure_id)
    draw_up_record(office.installation, procedure_id)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    for store in ("store", "terpisah"):
        (office.root / store / "pulih" / "pulih" / before[0] / "manifest.json.sig").unlink()
    with office.installation.catalog.begin() as connection:
        holds.add(connection, application="pulih", component="rekaman", backup_id=before[1], reason="Perkara 12/2026")
    destroy(office.installation, procedure_id)
    with office.installation.catalog.read() as connection:
        became = destructions.of_procedure(connection, procedure_id)
    assert ("skipped", "tidak lagi ada dalam penyimpanan seperti saat disetujui") == (
        became[before[0]].state,
        became[before[0]].detail,
    )
    assert ("skipped", "ditahan (penahanan hukum)") == (became[before[1]].state, became[before[1]].detail)
    assert "destroyed" == became[before[2]].state
