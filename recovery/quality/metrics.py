"""What the judge's own expectations look at: the copy through Great Expectations' connection, and what was measured.

Importing this module imports Great Expectations, which takes seconds: import it inside of functions only.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from uuid import uuid4

import sqlalchemy
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from recovery.quality import mariadb
from recovery.sources.base import Fingerprint

# SQLITE_CORRUPT and SQLITE_NOTADB: the file was looked at and is no database any more.
DAMAGED_CODES = (11, 26)
# data_corrupted and index_corrupted of PostgreSQL.
DAMAGED_STATES = ("XX001", "XX002")
# The one damage that SQLite tells with its code for wrong SQL: a number in the header that no release ever wrote.
DAMAGED_HEADER = "unsupported file format"
# A foreign key whose parent has no key, a collation or a function that only the application has: the source is made
# so, and the copy with it.
NOT_CHECKABLE = ("foreign key mismatch", "no such collation", "no such function", "no such module")

_measured: dict[str, Fingerprint] = {}


class Damaged:
    """What a metric returns when SQLite says that the file itself is damaged: an observation, not a blind checker."""


class NotCheckable:
    """What a metric returns when the source's own design keeps the question from being asked."""


@contextmanager
def evidence(measured: Fingerprint) -> Iterator[str]:
    """Given what the source's own code measured on the copy, lend it to the metrics under the key that is yielded."""
    key = uuid4().hex
    _measured[key] = measured
    try:
        yield key
    finally:
        del _measured[key]


def quoted(name: str) -> str:
    """Given a name out of a manifest, return it as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _read(engine: Any, query: str, parameters: tuple[Any, ...] = ()) -> Any:
    try:
        with engine.get_connection() as connection:
            return connection.exec_driver_sql(query, parameters).fetchall()
    except sqlalchemy.exc.DatabaseError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code in DAMAGED_CODES or str(error.orig) == DAMAGED_HEADER:
            return Damaged()
        if getattr(error.orig, "sqlstate", None) in DAMAGED_STATES:  # pragma: no cover - breaks after it was measured
            return Damaged()
        if error.orig is not None and mariadb.is_damaged(error.orig):
            return Damaged()
        raise


def _present(engine: Any, table: str) -> Any:
    return _read(engine, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,))


def _count_on_server(engine: Any, table: str) -> Any:
    # The name is one of the fingerprint's, which the server wrote; it is looked up and not run.
    found = _read(engine, "SELECT to_regclass(%s)::text", (table,))
    if isinstance(found, Damaged) or found[0][0] is None:  # pragma: no cover - breaks after it was measured
        return found if isinstance(found, Damaged) else None
    rows = _read(engine, f"SELECT count(*) FROM ONLY {found[0][0]}")  # noqa: S608
    return rows if isinstance(rows, Damaged) else int(rows[0][0])


def _digest(table: str, statement: str | None) -> str:
    # As in the source's fingerprint: the table's name and the whole statement, so that columns, their order, types,
    # nullability, defaults, keys and conditions are all in it.
    return hashlib.sha256(f"{table}\0{statement}".encode("utf-8", "surrogatepass")).hexdigest()


class _Metric(TableMetricProvider):
    """Base of the judge's metrics: `look` reads from the copy, or from what was measured on it."""

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _value(cls, execution_engine: Any, metric_value_kwargs: dict[str, Any], **_others: Any) -> Any:  # noqa: N805
        # Great Expectations hands the class over by this name: there are no instances of metrics.
        return cls.look(execution_engine, **metric_value_kwargs)

    # Given the engine and the metric's value keys, returns what is there.
    look: ClassVar[Callable[..., Any]]


class _Schema(_Metric):
    metric_name = "table.pulih_schema"
    value_keys = ("kind",)

    @staticmethod
    def look(engine: Any, kind: str) -> Any:
        query = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = ?"
        rows = _read(engine, query, (kind,))
        if isinstance(rows, Damaged):
            return rows
        return {name: _digest(table, sql) for name, table, sql in rows}


class _Structure(_Metric):
    metric_name = "table.pulih_structure"
    value_keys = ("table",)

    @staticmethod
    def look(engine: Any, table: str) -> Any:
        query = "SELECT tbl_name, sql FROM sqlite_master WHERE type = 'table' AND name = ?"
        rows = _read(engine, query, (table,))
        if isinstance(rows, Damaged):
            return rows
        return _digest(*rows[0]) if rows else None


class _RowCount(_Metric):
    metric_name = "table.pulih_row_count"
    value_keys = ("table",)

    @staticmethod
    def look(engine: Any, table: str) -> Any:
        if engine.dialect_name == "postgresql":
            return _count_on_server(engine, table)
        if engine.dialect_name == "mysql":
            return mariadb.count(engine, table, _read)
        present = _present(engine, table)
        if isinstance(present, Damaged) or not present:
            return present or None
        # Not by an index: the index may need a collation that only the application has.
        rows = _read(engine, f"SELECT count(*) FROM {quoted(table)} NOT INDEXED")  # noqa: S608
        return rows if isinstance(rows, Damaged) else int(rows[0][0])


class _Orphans(_Metric):
    metric_name = "table.pulih_orphans"
    value_keys = ("table",)

    @staticmethod
    def look(engine: Any, table: str) -> Any:
        if engine.dialect_name == "mysql":
            found = mariadb.orphans(engine, table, _read)
            return NotCheckable() if found == -1 else found
        present = _present(engine, table)
        if isinstance(present, Damaged) or not present:
            return present or None
        try:
            rows = _read(engine, "SELECT count(*) FROM pragma_foreign_key_check(?)", (table,))
        except sqlalchemy.exc.OperationalError as error:
            if any(reason in str(error.orig) for reason in NOT_CHECKABLE):
                return NotCheckable()
            raise  # pragma: no cover - whatever else may go wrong: the judge then says that he could not look
        return rows if isinstance(rows, Damaged) else int(rows[0][0])


class _ListedSize(_Metric):
    metric_name = "table.pulih_listed_size"
    value_keys = ()

    @staticmethod
    def look(engine: Any) -> Any:
        rows = _read(engine, "SELECT coalesce(sum(size), 0) FROM berkas")
        return rows if isinstance(rows, Damaged) else int(rows[0][0])


class _Measured(_Metric):
    metric_name = "table.pulih_measured"
    value_keys = ("evidence", "section", "name")

    @staticmethod
    def look(engine: Any, evidence: str, section: str, name: str) -> Any:
        values: dict[str, Any] = getattr(_measured[evidence], section)
        # Only what is asked for: Great Expectations keeps every metric's value as long as the batch.
        return values.get(name) if name else values
