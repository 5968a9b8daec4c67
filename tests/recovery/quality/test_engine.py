"""The workaround for a defect of Great Expectations 1.24, and that it is still needed."""

import pytest
import sqlalchemy
from sqlalchemy.dialects import postgresql

from recovery.quality.engine import keep_identifiers_apart, open_datasource, quiet
from tests.recovery.quality.copies import Copy


class DialectOnly:
    """What the workaround touches of an engine: PostgreSQL's dialect, where the defect was seen."""

    def __init__(self) -> None:
        self.dialect = postgresql.dialect()


def written_after(engine: DialectOnly, first: str, second: str) -> str:
    """Return how SQLAlchemy writes the second column name after it has written the first one."""
    from great_expectations.expectations.metrics.util import CaseInsensitiveString

    quote = engine.dialect.identifier_preparer.quote
    quote(CaseInsensitiveString(first))
    return quote(CaseInsensitiveString(second))


@pytest.mark.parametrize(("first", "second", "right"), [("id", "ID", '"ID"'), ("ID", "id", "id")])
def test_columns_that_differ_only_in_case_stay_apart(first: str, second: str, right: str):
    engine = DialectOnly()
    keep_identifiers_apart(engine)
    assert right == written_after(engine, first, second)


def test_the_defect_is_still_there_or_the_workaround_can_go():
    assert '"ID"' != written_after(DialectOnly(), "id", "ID")


def test_both_engines_of_a_datasource_get_the_workaround(copy: Copy):
    with quiet(), open_datasource(copy.url) as datasource:
        for engine in (datasource.get_engine(), datasource.get_execution_engine().engine):
            preparer = engine.dialect.identifier_preparer
            preparer.quote("id")
            assert "id" not in preparer._strings


def test_a_datasource_cannot_write(copy: Copy):
    with (
        quiet(),
        open_datasource(copy.url) as datasource,
        datasource.get_engine().connect() as connection,
        pytest.raises(sqlalchemy.exc.OperationalError, match="attempt to write a readonly database"),
    ):
        connection.exec_driver_sql("DELETE FROM penduduk")
