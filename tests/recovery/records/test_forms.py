"""Forms are recorded with their hashes; a corrected one is a new version, and the earlier one stays."""

import json

import pytest
from sqlalchemy import select

from recovery.canonical import digest
from recovery.errors import ConflictError, NotFoundError
from recovery.records import forms, schema
from recovery.records.catalog import Catalog
from recovery.records.procedures import open_procedure


def _store(catalog: Catalog, number: str) -> forms.Form:
    with catalog.begin() as connection:
        return forms.store_form(
            connection,
            number=number,
            kind="backup",
            procedure_id="run-1",
            facts={"judul": "Formulir"},
            pdf_sha256="ab" * 32,
            path=f"/formulir/{number}.pdf",
        )


def test_a_form_is_recorded_and_a_correction_is_a_new_version(catalog: Catalog) -> None:
    """The ledger names each by its number and hashes."""
    open_procedure(catalog, "run-1", "backup", parameters={}, release="0.1.0")
    first, second = _store(catalog, "001/FPB"), _store(catalog, "002/FPB")
    assert (first.version, second.version) == (1, 2)
    with catalog.read() as connection:
        assert forms.get(connection, "001/FPB") == first
        assert forms.list_forms(connection, "run-1") == [first, second]
        assert forms.find(connection, "003/FPB") is None
        with pytest.raises(NotFoundError, match="no form has the number '003/FPB'"):
            forms.get(connection, "003/FPB")
        entry = connection.execute(select(schema.ledger).where(schema.ledger.c.sequence == 2)).one()
    assert (entry.kind, entry.procedure_id) == ("form.stored", "run-1")
    assert json.loads(entry.facts) == {
        "number": "001/FPB",
        "kind": "backup",
        "version": 1,
        "pdf_sha256": "ab" * 32,
        "facts_sha256": digest({"judul": "Formulir"}),
    }


def test_a_number_is_used_once(catalog: Catalog) -> None:
    """The earlier form is untouched."""
    open_procedure(catalog, "run-1", "backup", parameters={}, release="0.1.0")
    first = _store(catalog, "001/FPB")
    with pytest.raises(ConflictError, match="the form number 001/FPB is taken; the earlier form is untouched"):
        _store(catalog, "001/FPB")
    with catalog.read() as connection:
        assert forms.list_forms(connection, "run-1") == [first]
