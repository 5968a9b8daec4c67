"""The judge's own expectations: what Great Expectations compares when it judges a copy against a fingerprint.

Importing this module imports Great Expectations, which takes seconds: import it inside of functions only.
Each expectation names its table itself and all of one copy are validated in one batch. One batch per table costs
24 ms of processor time for each table (registering it rewrites the project's configuration), this costs 4 ms.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from uuid import uuid4

import sqlalchemy
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from recovery.sources.base import Fingerprint

# SQLITE_CORRUPT and SQLITE_NOTADB: the file was looked at and is no database any more.
DAMAGED_CODES = (11, 26)
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
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in DAMAGED_CODES:
            return Damaged()
        raise


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
        present = _read(engine, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,))
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
        try:
            rows = _read(
                engine,
                "SELECT count(*) FROM pragma_foreign_key_check(?)",
                (table,),
            )
        except sqlalchemy.exc.OperationalError as error:
            if any(reason in str(error.orig) for reason in NOT_CHECKABLE):
                return NotCheckable()
            raise
        return rows if isinstance(rows, Damaged) else int(rows[0][0])


class _Measured(_Metric):
    metric_name = "table.pulih_measured"
    value_keys = ("evidence", "section", "name")

    @staticmethod
    def look(engine: Any, evidence: str, section: str, name: str) -> Any:
        values: dict[str, Any] = getattr(_measured[evidence], section)
        # Only what is asked for: Great Expectations keeps every metric's value as long as the batch.
        return values.get(name) if name else values


class _PulihExpectation(BatchExpectation):
    """Base: turns what a metric saw into a number or digest and an Indonesian sentence, and never into data."""

    metric: ClassVar[str]

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        seen = metrics[self.metric]
        if isinstance(seen, Damaged):
            return _finding(False, "rusak", "berkas basis data rusak, isinya tidak dapat dibaca")
        return self._compare(seen)

    def _compare(self, seen: Any) -> dict[str, Any]:
        raise NotImplementedError


class ExpectPulihSchemaToEqual(_PulihExpectation):
    """The objects of one kind (tables, indexes, triggers, views) are those of the fingerprint, no more and no less."""

    kind: str
    expected: dict[str, str]
    metric: ClassVar[str] = "table.pulih_schema"
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.pulih_schema",)
    success_keys: ClassVar[tuple[str, ...]] = ("kind", "expected")

    def _compare(self, seen: dict[str, str]) -> dict[str, Any]:
        return _finding_of(self.expected, seen)


class ExpectPulihStructureToEqual(_PulihExpectation):
    """One table's definition is that of the fingerprint."""

    table: str
    digest: str
    metric: ClassVar[str] = "table.pulih_structure"
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.pulih_structure",)
    success_keys: ClassVar[tuple[str, ...]] = ("table", "digest")

    def _compare(self, seen: str | None) -> dict[str, Any]:
        if seen is None:
            return _finding(False, "tidak ada", "tabel tidak ada")
        return _finding(seen == self.digest, seen, "definisi tabel (kolom, tipe, kunci, syarat) berbeda dari data asal")


class ExpectPulihRowCountToEqual(_PulihExpectation):
    """A table has as many rows as at the moment of the dump, counted here and now."""

    table: str
    value: int
    metric: ClassVar[str] = "table.pulih_row_count"
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.pulih_row_count",)
    success_keys: ClassVar[tuple[str, ...]] = ("table", "value")

    def _compare(self, seen: int | None) -> dict[str, Any]:
        if seen is None:
            return _finding(False, "tidak ada", f"tabel tidak ada; seharusnya berisi {self.value} baris")
        return _finding(seen == self.value, str(seen), f"{seen} baris ditemukan, seharusnya {self.value}")


class ExpectPulihFingerprintToEqual(_PulihExpectation):
    """What the source's own code measured of an object on the copy is what it measured at the moment of the dump."""

    name: str
    evidence: str
    section: str = "objects"
    expected: dict[str, Any]
    metric: ClassVar[str] = "table.pulih_measured"
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.pulih_measured",)
    success_keys: ClassVar[tuple[str, ...]] = ("name", "evidence", "section", "expected")

    def _compare(self, seen: dict[str, Any] | None) -> dict[str, Any]:
        if seen is None:
            return _finding(False, "tidak ada", "tidak ada pada salinan, sehingga tidak terukur")
        parts = sorted(key for key in self.expected.keys() | seen.keys() if self.expected.get(key) != seen.get(key))
        return _finding(
            not parts, str(seen.get("digest", "")), f"isi berbeda dari data asal (yang berbeda: {', '.join(parts)})"
        )


class ExpectPulihValuesToEqual(_PulihExpectation):
    """A section of the measured fingerprint (structure, totals) is that of the dump, name by name."""

    evidence: str
    section: str
    name: str = ""
    expected: dict[str, Any]
    metric: ClassVar[str] = "table.pulih_measured"
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.pulih_measured",)
    success_keys: ClassVar[tuple[str, ...]] = ("evidence", "section", "name", "expected")

    def _compare(self, seen: dict[str, Any]) -> dict[str, Any]:
        return _finding_of(flat(self.expected), flat(seen))


class ExpectPulihNoOrphans(_PulihExpectation):
    """Every foreign key of a table finds its parent: a question to the source's data, which a backup only copies."""

    table: str
    metric: ClassVar[str] = "table.pulih_orphans"
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.pulih_orphans",)
    success_keys: ClassVar[tuple[str, ...]] = ("table",)

    def _compare(self, seen: Any) -> dict[str, Any]:
        if isinstance(seen, NotCheckable):
            return _finding(False, "", "kunci asing tidak dapat diperiksa karena rancangan basis data asal")
        return _finding(seen == 0, str(seen), f"{seen} baris menunjuk induk yang tidak ada (mutu data asal)")


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Given nested plain data, return it with one name for each leaf."""
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            leaves |= flat(value, f"{prefix}{key} ")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


NAMES_SHOWN = 20


def _finding_of(expected: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    parts = [
        ("tidak ada", sorted(expected.keys() - found.keys())),
        ("seharusnya tidak ada", sorted(found.keys() - expected.keys())),
        ("berbeda", sorted(key for key in expected.keys() & found.keys() if expected[key] != found[key])),
    ]
    sentences = []
    for word, names in parts:
        if names:
            more = f" dan {len(names) - NAMES_SHOWN} lainnya" if len(names) > NAMES_SHOWN else ""
            sentences.append(f"{word}: {', '.join(names[:NAMES_SHOWN])}{more}")
    return _finding(not sentences, str(len(found)), "; ".join(sentences))


def _finding(success: bool, observed: str, message: str) -> dict[str, Any]:
    return {
        "success": success,
        "result": {"observed_value": observed, "details": {"message": "" if success else message}},
    }
