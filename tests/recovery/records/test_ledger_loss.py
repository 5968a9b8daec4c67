"""Entries that were lost before a rebuild: declared by a trusted signature, and otherwise a cut like any other."""

from pathlib import Path

import pytest

from recovery.crypto import Signer, generate_signing_key
from recovery.records import ledger
from recovery.records.catalog import Catalog, open_catalog
from recovery.records.ledger import Head

SIGNER = Signer.from_pem(generate_signing_key(), "of the tests")
THIEF = Signer.from_pem(generate_signing_key(), "of a thief")
NEWEST = Head(7, "a" * 64)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A ledger of three entries; a store holds the signed head of the seventh."""
    opened = open_catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    opened.upgrade()
    with opened.begin() as connection:
        for number in range(3):
            ledger.append(connection, "test", {"number": number})
    return opened


def go_on(catalog: Catalog, signer: Signer = SIGNER, after: Head = NEWEST, taken: int = 0) -> None:
    with catalog.begin() as connection:
        ledger.resume(connection, after, taken, {"store": "utama"}, signer)
        ledger.append(connection, "test", {"number": 9})


def findings(catalog: Catalog, heads: list[Head] | None = None, public_pem: bytes = SIGNER.public_pem) -> list[str]:
    with catalog.read() as connection:
        return ledger.verify(connection, heads or [], public_pem)


def numbers(catalog: Catalog) -> list[int]:
    with catalog.read() as connection:
        return [entry.sequence for entry in ledger.entries(connection)]


def test_the_ledger_goes_on_behind_the_newest_head(catalog: Catalog) -> None:
    """Heads of what is lost contradict nothing; those of what is left still do."""
    go_on(catalog)
    assert [1, 2, 3, 8, 9] == numbers(catalog)
    assert [] == findings(catalog, [Head(5, "b" * 64), NEWEST])
    assert ["entry 2 is not the one whose hash was signed into a store"] == findings(catalog, [Head(2, "b" * 64)])


def test_a_number_that_is_taken_in_the_store_is_not_given_again(catalog: Catalog) -> None:
    """By a head that nobody can prove: of a rebuild that was given up, for instance."""
    go_on(catalog, taken=11)
    assert [1, 2, 3, 12, 13] == numbers(catalog)
    assert [] == findings(catalog, [NEWEST])


def test_without_a_loss_the_chain_simply_goes_on(catalog: Catalog) -> None:
    with catalog.read() as connection:
        last = ledger.head(connection)
    go_on(catalog, after=Head(2, "a" * 64))
    assert [1, 2, 3, 4, 5] == numbers(catalog)
    assert [] == findings(catalog, [last], b"")


@pytest.mark.parametrize("public_pem", [b"", THIEF.public_pem], ids=["no key", "the thief's"])
def test_without_the_key_a_loss_is_a_cut(catalog: Catalog, public_pem: bytes) -> None:
    go_on(catalog)
    found = findings(catalog, [], public_pem)
    assert "entries 4 to 7 are missing" == found[0]


def test_who_holds_the_catalog_cannot_declare_a_loss(catalog: Catalog) -> None:
    """Cutting entries and covering it up takes a key; and so does making a declared loss larger."""
    go_on(catalog, THIEF)
    assert "entries 4 to 7 are missing" == findings(catalog)[0]


def test_a_declared_loss_does_not_cover_another(catalog: Catalog) -> None:
    go_on(catalog)
    with catalog.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_no_delete")
        connection.exec_driver_sql("DELETE FROM ledger WHERE sequence = 3")
    assert "entries 3 to 7 are missing" == findings(catalog)[0]


@pytest.mark.parametrize("facts", ["{}", "[]", "no json", '{"lost":{"signature":"xyz"}}'])
def test_a_declaration_that_cannot_be_read_is_none(catalog: Catalog, facts: str) -> None:
    go_on(catalog)
    with catalog.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_no_update")
        connection.exec_driver_sql("UPDATE ledger SET facts = ? WHERE sequence = 8", (facts,))
    assert "entries 4 to 7 are missing" == findings(catalog)[0]
