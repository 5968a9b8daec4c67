"""The journal of swaps: written before anything moves, and followed only forwards or back."""

import pytest
from sqlalchemy import select

from recovery.errors import NotFoundError, ProcedureError
from recovery.records import journal, ledger, schema
from recovery.records.catalog import Catalog
from recovery.records.procedures import open_procedure

RECEIPT = {"live": {"inode": 7}, "copy": {"inode": 8}}


@pytest.fixture(autouse=True)
def run(catalog: Catalog) -> str:
    """The id of an open restore."""
    return open_procedure(catalog, "r1", "restore", application="simpel", parameters={}, release="0.1.0").id


def _prepare(catalog: Catalog, position: int = 1, component: str = "simpel/db") -> None:
    with catalog.begin() as connection:
        journal.prepare(connection, "r1", position, component, RECEIPT)


def _mark(catalog: Catalog, *states: str) -> None:
    for state in states:
        with catalog.begin() as connection:
            journal.mark(connection, "r1", "simpel/db", state)


def _state(catalog: Catalog) -> str:
    with catalog.read() as connection:
        return journal.entries(connection, "r1")[0].state


@pytest.mark.parametrize(
    "way",
    [
        ["swapping", "swapped", "kept"],
        ["swapping", "swapped", "undoing", "undone"],
        ["swapping", "undoing", "undone"],
        ["undoing", "undone"],
        ["undone"],
    ],
)
def test_a_swap_goes_forwards_or_back_and_every_mark_is_in_the_ledger(catalog: Catalog, way: list[str]) -> None:
    """A mark that is repeated after a crash changes nothing."""
    _prepare(catalog)
    for state in way:
        _mark(catalog, state, state)
    assert _state(catalog) == way[-1]
    with catalog.read() as connection:
        assert ledger.verify(connection) == []
        kinds = connection.execute(select(schema.ledger.c.kind).order_by(schema.ledger.c.sequence)).scalars().all()
    assert kinds == ["procedure.opened", "swap.prepared", *(f"swap.{state}" for state in way)]


@pytest.mark.parametrize(
    ("way", "state"),
    [
        ([], "swapped"),
        ([], "kept"),
        (["swapping"], "kept"),
        (["swapping"], "undone"),
        (["swapping", "swapped", "kept"], "undoing"),
        (["undone"], "swapping"),
        (["swapping", "swapped"], "prepared"),
    ],
)
def test_a_state_that_does_not_follow_is_refused(catalog: Catalog, way: list[str], state: str) -> None:
    """What the journal says happened must have happened in an order that can happen."""
    _prepare(catalog)
    _mark(catalog, *way)
    before = _state(catalog)
    with pytest.raises(ProcedureError, match=f"the swap of simpel/db is {before} and cannot become {state}"):
        _mark(catalog, state)
    assert _state(catalog) == before


def test_a_new_rehearsal_replaces_the_receipt_until_the_swap_begins(catalog: Catalog) -> None:
    """Afterwards the receipt is what undoing goes by."""
    _prepare(catalog)
    with catalog.begin() as connection:
        journal.prepare(connection, "r1", 2, "simpel/db", {"new": True})
        [entry] = journal.entries(connection, "r1")
    assert (entry.position, entry.receipt, entry.state) == (2, {"new": True}, "prepared")
    _mark(catalog, "swapping")
    with pytest.raises(ProcedureError) as caught:
        _prepare(catalog)
    assert str(caught.value) == (
        "the swap of simpel/db is swapping and cannot become prepared; the journal is untouched\n"
        "HINT: run `pulih guard`, which finishes or undoes what was begun"
    )


def test_a_swap_that_was_not_prepared_is_refused(catalog: Catalog) -> None:
    """Nothing moves that the journal does not know."""
    with pytest.raises(NotFoundError, match="no swap of simpel/db was prepared by r1"):
        _mark(catalog, "swapping")


def test_swaps_are_told_in_their_order_and_the_guard_sees_the_unfinished(catalog: Catalog) -> None:
    """Undoing goes the other way round."""
    _prepare(catalog, 2)
    _prepare(catalog, 1, "simpel/files")
    with catalog.read() as connection:
        assert [entry.component for entry in journal.entries(connection, "r1")] == ["simpel/files", "simpel/db"]
        assert journal.unfinished(connection) == []
    _mark(catalog, "swapping")
    with catalog.read() as connection:
        assert [entry.component for entry in journal.unfinished(connection)] == ["simpel/db"]
    _mark(catalog, "swapped", "kept")
    with catalog.read() as connection:
        assert journal.unfinished(connection) == []
