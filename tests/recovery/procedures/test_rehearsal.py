"""The rehearsal finds out before the service is stopped, and data that is destroyed altogether comes back, too."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from recovery.crypto import generate_identity
from recovery.errors import KeyMissingError, PulihError, StoreFullError, VerificationError, VerificationFailedError
from recovery.procedures.restore import rehearsal
from recovery.records import steps
from tests.recovery.procedures.faults import Watch, watched
from tests.testbed.small_office import DISPOSITION, KABID, KADIS, VERIFICATION, SmallOffice

pytestmark = pytest.mark.slow

COUNTED = "expect_table_row_count_to_be_between\n  kwargs: {min_value: 1000}"
UNJUDGED = "expect_column_values_to_not_be_null\n  kwargs: {column: tidak_ada}"
RULE = """\
name: pegawai
meta: {asset: pegawai}
expectations:
- type: expect_table_row_count_to_be_between
  kwargs: {min_value: 1000}
"""


def approved(office: SmallOffice) -> str:
    """A restore that the Kabid approved, before its rehearsal."""
    procedure_id = office.request()
    office.decide("restore.2", procedure_id, KADIS, "diteruskan", **DISPOSITION)
    office.step("restore.2", procedure_id)
    office.decide("restore.3", procedure_id, KABID, "disetujui", **VERIFICATION)
    return procedure_id


def rehearsed(office: SmallOffice, procedure_id: str) -> dict[str, Any]:
    with office.installation.catalog.read() as connection:
        evidence = steps.evidence_of(connection, procedure_id, "restore.3")
    assert evidence is not None
    found: dict[str, Any] = evidence["rehearsal"]
    return found


def test_a_disk_without_room_for_the_copy_is_found_before_anything_is_loaded(
    office: SmallOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is beside the live data, not even what a killed try left, and the service runs."""
    office.back_up()
    procedure_id = approved(office)
    source = office.installation.source("simpel/data")
    Path(source.beside(rehearsal.copy_label(procedure_id))).write_bytes(b"half a copy")
    assert 1 == len(source.copies())
    monkeypatch.setattr(rehearsal, "SPACE_MARGIN", 1e12)
    with (
        watched(Watch("source")) as (watch,),
        pytest.raises(StoreFullError, match=r"the copy of simpel/\w+ needs \d+ bytes beside the live data and"),
    ):
        office.step("restore.3", procedure_id)
    assert watch.calls.index("discard") < watch.calls.index("free_space"), "its own leftover takes no space from it"
    assert [] == office.installation.source("simpel/data").copies()
    assert office.service_running()


def test_without_the_identity_that_opens_the_backup_the_step_waits_for_it(office: SmallOffice) -> None:
    """It was approved already. Neither a missing key nor another in its place changes anything."""
    office.back_up()
    procedure_id = approved(office)
    held = office.root / "keys" / "operations"
    kept = held.read_text()
    for left, sentence in ((None, "operations"), (generate_identity()[0], "holds no identity of")):
        held.unlink()
        if left is not None:
            held.write_text(left)
        with pytest.raises(KeyMissingError, match=sentence) as caught:
            office.step("restore.3", procedure_id)
        assert caught.value.state
        assert caught.value.hint
        for component in ("simpel/data", "simpel/berkas"):
            assert [] == office.installation.source(component).copies()
        assert office.service_running()
        held.write_text(kept)
    office.step("restore.3", procedure_id)
    assert {"simpel/data", "simpel/berkas"} == rehearsed(office, procedure_id).keys()


def test_a_backup_that_breaks_a_rule_made_since_is_refused(office: SmallOffice) -> None:
    """The owner's suite is the one of today: what it forbids does not go live."""
    office.back_up()
    (office.root / "aturan.yaml").write_text(RULE)
    application = office.installation.applications["simpel"]
    application.components[0] = application.components[0].model_copy(update={"suite": str(office.root / "aturan.yaml")})
    procedure_id = approved(office)
    with pytest.raises(
        VerificationFailedError, match=r"of simpel/data .* the verdict fail \(pegawai: expect_table_row"
    ):
        office.step("restore.3", procedure_id)
    assert [] == office.installation.source("simpel/data").copies()
    assert office.service_running()


def test_a_rule_that_cannot_be_judged_stops_the_restore_too(office: SmallOffice) -> None:
    """Neither good nor bad: the rule names a column that is not there."""
    office.back_up()
    (office.root / "aturan.yaml").write_text(RULE.replace(COUNTED, UNJUDGED))
    application = office.installation.applications["simpel"]
    application.components[0] = application.components[0].model_copy(update={"suite": str(office.root / "aturan.yaml")})
    procedure_id = approved(office)
    with pytest.raises(VerificationError, match=r"of simpel/data .* the verdict error \(pegawai: expect_column"):
        office.step("restore.3", procedure_id)
    assert [] == office.installation.source("simpel/data").copies()


def test_data_that_can_no_longer_be_read_comes_back(office: SmallOffice) -> None:
    """The executor is told that it cannot be read, which is what the restore is for."""
    rows, files = office.rows(), office.files()
    office.back_up()
    office.database.write_bytes(b"this is no database, whatever it says" * 100)
    shutil.rmtree(office.uploads)
    procedure_id = office.restore()
    live = {component: found["live"] for component, found in rehearsed(office, procedure_id).items()}
    assert all("unreadable" in found for found in live.values()), live
    assert (rows, files) == (office.rows(), office.files())
    assert office.service_running()


def test_a_component_that_left_the_inventory_meanwhile_keeps_the_others_from_nothing(
    office: SmallOffice, caplog: pytest.LogCaptureFixture
) -> None:
    """The plan was approved with it. The copies of the others are removed, and that one may be left is said."""
    office.back_up()
    procedure_id = approved(office)
    source, components = (
        office.installation.source("simpel/data"),
        office.installation.applications["simpel"].components,
    )
    plan: dict[str, dict[str, Any]] = {"simpel/berkas": {}, "simpel/data": {}}
    Path(source.beside(rehearsal.copy_label(procedure_id))).write_bytes(b"half a copy")
    components.remove(next(each for each in components if each.name == "berkas"))
    with pytest.raises(PulihError):
        rehearsal.rehearse(office.installation, procedure_id, plan)
    assert [] == source.copies()
    assert "simpel/berkas is not in the inventory: a rehearsed copy beside its data stays" in caplog.text
