"""The approval of a schedule: numbers and versions, nothing twice, nothing in vain."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from recovery.errors import ConfigurationError, FormError, NotFoundError, ProcedureError
from recovery.procedures.conclude import conclude_schedule
from recovery.procedures.schedule_approval import approval_of
from recovery.procedures.schedule_begin import begin_schedule, draw_up, put_decision
from recovery.records import forms, ledger, ledger_heads, procedures, schema
from recovery.records.forms import Form
from tests.testbed.small_office import KADIS, SmallOffice

# Nothing here looks at the service.
WITHOUT_SERVICE = True


def issued(office: SmallOffice) -> list[Form]:
    """Every version, oldest first, each of which is the recorded file and lies in the store."""
    with office.installation.catalog.read() as connection:
        everyone = procedures.list_all(connection, "schedule")
        found = [form for procedure in everyone for form in forms.list_forms(connection, procedure.id)]
    for form in found:
        stored = [path.read_bytes() for path in (office.root / "store" / "formulir").rglob(Path(form.path).name)]
        assert [Path(form.path).read_bytes()] == stored
    return found


def status(form: Form) -> str:
    rows = [row for part in form.facts["sections"] for block in part["blocks"] for row in block["rows"]]
    (found,) = [row["value"] for row in rows if row["label"] == "Status dokumen"]
    return str(found)


def change(office: SmallOffice, **fields: Any) -> None:
    schedules = office.installation.schedules
    schedules["bulanan"] = schedules["bulanan"].model_copy(update=fields)


def outcomes(office: SmallOffice) -> list[str]:
    with office.installation.catalog.read() as connection:
        return [each.outcome or each.state for each in procedures.list_all(connection, "schedule")]


def test_one_number_and_a_version_for_each_desk_and_each_change(office: SmallOffice) -> None:
    """Drawn up, approved; changed, drawn up again, rejected; and once more. Every version says what it is."""
    office.approve_schedule()
    change(office, retention_days=30)
    rejected = office.approve_schedule("ditolak", note="Retensi terlalu pendek.")
    office.approve_schedule()
    found = issued(office)
    assert {"001/JBU"} == {form.number[:7] for form in found}
    assert [
        (1, "RANCANGAN – BELUM DISAHKAN"),
        (2, "DISAHKAN"),
        (3, "RANCANGAN – BELUM DISAHKAN"),
        (4, "DITOLAK – Retensi terlalu pendek."),
        (5, "RANCANGAN – BELUM DISAHKAN"),
        (6, "DISAHKAN"),
    ] == [(form.version, status(form)) for form in found]
    assert ["disahkan", "ditolak", "disahkan"] == outcomes(office)
    assert 6 == approval_of(office.installation, "bulanan").version
    sentence = conclude_schedule(office.installation, rejected).sentence
    assert f"Jadwal Back Up {found[0].number} versi 4 ditolak: Retensi terlalu pendek." == sentence
    with office.installation.catalog.read() as connection:
        heads = ledger_heads.read_heads(office.installation.store("utama"), office.installation.signer.public_pem)
        assert [] == ledger.verify(connection, heads)
        assert 3 == len(heads)
        newest = procedures.by_form(connection, found[0].number)
    assert newest is not None and found[-1].procedure_id == newest.id


def test_a_form_that_cannot_be_written_uses_no_number_up(office: SmallOffice) -> None:
    """The number would stand for nothing; the run goes on when there is room again."""
    begin_schedule(office.installation, "run", "bulanan")
    drawn_up = draw_up(office.installation, "run")
    office.decide("schedule.approve", "run", KADIS, "disahkan")
    in_the_way = Path(drawn_up.path.replace("-v1.pdf", "-v2.tmp"))
    in_the_way.mkdir()
    with pytest.raises(FormError) as caught:
        put_decision(office.installation, "run")
    assert str(caught.value) == (
        f"the form {drawn_up.number} cannot be written (Is a directory); no number was used up and nothing else "
        "changed\nHINT: make room in the state directory and retry the run"
    )
    assert [1] == [form.version for form in issued(office)]
    in_the_way.rmdir()
    put_decision(office.installation, "run")
    assert [1, 2] == [form.version for form in issued(office)]


def test_an_approved_schedule_is_not_drawn_up_again(office: SmallOffice) -> None:
    """The run says so, and leaves nothing."""
    office.approve_schedule()
    before = len(issued(office))
    cited = approval_of(office.installation, "bulanan").cited
    settled = begin_schedule(office.installation, "another-run", "bulanan")
    assert f"Jadwal Back Up {cited} sudah disahkan, dan isinya tidak berubah." == settled
    with office.installation.catalog.read() as connection:
        assert procedures.find(connection, "another-run") is None
    assert before == len(issued(office))


def test_a_run_that_comes_again_does_nothing_twice_and_keeps_what_it_asked(office: SmallOffice) -> None:
    """After the answer the flow begins at its first line, whatever was applied meanwhile."""
    for _again in range(2):
        assert "" == begin_schedule(office.installation, "run", "bulanan")
        first = draw_up(office.installation, "run")
    change(office, retention_days=30)
    assert first == draw_up(office.installation, "run")
    office.decide("schedule.approve", "run", KADIS, "disahkan")
    for _again in range(2):
        assert "" == begin_schedule(office.installation, "run", "bulanan")
        assert first == draw_up(office.installation, "run")
        decided = put_decision(office.installation, "run")
        assert "disahkan." == conclude_schedule(office.installation, "run").sentence.split()[-1]
    assert [first, decided] == issued(office)
    assert "paling sedikit 365 hari" in json.dumps(issued(office)[1].facts)
    assert "changed" == approval_of(office.installation, "bulanan").state


def test_a_newer_approval_takes_the_place_of_one_that_waits_in_vain(office: SmallOffice) -> None:
    """Its run may be gone. A late answer there is recorded, and is no approval."""
    begin_schedule(office.installation, "first", "bulanan")
    draw_up(office.installation, "first")
    begin_schedule(office.installation, "second", "bulanan")
    assert ["diganti", "open"] == outcomes(office)

    office.decide("schedule.approve", "first", KADIS, "disahkan")
    assert put_decision(office.installation, "first") is None
    concluded = conclude_schedule(office.installation, "first")
    assert (False, "Keputusan ini tidak dipakai: pengesahan jadwal ini sudah dimulai lagi sesudahnya.") == (
        concluded.good,
        concluded.sentence,
    )
    assert "never" == approval_of(office.installation, "bulanan").state

    assert 2 == draw_up(office.installation, "second").version
    office.decide("schedule.approve", "second", KADIS, "disahkan")
    put_decision(office.installation, "second")
    assert conclude_schedule(office.installation, "second").good
    assert (3, "approved") == (
        approval_of(office.installation, "bulanan").version,
        approval_of(office.installation, "bulanan").state,
    )


def test_a_replaced_approval_without_a_document_draws_none_up(office: SmallOffice) -> None:
    for procedure_id in ("first", "second"):
        begin_schedule(office.installation, procedure_id, "bulanan")
    with pytest.raises(ProcedureError, match="the approval first of bulanan is closed; nothing was drawn up"):
        draw_up(office.installation, "first")
    assert [] == issued(office)


def test_nobody_is_asked_for_what_nobody_can_approve(office: SmallOffice) -> None:
    """No number is used up."""
    change(office, approved_by="")
    with pytest.raises(ConfigurationError, match="the schedule bulanan names nobody who approves it"):
        begin_schedule(office.installation, str(uuid.uuid4()), "bulanan")
    with pytest.raises(NotFoundError, match="choose one of: bulanan"):
        begin_schedule(office.installation, str(uuid.uuid4()), "tahunan")
    with office.installation.catalog.read() as connection:
        assert [] == list(connection.execute(select(schema.number_sequences)))
        assert [] == procedures.list_all(connection)
