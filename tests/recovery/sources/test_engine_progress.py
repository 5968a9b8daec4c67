"""Measuring a database of a server tells of each table as it is done, and what it measures is the same."""

import pytest

from tests.recovery.sources import mariadb_databases, postgresql_databases


@pytest.mark.parametrize("fixture", ["rich", "rich_mariadb"])
def test_each_table_is_told_of_when_it_has_been_measured(fixture: str, request: pytest.FixtureRequest) -> None:
    dumped: postgresql_databases.Dumped | mariadb_databases.Dumped = request.getfixturevalue(fixture)
    told: list[tuple[int, int]] = []
    measured = dumped.source.fingerprint(measured=lambda done, total: told.append((done, total)))
    # Large objects are counted as one thing among the tables, and measured at the end.
    tables = len([name for name in measured.objects if name != "(large objects)"])
    assert tables >= 10
    assert told == [(number, tables) for number in range(1, tables + 1)]
    assert dumped.result.fingerprint.differences(measured) == []
