"""Legal holds, on both dialects."""

from datetime import UTC, datetime

import pytest

from recovery.errors import ConfigurationError, ConflictError, NotFoundError
from recovery.records import backups, holds, ledger, procedures
from recovery.records.backups import Backup
from recovery.records.catalog import Catalog


def staged(catalog: Catalog, application: str, component: str, id: str) -> Backup:
    procedures.open_procedure(catalog, f"p-{id}", "backup", parameters={}, release="0")
    with catalog.begin() as connection:
        backups.insert_staged(
            connection,
            backup_id=id,
            procedure_id=f"p-{id}",
            application=application,
            component=component,
            unit="bkd",
            kind="sqlite",
            moment=datetime.now(UTC).isoformat(),
            staging="",
            facts={},
        )
        return backups.get(connection, id)


def test_a_hold_covers_what_it_names_and_what_comes_later(catalog: Catalog) -> None:
    """An application, a component, or one backup."""
    with catalog.begin() as connection:
        on_application = holds.add(connection, application="simpel", reason="Perkara 7")
        on_component = holds.add(connection, application="simpel", component="data", reason="Audit")
        on_backup = holds.add(connection, application="simpel", backup_id="one", reason="Bukti")
    one, later, other = (
        staged(catalog, *named) for named in (("simpel", "data", "one"), ("simpel", "berkas", "two"), ("x", "y", "z"))
    )
    assert [True, True, False] == [on_application.covers(each) for each in (one, later, other)]
    assert [True, False, False] == [on_component.covers(each) for each in (one, later, other)]
    assert [True, False, False] == [on_backup.covers(each) for each in (one, later, other)]
    assert ["simpel", "simpel/data", "one"] == [each.target for each in (on_application, on_component, on_backup)]


def test_a_hold_ends_for_itself_and_both_are_in_the_ledger_without_the_reason(catalog: Catalog) -> None:
    """The reason may hold personal data, and nothing can be erased from the ledger."""
    with catalog.begin() as connection:
        first = holds.add(connection, application="simpel", reason="Perkara Rahmat")
        second = holds.add(connection, application="simpel", reason="Perkara lain")
        ended = holds.remove(connection, first.id[:8], "Perkara Rahmat selesai")
    with catalog.read() as connection:
        assert [second] == holds.list_holds(connection)
        assert {first.id, second.id} == {each.id for each in holds.list_holds(connection, ended=True)}
        entries = ledger.entries(connection)
    assert ended.removed_at is not None
    assert "Perkara Rahmat selesai" == ended.removal_reason
    assert ["hold.added", "hold.added", "hold.removed"] == [entry.kind for entry in entries]
    assert "Rahmat" not in str([entry.facts for entry in entries])
    assert all(64 == len(entry.facts["reason_sha256"]) for entry in entries)


def test_only_one_hold_in_force_is_ended(catalog: Catalog) -> None:
    """An unknown id, an ended one, and a beginning that several have."""
    with catalog.begin() as connection:
        hold = holds.add(connection, application="simpel", reason="a")
        holds.remove(connection, hold.id, "b")
        for wanted in (hold.id, "", "zzz"):
            with pytest.raises(NotFoundError, match="no hold in force has the id"):
                holds.remove(connection, wanted, "c")
        # Seventeen ids of sixteen possible beginnings.
        made = [holds.add(connection, application="simpel", reason="a") for _ in range(17)]
        beginnings = [each.id[0] for each in made]
        (shared, *_) = [each for each in beginnings if beginnings.count(each) > 1]
        with pytest.raises(ConflictError, match="holds have an id that begins with"):
            holds.remove(connection, shared, "c")


@pytest.mark.parametrize("reason", ["", " \n"])
def test_a_hold_without_a_reason_neither_begins_nor_ends(catalog: Catalog, reason: str) -> None:
    with catalog.begin() as connection:
        held = holds.add(connection, application="simpel", reason="Perkara 7")
        with pytest.raises(ConfigurationError, match="begins and ends with a reason, and none was given"):
            holds.add(connection, application="simpel", reason=reason)
        with pytest.raises(ConfigurationError, match="begins and ends with a reason, and none was given"):
            holds.remove(connection, held.id, reason)
        assert [held] == holds.list_holds(connection)
