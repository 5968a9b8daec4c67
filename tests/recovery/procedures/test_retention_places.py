"""Where a set lies when it is destroyed: in stores that left the inventory, that the catalog does not name, or that let
this account remove nothing. None of it is a lock that ends."""

import json
import shutil
import subprocess
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery import points
from recovery.errors import StoreReadOnlyError
from recovery.procedures.questions import question_of
from recovery.procedures.retention import begin_retention, destroy
from recovery.records import forms
from recovery.records.backups import Backup
from recovery.retention_plan import draw_up
from recovery.settings import StoreSettings
from tests.recovery.procedures.test_retention import add_offsite_store, became, begin, run, shorten, states, taken
from tests.testbed.old_backups import old_backup, set_directory
from tests.testbed.only_root import mounted
from tests.testbed.small_office import KABID, SmallOffice

# Nothing here looks at the service.
WITHOUT_SERVICE = True

STAYS = "TIDAK dihapus dari terpisah, yang tidak lagi dalam inventaris"
OTHERWISE = "isi cadangan di penyimpanan bukan lagi seperti saat disetujui"


def leave(office: SmallOffice) -> None:
    """The off-site store leaves the inventory."""
    del office.installation.stores["terpisah"]
    shorten(office, offsite_store="")


def in_two_stores(office: SmallOffice) -> list[Backup]:
    add_offsite_store(office)
    shorten(office, offsite_store="terpisah")
    return taken(office)


def take_anew(office: SmallOffice) -> None:
    """Those that always stay: of the old ones nobody can say whether their copies in a store that left are whole."""
    for seconds in (1, 2):
        old_backup(office, datetime.now(UTC) + timedelta(seconds=seconds))


def test_a_store_that_left_the_inventory_keeps_no_set_in_the_others(office: SmallOffice) -> None:
    """That a copy stays there stands on what the Kabid approves, and on the final document."""
    made = in_two_stores(office)
    leave(office)
    take_anew(office)
    drawn_up = draw_up(office.installation, datetime.now(UTC))
    assert [(["utama"], ["terpisah"])] * 3 == [
        (each["stores"], each["left_in"]) for each in drawn_up.document["destroy"]
    ]
    procedure_id = begin(office)
    asked = json.dumps(question_of(office.installation, procedure_id, "retention.approve").document)
    assert 3 == asked.count(STAYS)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    destroy(office.installation, procedure_id)
    assert ["destroyed"] * 3 == states(office)[:3]
    with office.installation.catalog.read() as connection:
        assert [3, 3] == [json.dumps(form.facts).count(STAYS) for form in forms.list_forms(connection, procedure_id)]
    for each in made[:3]:
        left = Path(office.root, "terpisah", set_directory(office, each).relative_to(office.root / "store"))
        assert (False, True) == (set_directory(office, each).exists(), (left / "manifest.json.sig").exists())


def test_a_store_that_leaves_the_inventory_after_the_approval_keeps_its_sets(office: SmallOffice) -> None:
    """Also a set of which nothing lay there: that it stays there was not approved."""
    made = in_two_stores(office)
    shutil.rmtree(set_directory(office, made[0], "terpisah"))
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    leave(office)
    take_anew(office)
    destroy(office.installation, procedure_id)
    assert {("skipped", OTHERWISE)} == set(became(office, procedure_id).values())


def test_a_directory_in_which_nothing_can_be_removed_stops_the_plan(office: SmallOffice) -> None:
    """Waiting ends nothing there, so no run may say that it waits."""
    with mounted(office.root / "terpisah", "size=4m") as disk:
        office.installation.stores["terpisah"] = StoreSettings(name="terpisah", path=str(disk))
        shorten(office, offsite_store="terpisah")
        taken(office)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(
            StoreReadOnlyError, match=r"^this account cannot remove files from .* in the store terpisah"
        ):
            begin_retention(office.installation, str(uuid.uuid4()))
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert begin_retention(office.installation, str(uuid.uuid4())) is None


def test_a_copy_that_no_record_names_goes_with_its_set(office: SmallOffice) -> None:
    """A synchronisation was killed after it had put one, another in the midst of it. A store that has nothing of a set
    is named nowhere."""
    shorten(office)
    made = taken(office)
    add_offsite_store(office)
    for each in made[:2]:
        shutil.copytree(set_directory(office, each), set_directory(office, each, "terpisah"))
    (set_directory(office, made[1], "terpisah") / "manifest.json.sig").unlink()
    document = draw_up(office.installation, datetime.now(UTC)).document
    both, utama = ["utama", "terpisah"], ["utama"]
    assert [both, both, utama] == [list(each["objects"]) for each in document["destroy"]]
    assert [both, both, utama] == [each["stores"] for each in document["destroy"]]
    assert [[], [], []] == [each["left_in"] for each in document["destroy"]]
    run(office)
    assert ["destroyed"] * 3 == states(office)[:3]
    assert [] == list(office.installation.store("terpisah").list("bkd/"))


def test_what_is_put_into_another_store_during_a_removal_leaves_it_unfinished(office: SmallOffice) -> None:
    """Nothing lay there when it was approved, so nothing is removed there, and nobody says that nothing is left."""
    shorten(office)
    made = taken(office)
    add_offsite_store(office)
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    with points.observe(putting(set_directory(office, made[0], "terpisah") / "manifest.json")):
        destroy(office.installation, procedure_id)
    state, detail = became(office, procedure_id)[made[0].id]
    assert ("begun", True) == (state, detail.startswith("terpisah: "))
    assert "is still there, or was put there since" in detail


def putting(path: Path) -> Callable[[str], None]:
    def put(point: str) -> None:
        if point == "retention: object removed" and not path.exists():
            path.parent.mkdir(parents=True)
            path.write_bytes(b"{}")

    return put
