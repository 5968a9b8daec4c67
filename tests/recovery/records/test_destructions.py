"""What became of each set of a plan, and the migration that brought it, on both dialects."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, inspect, text

from recovery.errors import ProcedureError
from recovery.records import backups, destructions, ledger, procedures
from recovery.records.backups import Backup
from recovery.records.catalog import Catalog, open_catalog
from tests.recovery.records.test_holds import staged

OBJECTS = {"utama": ["a/manifest.json.sig", "a/manifest.json"]}


def secured(catalog: Catalog, id: str) -> Backup:
    staged(catalog, "simpel", "data", id)
    with catalog.begin() as connection:
        backups.mark_verified(connection, id, {})
        backups.mark_named(connection, id, f"name-{id}")
        backups.mark_secured(connection, id, "ab" * 32, ["utama"], "2026-11-22T00:00:00+00:00")
        return backups.get(connection, id)


def test_a_destruction_is_begun_noted_and_ended(catalog: Catalog) -> None:
    """The backup is offered for nothing from its beginning on."""
    procedures.open_procedure(catalog, "p", "retention", parameters={}, release="0")
    backup = secured(catalog, "one")
    with catalog.begin() as connection:
        destructions.begin(connection, "p", backup, OBJECTS)
        assert "destroyed" == backups.get(connection, "one").state
        assert None is backups.newest_verified(connection, "simpel", "data")
        destructions.note(connection, "p", "one", "the store is away")
        (begun,) = destructions.unfinished(connection)
        assert ("begun", "the store is away", OBJECTS, None) == (
            begun.state,
            begun.detail,
            begun.objects,
            begun.ended_at,
        )
        destructions.end(connection, "p", backup)
        assert [] == destructions.unfinished(connection)
        done = destructions.of_backup(connection, "one")
        assert done is not None
        assert ("destroyed", "", False) == (done.state, done.detail, done.ended_at is None)
        last = ledger.entries(connection)[-2:]
    assert ["backup.destruction_begun", "backup.destroyed"] == [entry.kind for entry in last]
    assert {"backup_id": "one", "name": "name-one", "manifest_sha256": "ab" * 32} == last[1].facts


def test_a_skipped_set_stays_and_another_plan_may_take_it(catalog: Catalog) -> None:
    """Only a set that was begun is gone."""
    backup = secured(catalog, "one")
    for id in ("p", "q"):
        procedures.open_procedure(catalog, id, "retention", parameters={}, release="0")
    with catalog.begin() as connection:
        destructions.skip(connection, "p", backup, "ditahan")
        assert None is destructions.of_backup(connection, "one")
        assert "secured" == backups.get(connection, "one").state
        destructions.begin(connection, "q", backup, OBJECTS)
        assert ["skipped"] == [each.state for each in destructions.of_procedure(connection, "p").values()]


def test_only_a_secured_backup_can_be_destroyed(catalog: Catalog) -> None:
    """And one that is destroyed never comes back."""
    staged(catalog, "simpel", "data", "one")
    with catalog.begin() as connection, pytest.raises(ProcedureError, match="is staged and cannot become destroyed"):
        backups.mark_destroyed(connection, "one")
    secured(catalog, "two")
    with catalog.begin() as connection:
        backups.mark_destroyed(connection, "two")
        with pytest.raises(ProcedureError, match="is destroyed and cannot become secured"):
            backups.mark_secured(connection, "two", "", [], "2026-11-22T00:00:00+00:00")


def test_the_migration_keeps_what_an_earlier_release_recorded(uncreated_url: str) -> None:
    """On SQLite the table is written anew; rows, indexes and constraints stay."""
    from alembic import command

    from recovery.records.migrations import configuration

    catalog = open_catalog(uncreated_url)
    if catalog.dialect == "sqlite":
        catalog.upgrade()  # makes the file
        with catalog.begin() as connection:
            for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all():
                connection.exec_driver_sql(f"DROP TABLE {name}")
    with catalog.begin() as connection:
        command.upgrade(configuration(connection), "0002")
        before = _described(connection)
        procedure = "INSERT INTO procedures (id, kind, state, release, parameters, opened_at)"
        connection.exec_driver_sql(f"{procedure} VALUES ('p', 'backup', 'open', '0', '{{}}', '2026')")
        row = "INSERT INTO backups (id, procedure_id, application, component, unit, kind, state, moment, created_at)"
        connection.exec_driver_sql(
            f"{row} VALUES ('b', 'p', 'simpel', 'data', 'u', 'sqlite', 'secured', '2026', '2026')"
        )
    catalog.upgrade()
    catalog.check()
    with catalog.begin() as connection:
        assert "secured" == backups.get(connection, "b").state
        assert before == _described(connection)
        backups.mark_destroyed(connection, "b")
    catalog.dispose()


def _described(connection: Connection) -> dict[str, Sequence[str | None]]:
    looked = inspect(connection)
    return {
        "indexes": sorted(str(index["name"]) for index in looked.get_indexes("backups")),
        "unique": [each["name"] for each in looked.get_unique_constraints("backups")],
        "foreign": [each["name"] for each in looked.get_foreign_keys("backups")],
        "checks": [each["name"] for each in looked.get_check_constraints("backups")],
        "columns": [each["name"] for each in looked.get_columns("backups")],
    }
