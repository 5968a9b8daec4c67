"""Destroying sets in a real bucket with Object Lock, with the policy that docs/stores.md prints: the account that backs
up cannot, the one for removal can, locked sets wait, and no version stays behind."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.errors import StoreError
from recovery.procedures.retention import begin_retention, conclude_retention, destroy, draw_up_record
from recovery.records import backups, forms, ledger
from recovery.sets import set_prefix
from recovery.sync import COPIED, sync
from tests.recovery.procedures.test_retention import shorten, taken
from tests.testbed.s3 import BACKUP, REMOVAL, S3Server, secret
from tests.testbed.s3_ceph import documented_policy
from tests.testbed.small_office import KABID, open_office

pytestmark = pytest.mark.slow


def test_only_the_account_for_removal_destroys_and_locked_sets_wait(ceph: S3Server, tmp_path: Path) -> None:
    """A thief has laid a delete marker over one object and another version over a second: all of it goes. What stays
    beyond its date is copied into another locking store."""
    office = open_office(tmp_path / "office", running=False)
    bucket = ceph.make_bucket(lock=True)
    ceph.client().put_bucket_policy(Bucket=bucket, Policy=documented_policy(bucket))
    removal = {"removal_access_key": secret(tmp_path, REMOVAL[0]), "removal_secret_key": secret(tmp_path, REMOVAL[1])}
    settings = ceph.settings(tmp_path, bucket, BACKUP, name="utama", lock="compliance", **removal)
    office.installation.stores["utama"] = settings
    shorten(office)
    made = taken(office)
    prefixes = [set_prefix(each.unit, each.application, str(each.name)) for each in made]
    store = office.installation.store("utama")
    until = datetime.now(UTC) + timedelta(days=2)
    assert "compliance" == store.protect(f"{prefixes[0]}/manifest.json", until.isoformat())
    ceph.client().delete_object(Bucket=bucket, Key=f"cadangan/{prefixes[1]}/quality.json")
    ceph.client().put_object(Bucket=bucket, Key=f"cadangan/{prefixes[1]}/manifest.json", Body=b"ransom")
    with pytest.raises(StoreError):
        store.remove(f"{prefixes[2]}/manifest.json.sig")

    procedure_id = str(uuid.uuid4())
    assert begin_retention(office.installation, procedure_id) is None
    draw_up_record(office.installation, procedure_id)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    destroy(office.installation, procedure_id)
    assert conclude_retention(office.installation, procedure_id).sentence.startswith("2 cadangan dimusnahkan, 0 ")

    def versions(prefix: str) -> int:
        found = ceph.client().list_object_versions(Bucket=bucket, Prefix=f"cadangan/{prefix}/")
        return len(found.get("Versions", [])) + len(found.get("DeleteMarkers", []))

    assert [4, 0, 0, 4, 4] == [versions(prefix) for prefix in prefixes]
    with office.installation.catalog.read() as connection:
        states = [each.state for each in backups.list_backups(connection)]
        final = forms.latest(connection, "destruction", procedure_id)
    assert ["secured", "destroyed", "destroyed", "secured", "secured"] == states
    assert final is not None
    (waiting,) = final.facts["sections"][3]["blocks"]
    assert any("Menunggu: utama: " in row["value"] for row in waiting["rows"])

    # An off-site bucket that is new gets the sets that are kept beyond their date, too, and can lock none of them.
    offsite = ceph.settings(tmp_path, ceph.make_bucket(lock=True), name="terpisah", lock="compliance")
    office.installation.stores["terpisah"] = offsite
    shorten(office, offsite_store="terpisah")
    found = sync(office.installation)
    assert () == found.troubles
    assert 3 == sum(missing.kind == "set" for missing in found.put)
    with office.installation.catalog.read() as connection:
        copied = ledger.entries(connection, kind=COPIED)
    assert [("terpisah", "none")] * 3 == [(each.facts["store"], each.facts["protection"]) for each in copied]
    office.installation.catalog.dispose()
