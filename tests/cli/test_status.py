"""pulih status: what is open, who must act, since when and until when, and the newest proof of every component."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from cli.status import _lines
from recovery.installation import Installation
from recovery.inventory import load_inventory
from recovery.procedures.questions import question_of
from recovery.procedures.restore.begin import begin_restore
from recovery.procedures.restore.r1_request import request
from recovery.procedures.schedule_begin import begin_schedule, draw_up
from recovery.records import procedures, schema
from recovery.records.approvals import ask
from recovery.records.steps import open_step, perform
from recovery.standing import Overview, overview
from tests.cli.conftest import Office, Pulih
from tests.testbed.small_office import KADIS, restore_request

OPENED = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


@pytest.fixture
def installation(broken: Office) -> Installation:
    """The broken office's installation."""
    return load_inventory(broken.inventory).installation()


def status(pulih: Pulih, office: Office) -> dict[str, Any]:
    ended = pulih("--inventory", office.inventory, "--json", "status")
    assert (0, "") == (ended.code, ended.err)
    document: dict[str, Any] = ended.document
    return document


def waits_for(pulih: Pulih, office: Office) -> dict[str, Any]:
    """What the one open procedure waits for."""
    (procedure,) = status(pulih, office)["procedures"]
    (waits,) = procedure["waits_for"]
    found: dict[str, Any] = waits
    return found


def test_an_office_at_rest_has_nothing_open_and_its_proofs(pulih: Pulih, office: Office) -> None:
    """Exit code 0, and the last verified backup of each component."""
    document = status(pulih, office)
    assert [] == document["procedures"]
    assert {"simpel/data", "simpel/berkas"} == {each["component"] for each in document["components"]}
    assert {()} == {tuple(each["alarms"]) for each in document["components"]}
    assert office.name in {each["name"] for each in document["components"]}
    assert "no procedure is open" == pulih("--inventory", office.inventory, "status").out.splitlines()[0]


def test_an_open_restore_is_told_from_its_first_step_to_the_official_who_must_act(
    pulih: Pulih, broken: Office, installation: Installation
) -> None:
    """Not begun, failed, between two steps, waiting, and late."""
    letter = installation.state_directory / "surat-masuk" / "tidak-ada.pdf"
    letter.parent.mkdir()
    letter.write_bytes(b"surat")
    begin_restore(installation, "one", restore_request(berkas_surat=letter.name))
    letter.unlink()
    assert ("restore.1", "next", "Unit Kerja Pemohon") == (
        (waits := waits_for(pulih, broken))["step_id"],
        waits["state"],
        waits["role"],
    )

    with pytest.raises(Exception, match="there is no letter"):
        perform(installation.catalog, "restore.1", "one", lambda: request(installation, "one"))
    assert ("failed", "there is no letter 'tidak-ada.pdf' in the intake folder; nothing was touched") == (
        (waits := waits_for(pulih, broken))["state"],
        waits["error"],
    )

    letter.write_bytes(b"surat")
    perform(installation.catalog, "restore.1", "one", lambda: request(installation, "one"))
    assert ("restore.2", "next") == ((waits := waits_for(pulih, broken))["step_id"], waits["state"])

    deadline = datetime.now(UTC) + timedelta(days=1)
    open_step(installation.catalog, "restore.2", "one", deadline=lambda opened_at: deadline)
    asked = ask(installation.catalog, question_of(installation, "one", "restore.2"), lifetime=timedelta(days=14))
    waits = waits_for(pulih, broken)
    assert {
        "step_id": "restore.2",
        "title": "2. Mendisposisi permintaan restore data kepada Kabid Aptika",
        "component": "",
        "state": "waiting",
        "role": "Kadis Kominfo",
        "officials": [{"nip": KADIS, "name": "Bambang Peraga"}],
        "since": asked.opened_at,  # type: ignore[union-attr]
        "deadline": schema.timestamp(deadline),
        "late": False,
        "error": "",
    } == waits
    assert "waits for Kadis Kominfo (Bambang Peraga), since " in (
        text := pulih("--inventory", broken.inventory, "status").out
    )
    assert "LATE" not in text

    with broken.catalog.begin() as connection:
        connection.execute(update(schema.steps).values(deadline=schema.timestamp(OPENED)))
    assert waits_for(pulih, broken)["late"]
    shown = pulih("--inventory", broken.inventory, "status").out
    assert "until Jumat, 20 November 2026 pukul 10.00.00 WIB LATE" in shown


def test_a_question_that_goes_to_one_official_alone_is_told_by_his_name(
    pulih: Pulih, broken: Office, installation: Installation
) -> None:
    """As a Jadwal Back Up that waits for approval: no role may answer it, but whom the schedule names."""
    installation.schedules["bulanan"].frequency = "Mingguan"
    begin_schedule(installation, "three", "bulanan")
    draw_up(installation, "three")
    ask(installation.catalog, question_of(installation, "three", "schedule.approve"), lifetime=timedelta(days=14))
    waits = waits_for(pulih, broken)
    assert ("waiting", "", [{"nip": KADIS, "name": "Bambang Peraga"}]) == tuple(
        waits[key] for key in ("state", "role", "officials")
    )
    assert "waits for Bambang Peraga, since " in pulih("--inventory", broken.inventory, "status").out


def test_components_of_a_backup_are_told_one_by_one(pulih: Pulih, broken: Office, installation: Installation) -> None:
    """One may have failed while another is being done."""
    procedures.open_procedure(
        broken.catalog, "two", "backup", schedule="bulanan", parameters={"components": []}, release="0"
    )
    for component in ("simpel/data", "simpel/berkas"):
        open_step(installation.catalog, "backup.1", "two", component)
    (procedure,) = status(pulih, broken)["procedures"]
    assert ("backup", "bulanan") == (procedure["kind"], procedure["subject"])
    assert [("simpel/data", "open"), ("simpel/berkas", "open")] == [
        (each["component"], each["state"]) for each in procedure["waits_for"]
    ]


def test_a_component_without_a_fresh_proof_is_marked(pulih: Pulih, broken: Office) -> None:
    """By the guard's own rules."""
    with broken.catalog.begin() as connection:
        data = schema.backups.c.component == "data"
        connection.execute(update(schema.backups).where(data).values(state="failed", verdict="fail"))
    found = {each["component"]: each for each in status(pulih, broken)["components"]}
    assert ("", "", ["never"]) == tuple(found["simpel/data"][key] for key in ("name", "moment", "alarms"))
    assert [] == found["simpel/berkas"]["alarms"]
    assert "NEVER" in pulih("--inventory", broken.inventory, "status").out


def test_a_restore_whose_application_left_the_inventory_says_so(
    pulih: Pulih, broken: Office, installation: Installation
) -> None:
    """In the document and for people; what to do says the guard."""
    begin_restore(installation, "one", restore_request())
    del installation.applications["simpel"]
    (found,) = overview(installation, datetime.now(UTC)).procedures
    assert ("simpel",) == found.missing
    assert "  NOT in the inventory any more: simpel; `pulih guard` says what to do" in _lines(Overview((found,), ()))
    assert [[]] == [each["missing"] for each in status(pulih, broken)["procedures"]]
