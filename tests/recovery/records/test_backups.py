"""Backups come as far as the SOP's steps take them, in that order, and only proven and stored ones count."""

from datetime import UTC, datetime, timedelta

import pytest

from recovery.errors import ConflictError, NotFoundError, ProcedureError, RecordsError
from recovery.records import backups
from recovery.records.catalog import Catalog
from recovery.records.procedures import open_procedure

MOMENT = datetime(2026, 11, 20, 15, 0, 3, tzinfo=UTC)
UNTIL = "2027-11-20T15:00:03.000000+00:00"


@pytest.fixture(autouse=True)
def run(catalog: Catalog) -> str:
    """The id of an open backup procedure."""
    return open_procedure(catalog, "run-1", "backup", parameters={}, release="0.1.0").id


def _stage(catalog: Catalog, id: str, moment: datetime = MOMENT, component: str = "db") -> None:
    with catalog.begin() as connection:
        backups.insert_staged(
            connection,
            backup_id=id,
            procedure_id="run-1",
            application="simpel",
            component=component,
            unit="dpmptsp",
            kind="sqlite",
            moment=moment.isoformat(),
            staging="/staging/1",
            facts={"file": "data.sqlite.zst.age"},
        )


def _secure(catalog: Catalog, id: str, moment: datetime = MOMENT) -> None:
    _stage(catalog, id, moment)
    with catalog.begin() as connection:
        backups.mark_verified(connection, id, {"quality": {"state": "pass"}})
        backups.mark_named(connection, id, f"simpel_db_full_{id}")
        backups.mark_secured(connection, id, "ab" * 32, ["utama", "luar"], UNTIL)


def _get(catalog: Catalog, id: str) -> backups.Backup:
    with catalog.read() as connection:
        return backups.get(connection, id)


def test_a_backup_goes_from_staged_to_secured(catalog: Catalog) -> None:
    """Each step adds what it found."""
    _stage(catalog, "b1")
    staged = _get(catalog, "b1")
    assert (staged.state, staged.name, staged.verdict, staged.key) == ("staged", None, "", "simpel/db")
    assert staged.moment == "2026-11-20T15:00:03.000000+00:00"
    _secure(catalog, "b2")
    secured = _get(catalog, "b2")
    assert (secured.state, secured.name, secured.verdict) == ("secured", "simpel_db_full_b2", "pass")
    assert secured.facts == {"file": "data.sqlite.zst.age", "quality": {"state": "pass"}}
    assert (secured.stores, secured.manifest_sha256) == (("utama", "luar"), "ab" * 32)
    assert secured.retention_until == UNTIL
    with catalog.read() as connection:
        assert backups.by_name(connection, "simpel_db_full_b2") == secured
        assert backups.by_name(connection, "simpel_db_full_b9") is None
        assert backups.of_procedure(connection, "run-1", "simpel/db") == secured
        assert backups.of_procedure(connection, "run-1", "simpel/files") is None
        assert backups.list_backups(connection, "simpel") == backups.list_backups(connection) == [staged, secured]
        assert backups.list_backups(connection, "other") == []


def test_no_step_is_left_out(catalog: Catalog) -> None:
    """A backup that was not restored gets no name; one without a name is not secured; a secured one does not fail."""
    _stage(catalog, "b1")
    _secure(catalog, "b2")
    with pytest.raises(ProcedureError) as caught, catalog.begin() as connection:
        backups.mark_named(connection, "b1", "name")
    assert str(caught.value) == (
        "the backup b1 of simpel/db is staged and cannot become named; the backup is untouched\n"
        "HINT: the steps come in the SOP's order; retry the run"
    )
    with pytest.raises(ProcedureError, match="is staged and cannot become secured"), catalog.begin() as connection:
        backups.mark_secured(connection, "b1", "ab", [], UNTIL)
    with pytest.raises(ProcedureError, match="is secured and cannot become failed"), catalog.begin() as connection:
        backups.mark_failed(connection, "b2", "fail", {})
    with pytest.raises(NotFoundError, match="no backup has the id 'b9'"), catalog.begin() as connection:
        backups.mark_verified(connection, "b9", {})


def test_a_backup_that_could_not_be_judged_can_be_judged_again(catalog: Catalog) -> None:
    """The checker may only have been unable to look; the last verdict stands."""
    _stage(catalog, "b1")
    with catalog.begin() as connection:
        backups.mark_failed(connection, "b1", "error", {"quality": {"state": "error"}})
    failed = _get(catalog, "b1")
    assert (failed.state, failed.verdict) == ("failed", "error")
    with catalog.begin() as connection:
        backups.mark_verified(connection, "b1", {"quality": {"state": "pass"}})
    verified = _get(catalog, "b1")
    assert (verified.state, verified.verdict, verified.facts["quality"]) == ("verified", "pass", {"state": "pass"})


def test_copies_that_are_whole_are_recorded_and_a_backup_that_counts_is_left_so(catalog: Catalog) -> None:
    """A synchronisation may have secured it while somebody else still counted its copies."""
    _stage(catalog, "b1")
    with catalog.begin() as connection:
        backups.mark_verified(connection, "b1", {})
        backups.mark_named(connection, "b1", "simpel_db_full_b1")
        backups.mark_copied(connection, "b1", "ab" * 32, ["utama"], UNTIL)
    copied = _get(catalog, "b1")
    assert (copied.state, copied.stores) == ("named", ("utama",))
    with catalog.begin() as connection:
        backups.mark_secured(connection, "b1", "ab" * 32, ["utama", "luar"], UNTIL)
    secured = _get(catalog, "b1")
    with catalog.begin() as connection:
        backups.mark_copied(connection, "b1", "cd" * 32, ["utama"], UNTIL)
    assert _get(catalog, "b1") == secured


def test_a_name_is_given_once(catalog: Catalog) -> None:
    """To nobody else, and to the same backup again without complaint."""
    _secure(catalog, "b1")
    _stage(catalog, "b2")
    with catalog.begin() as connection:
        backups.mark_verified(connection, "b2", {})
    told = pytest.raises(ConflictError, match="the name simpel_db_full_b1 is taken by the backup b1")
    with told, catalog.begin() as connection:
        backups.mark_named(connection, "b2", "simpel_db_full_b1")
    with catalog.begin() as connection:
        backups.mark_named(connection, "b2", "simpel_db_full_b2")
        backups.mark_named(connection, "b2", "simpel_db_full_b2")


def test_a_backup_belongs_to_a_procedure_that_is_recorded(catalog: Catalog) -> None:
    """References are checked, on SQLite too."""
    with pytest.raises(RecordsError, match="refused a change that contradicts"), catalog.begin() as connection:
        backups.insert_staged(
            connection,
            backup_id="b1",
            procedure_id="nobody",
            application="simpel",
            component="db",
            unit="u",
            kind="sqlite",
            moment=UNTIL,
            staging="",
            facts={},
        )


def test_the_newest_verified_backup_is_proven_and_stored(catalog: Catalog) -> None:
    """Not the newest of all; and, for an earlier recovery point, not one after it."""
    with catalog.read() as connection:
        assert backups.newest_verified(connection, "simpel", "db") is None
    _secure(catalog, "b2", MOMENT)
    _secure(catalog, "b1", MOMENT - timedelta(days=1))
    _stage(catalog, "b3", MOMENT + timedelta(days=1))
    with catalog.begin() as connection:
        backups.mark_verified(connection, "b3", {})

    def newest(before: datetime | str | None = None, component: str = "db") -> str | None:
        with catalog.read() as connection:
            found = backups.newest_verified(connection, "simpel", component, before)
        return found.id if found else None

    assert newest() == "b2"
    assert newest(component="files") is None
    assert newest(MOMENT) == "b2"
    assert newest("2026-11-20T22:00:03+07:00") == "b2"
    assert newest("2026-11-20T22:00:02+07:00") == "b1"
    assert newest(MOMENT - timedelta(days=2)) is None
