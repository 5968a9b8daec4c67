"""Whether a schedule is an approved document, and what a backup's papers say of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from recovery.procedures.conclude import conclude_backup
from recovery.procedures.questions import question_of
from recovery.procedures.schedule_approval import ScheduleApproval, approval_of, content_of
from recovery.records import backups, forms, officials, procedures, schema
from recovery.settings import OfficialSettings, RetentionSettings
from tests.testbed.small_office import KADIS, SmallOffice

# Nothing here looks at the service.
WITHOUT_SERVICE = True


def change(office: SmallOffice, **fields: Any) -> None:
    """Let the inventory say something else of the schedule."""
    schedules = office.installation.schedules
    schedules["bulanan"] = schedules["bulanan"].model_copy(update=fields)


def standing(office: SmallOffice) -> ScheduleApproval:
    return approval_of(office.installation, "bulanan")


def test_a_schedule_is_approved_until_the_inventory_says_something_else(office: SmallOffice) -> None:
    """And only the newest approved version counts."""
    assert ("never", "", "Jadwal belum disahkan") == (
        standing(office).state,
        standing(office).cited,
        standing(office).words,
    )
    office.approve_schedule()
    approved = standing(office)
    assert ("approved", True, "") == (approved.state, approved.approved, approved.words)
    assert (2, KADIS, True) == (approved.version, approved.official, approved.approved_at != "")
    assert f"{approved.number} versi 2" == approved.cited

    first = office.installation.schedules["bulanan"]
    change(office, retention_days=30)
    changed = standing(office)
    assert ("changed", approved.cited, "Jadwal berubah sejak disahkan") == (
        changed.state,
        changed.cited,
        changed.words,
    )
    office.installation.schedules["bulanan"] = first
    assert approved == standing(office)

    change(office, retention_days=30)
    office.approve_schedule()
    assert ("approved", approved.number, 4) == (
        standing(office).state,
        standing(office).number,
        standing(office).version,
    )
    office.installation.schedules["bulanan"] = first
    assert "changed" == standing(office).state, "a version that was replaced does not come back into force"


def test_every_term_of_the_schedule_is_bound(office: SmallOffice) -> None:
    """Each on its own makes it another schedule."""
    terms: dict[str, Any] = {
        "cron": "0 23 20 * *",
        "frequency": "Harian",
        "period": "2027",
        "retention_days": 364,
        "retention": RetentionSettings(verified=4),
        "recovery_point_objective": "1 hari",
        "recovery_time_objective": "1 jam",
        "offsite_store": "utama",
        "valid_from": "2026-02-01",
        "executor": KADIS,
        "reviewer": KADIS,
        "approved_by": "",
    }
    before = content_of(office.installation, "bulanan")
    first = office.installation.schedules["bulanan"]
    for name, value in terms.items():
        office.installation.schedules["bulanan"] = first
        change(office, **{name: value})
        assert before != content_of(office.installation, "bulanan"), name


def test_what_the_document_names_is_bound_and_people_by_their_nip(office: SmallOffice) -> None:
    """Another application's title, component or store is another schedule; another rank of the same person is not."""
    before = content_of(office.installation, "bulanan")
    with office.installation.catalog.begin() as connection:
        officials.put(
            connection,
            OfficialSettings(nip=KADIS, name="Bambang Peraga, M.M.", position="Kadis", unit="bkd", roles=["kadis"]),
        )
    assert before == content_of(office.installation, "bulanan")
    store = office.installation.stores["utama"]
    office.installation.stores["utama"] = store.model_copy(update={"title": "Gudang lain"})
    assert before != content_of(office.installation, "bulanan")
    office.installation.stores["utama"] = store
    office.installation.applications["simpel"].components.pop()
    assert before != content_of(office.installation, "bulanan")


def test_an_approval_that_somebody_wrote_into_the_catalog_does_not_count(office: SmallOffice) -> None:
    """What the decision is bound to is looked up in the seal and in the ledger."""
    procedure_id = office.approve_schedule()
    change(office, retention_days=1)
    table = schema.decisions
    with office.installation.catalog.begin() as connection:
        # Whoever owns the database is not held by its triggers.
        connection.exec_driver_sql("DROP TRIGGER decisions_no_update")
        connection.exec_driver_sql("DROP TRIGGER decisions_no_delete")
        (binding,) = connection.execute(table.select().with_only_columns(table.c.binding)).scalars()
        forged = {**json.loads(binding), "content_sha256": standing(office).content_sha256}
        connection.execute(update(table).values(binding=json.dumps(forged, sort_keys=True, separators=(",", ":"))))
    assert ("invalid", "", "Pengesahan jadwal tidak sesuai dengan buku besar") == (
        standing(office).state,
        standing(office).cited,
        standing(office).words,
    )
    with office.installation.catalog.begin() as connection:
        connection.execute(table.delete().where(table.c.procedure_id == procedure_id))
    assert "invalid" == standing(office).state


def test_without_the_key_an_approval_is_neither_believed_nor_denied(office: SmallOffice) -> None:
    """And a backup goes on: its data does not wait for paper."""
    office.approve_schedule()
    Path(office.root / "keys" / "enrolment").unlink()
    assert ("unknown", "Pengesahan jadwal tidak dapat diperiksa") == (standing(office).state, standing(office).words)


def _rows(facts: dict[str, Any]) -> dict[str, str]:
    return {row["label"]: row["value"] for part in facts["sections"] for each in part["blocks"] for row in each["rows"]}


@pytest.mark.slow
def test_a_backup_cites_the_approved_schedule_or_says_that_there_is_none(office: SmallOffice) -> None:
    """On its form, in what the Kabid is shown, in the manifests, and in the run's last word."""
    expected = {
        "never": (
            "bulanan (2026) – JADWAL BELUM DISAHKAN",
            "Jadwal belum disahkan: back up ini tidak berdasarkan jadwal yang telah ditetapkan (langkah 1).",
        ),
        "approved": ("{cited} (2026)", ""),
    }
    for state, (basis, problem) in expected.items():
        procedure_id = office.back_up()
        approval = standing(office)
        assert state == approval.state
        with office.installation.catalog.read() as connection:
            rows = _rows(forms.latest(connection, "backup", procedure_id).facts)  # type: ignore[union-attr]
            (made, _other) = backups.list_of_procedure(connection, procedure_id)
        basis = basis.format(cited=approval.cited)
        # Below it stands what another account than root cannot prove.
        assert (basis, problem) == (rows["Jadwal (dasar)"], rows["Kendala"].partition("\n")[0])

        question = question_of(office.installation, procedure_id, "backup.6")
        identity = dict(question.document["bagian"][0]["baris"])
        assert approval.approved == ("sesuai_jadwal" in question.checks), "what the form says itself may be accepted"
        assert basis == identity["Jadwal (dasar)"]
        assert problem.split(":")[0] == identity.get("Kesesuaian jadwal", "").removeprefix("TIDAK SESUAI – ")

        manifest = office.root / "store" / "bkd" / "simpel" / str(made.name) / "manifest.json"
        assert approval.cited == json.loads(manifest.read_bytes())["schedule_number"]
        sentence = conclude_backup(office.installation, procedure_id).sentence
        assert (not approval.approved) == sentence.endswith(". Jadwal belum disahkan.")
        office.approve_schedule() if state == "never" else None


@pytest.mark.slow
def test_what_a_run_cites_is_how_its_schedule_stood_when_it_began(office: SmallOffice) -> None:
    """Whatever is applied meanwhile; also when the schedule was approved, and changed since."""
    office.approve_schedule()
    cited = standing(office).cited
    change(office, retention_days=30)
    procedure_id = office.back_up()
    office.approve_schedule()
    with office.installation.catalog.read() as connection:
        recorded = procedures.get(connection, procedure_id).parameters["approval"]
        rows = _rows(forms.latest(connection, "backup", procedure_id).facts)  # type: ignore[union-attr]
    assert "changed" == recorded["state"]
    assert f"{cited} (2026) – JADWAL BERUBAH SEJAK DISAHKAN" == rows["Jadwal (dasar)"]
