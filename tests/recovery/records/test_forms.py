"""Forms are recorded with their hashes; a form with a decision written on it is a new version of the same number."""

import json

import pytest
from sqlalchemy import select

from recovery.canonical import digest
from recovery.errors import ConflictError
from recovery.records import forms, schema
from recovery.records.catalog import Catalog
from recovery.records.procedures import open_procedure


@pytest.fixture(autouse=True)
def runs(catalog: Catalog) -> None:
    """Two open procedures."""
    for id in ("run-1", "run-2"):
        open_procedure(catalog, id, "backup", parameters={}, release="0.1.0")


def _store(
    catalog: Catalog, number: str, version: int, *, kind: str = "backup", procedure_id: str = "run-1"
) -> forms.Form:
    with catalog.begin() as connection:
        return forms.store_form(
            connection,
            number=number,
            kind=kind,
            procedure_id=procedure_id,
            version=version,
            facts={"judul": "Formulir", "versi": version},
            pdf_sha256="ab" * 32,
            path=f"/formulir/{number}-{version}.pdf",
        )


def test_a_form_is_recorded_and_a_decision_makes_a_new_version(catalog: Catalog) -> None:
    """The ledger names each version by its number and hashes."""
    first, second = _store(catalog, "001/FPB", 1), _store(catalog, "001/FPB", 2)
    with catalog.read() as connection:
        assert forms.find_version(connection, "backup", "run-1", 1) == first
        assert forms.latest(connection, "backup", "run-1") == second
        assert forms.list_forms(connection, "run-1") == [first, second]
        assert forms.find_version(connection, "backup", "run-1", 3) is None
        assert forms.latest(connection, "restore", "run-1") is None
        entry = connection.execute(select(schema.ledger).where(schema.ledger.c.sequence == 3)).one()
    assert (entry.kind, entry.procedure_id) == ("form.stored", "run-1")
    assert json.loads(entry.facts) == {
        "number": "001/FPB",
        "kind": "backup",
        "version": 1,
        "pdf_sha256": "ab" * 32,
        "facts_sha256": digest({"judul": "Formulir", "versi": 1}),
    }


def test_a_schedule_is_one_form_whoever_draws_it_up(catalog: Catalog) -> None:
    """Its versions go on from procedure to procedure; another schedule's number stays taken."""
    for id, schedule in (("s1", "bulanan"), ("s2", "bulanan"), ("s3", "harian")):
        open_procedure(catalog, id, "schedule", schedule=schedule, parameters={}, release="0.1.0")
    _store(catalog, "001/JBU", 1, kind="schedule", procedure_id="s1")
    second = _store(catalog, "001/JBU", 2, kind="schedule", procedure_id="s2")
    with catalog.read() as connection:
        assert [second, second, None] == [forms.newest_version(connection, "schedule", id) for id in ("s1", "s2", "s3")]
        assert second == forms.by_number(connection, "001/JBU", 2)
        assert forms.by_number(connection, "001/JBU", 3) is None
    for number, version, id, refusal in (
        ("001/JBU", 3, "s3", "the form number 001/JBU is taken"),
        ("001/JBU", 3, "run-1", "the form number 001/JBU is taken"),
        ("002/JBU", 3, "s1", "the schedule form of this procedure is 001/JBU version 2 already"),
        ("001/JBU", 2, "s1", "the schedule form of this procedure is 001/JBU version 2 already"),
    ):
        with pytest.raises(ConflictError, match=refusal):
            _store(catalog, number, version, kind="schedule", procedure_id=id)


@pytest.mark.parametrize(
    ("number", "version", "procedure_id", "refusal"),
    [
        ("001/FPB", 2, "run-2", "the form number 001/FPB is taken"),
        ("002/FPB", 2, "run-1", "the backup form of this procedure is 001/FPB version 1 already"),
        ("001/FPB", 1, "run-1", "the backup form of this procedure is 001/FPB version 1 already"),
    ],
)
def test_a_number_names_one_form_whose_versions_grow(
    catalog: Catalog, number: str, version: int, procedure_id: str, refusal: str
) -> None:
    """The earlier form is untouched."""
    first = _store(catalog, "001/FPB", 1)
    with pytest.raises(ConflictError) as caught:
        _store(catalog, number, version, procedure_id=procedure_id)
    assert str(caught.value).startswith(f"{refusal}; the earlier form is untouched\nHINT: ")
    with catalog.read() as connection:
        assert forms.list_forms(connection, "run-1") == [first]
        assert forms.list_forms(connection, "run-2") == []
