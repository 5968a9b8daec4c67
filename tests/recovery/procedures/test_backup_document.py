"""What the form of a backup says of locks, from records of every kind: one copy, two, a copy that came later."""

from typing import Any, NamedTuple

import pytest

from recovery.procedures.backup_document import _locked, _places, _unlocked

KEY = "simpel/berkas"
SCHEDULE = {"store": "utama", "offsite_store": "terpisah"}


class Row(NamedTuple):
    component: str
    step_id: str
    evidence: dict[str, Any] | None


class Entry(NamedTuple):
    component: str
    facts: dict[str, str]


class Backup(NamedTuple):
    stores: tuple[str, ...]


def place(store: str, protection: str, demanded: str = "none") -> dict[str, str]:
    return {"store": store, "protection": protection, "demanded": demanded}


@pytest.mark.parametrize(
    ("secured", "copied", "locked"),
    [
        ([place("utama", "compliance"), place("terpisah", "governance")], [], ["lokasi utama", "lokasi terpisah"]),
        ([place("utama", "none"), place("terpisah", "compliance")], [], ["lokasi terpisah"]),
        ([place("utama", "none"), place("terpisah", "none")], [], []),
        # Step 4 failed, so it has no evidence; what was put later is in the ledger, as of now.
        (None, [place("utama", "none"), place("utama", "compliance")], ["lokasi utama"]),
        # What an earlier release recorded does not say it.
        ([{"store": "utama"}, {"store": "terpisah"}], [], []),
    ],
)
def test_what_keeps_each_copy_is_told_of_each_place(
    secured: list[dict[str, str]] | None, copied: list[dict[str, str]], locked: list[str]
) -> None:
    evidence = None if secured is None else {"locations": secured}
    rows: Any = [
        Row("simpel/data", "backup.4", {"locations": [place("utama", "none")]}),
        Row(KEY, "backup.4", evidence),
    ]
    later: Any = [*[Entry(KEY, facts) for facts in copied], Entry("simpel/data", place("terpisah", "compliance"))]
    made: Any = Backup(("utama", "terpisah"))
    places = _places(KEY, rows, later)
    assert locked == _locked(made, SCHEDULE, places)
    assert "" == _unlocked(KEY, places)


def test_a_lock_that_was_demanded_and_is_not_there_is_named() -> None:
    """Where none was demanded nobody expects one."""
    places = {name: place(name, "none", lock) for name, lock in (("utama", "none"), ("terpisah", "governance"))}
    assert f"{KEY}: tidak terkunci di terpisah, yang tidak dapat mengunci (without_lock: warn)" == _unlocked(
        KEY, places
    )
