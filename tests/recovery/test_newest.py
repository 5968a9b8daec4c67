"""The newest backup is the one that was taken last, whatever a clock said meanwhile."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.newest import is_believed, newest_by_order
from recovery.records import backups, ledger, procedures
from recovery.records.catalog import Catalog, open_catalog
from recovery.retention import CLOCK_TOLERANCE

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BEFORE, TODAY = NOW - 2 * DAY, NOW - timedelta(hours=1)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    opened = open_catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    opened.upgrade()
    return opened


def take(catalog: Catalog, name: str, moment: datetime, *, in_ledger: bool = True, verified: bool = True) -> None:
    """Record a backup whose run says that it was taken then. Those of a ledger are taken in the order of the calls."""
    procedures.open_procedure(catalog, name, "backup", parameters={}, release="0", schedule="bulanan")
    with catalog.begin() as connection:
        backups.insert_staged(
            connection,
            backup_id=name,
            procedure_id=name,
            application="simpel",
            component="data",
            unit="bkd",
            kind="sqlite",
            moment=moment.isoformat(timespec="microseconds"),
            staging="",
            facts={},
        )
        if in_ledger:
            key = {"procedure_id": name, "step_id": "backup.1", "component": "simpel/data"}
            ledger.append(connection, "step.done", {}, **key)
        if verified:
            backups.mark_verified(connection, name, {})
            backups.mark_named(connection, name, name)
            backups.mark_secured(connection, name, "ab" * 32, ["utama"], (moment + 365 * DAY).isoformat())


def newest(catalog: Catalog, now: datetime = NOW) -> tuple[str | None, list[str]]:
    with catalog.read() as connection:
        found = newest_by_order(connection, "simpel", "data", now)
    return found.backup.name if found.backup else None, [str(each.name) for each in found.passed_over]


def test_with_right_clocks_it_is_the_one_with_the_latest_moment(catalog: Catalog) -> None:
    assert (None, []) == newest(catalog)
    take(catalog, "old", BEFORE)
    take(catalog, "new", TODAY)
    take(catalog, "unproven", NOW, verified=False)
    assert ("new", []) == newest(catalog)


def test_one_of_a_time_still_to_come_is_passed_over_until_that_time(catalog: Catalog) -> None:
    """Whether it was taken under a wrong clock or ours is wrong now, people are to see to it."""
    take(catalog, "old", BEFORE)
    take(catalog, "ahead", NOW + DAY)
    assert ("old", ["ahead"]) == newest(catalog)
    # Nothing was taken since: it is what was taken last.
    assert ("ahead", []) == newest(catalog, NOW + DAY)
    assert ("ahead", []) == newest(catalog, NOW + DAY - CLOCK_TOLERANCE)


def test_one_taken_under_a_clock_that_ran_ahead_is_never_newer_than_what_followed(catalog: Catalog) -> None:
    """Also not when the real time has passed its moment."""
    take(catalog, "old", BEFORE)
    take(catalog, "ahead", NOW + DAY)
    take(catalog, "right", TODAY)
    for now in (NOW, NOW + 2 * DAY):
        assert ("right", ["ahead"]) == newest(catalog, now)


def test_one_taken_under_a_clock_that_was_set_back_is_newer_than_what_it_followed(catalog: Catalog) -> None:
    take(catalog, "old", BEFORE)
    take(catalog, "newer", TODAY)
    take(catalog, "back", NOW - 365 * DAY)
    assert ("back", ["newer", "old"]) == newest(catalog)


def test_without_a_believable_one_there_is_none(catalog: Catalog) -> None:
    take(catalog, "ahead", NOW + DAY)
    take(catalog, "further", NOW + 2 * DAY)
    assert (None, ["further", "ahead"]) == newest(catalog)


def test_of_one_that_the_ledger_does_not_know_only_the_moment_counts(catalog: Catalog) -> None:
    """Found in a store when the records were rebuilt: taken after the newest records that were there, or before."""
    take(catalog, "known", BEFORE)
    take(catalog, "found", TODAY, in_ledger=False)
    take(catalog, "found ahead", NOW + DAY, in_ledger=False)
    take(catalog, "found long ago", BEFORE - DAY, in_ledger=False)
    assert ("found", ["found ahead"]) == newest(catalog)


def test_of_each_it_can_be_said_whether_its_moment_is_believed(catalog: Catalog) -> None:
    """For one that is named: it is taken, and people are told."""
    take(catalog, "old", BEFORE)
    take(catalog, "ahead", NOW + DAY)
    take(catalog, "right", TODAY)
    with catalog.read() as connection:
        every = {str(each.name): each for each in backups.list_verified(connection, "simpel", "data")}
        for now in (NOW, NOW + 2 * DAY):
            believed = {name for name, each in every.items() if is_believed(connection, each, now)}
            assert {"old", "right"} == believed
