"""The judge's own expectations: what Great Expectations compares when it judges a copy against a fingerprint.

Importing this module imports Great Expectations, which takes seconds: import it inside of functions only.
Each expectation names its table itself and all of one copy are validated in one batch. One batch per table costs
26 ms of processor time for each table (registering it rewrites the project's configuration), this costs 6 ms.
"""

from typing import Any, ClassVar

from great_expectations.expectations.expectation import BatchExpectation

from recovery.errors import VerificationError
from recovery.quality.metrics import Damaged, NotCheckable


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
        raise NotImplementedError  # pragma: no cover - each expectation compares in its own way


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
        parts = sorted(key for key, value in self.expected.items() if value != seen.get(key))
        return _finding(
            not parts, str(seen.get("digest", "")), f"isi berbeda dari data asal (yang berbeda: {', '.join(parts)})"
        )


class ExpectPulihOwnersToEqual(_PulihExpectation):
    """Owners and groups of files are those of the dump. Only root can restore them, so only root can look."""

    name: str
    evidence: str
    section: str = "objects"
    value: str
    metric: ClassVar[str] = "table.pulih_measured"
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.pulih_measured",)
    success_keys: ClassVar[tuple[str, ...]] = ("name", "evidence", "section", "value")

    def _compare(self, seen: dict[str, Any] | None) -> dict[str, Any]:
        if seen is None:
            return _finding(False, "tidak ada", "tidak ada pada salinan, sehingga tidak terukur")
        if seen.get("owners") is None:
            raise VerificationError("pemilik berkas hanya dapat diperiksa oleh root")
        return _finding(seen["owners"] == self.value, str(seen["owners"]), "pemilik atau grup berbeda dari data asal")


class ExpectPulihListedSizeToEqual(_PulihExpectation):
    """The sizes in the listing of a directory tree add up to what was dumped."""

    value: int
    metric: ClassVar[str] = "table.pulih_listed_size"
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.pulih_listed_size",)
    success_keys: ClassVar[tuple[str, ...]] = ("value",)

    def _compare(self, seen: int) -> dict[str, Any]:
        return _finding(seen == self.value, str(seen), f"{seen} bita ditemukan, seharusnya {self.value}")


class ExpectPulihValuesToEqual(_PulihExpectation):
    """A section of the measured fingerprint (structure, totals) is that of the dump, name by name."""

    evidence: str
    section: str
    name: str = ""
    expected: dict[str, Any]
    metric: ClassVar[str] = "table.pulih_measured"
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.pulih_measured",)
    success_keys: ClassVar[tuple[str, ...]] = ("evidence", "section", "name", "expected")

    def _compare(self, seen: Any) -> dict[str, Any]:
        if self.name and not isinstance(seen, dict):
            seen = {} if seen is None else {self.name: seen}
        return _finding_of(flat(self.expected), flat(seen))


class ExpectPulihValuesToBeAtLeast(_PulihExpectation):
    """Numbers of the measured fingerprint that only grow are those of the dump, or greater."""

    evidence: str
    section: str
    name: str
    expected: dict[str, int]
    metric: ClassVar[str] = "table.pulih_measured"
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.pulih_measured",)
    success_keys: ClassVar[tuple[str, ...]] = ("evidence", "section", "name", "expected")

    def _compare(self, seen: dict[str, int] | None) -> dict[str, Any]:
        # The number itself where it is good, so that only what fell behind is named.
        found = seen or {}
        reached = {name: min(found[name], number) for name, number in self.expected.items() if name in found}
        return _finding_of(self.expected, reached)


class ExpectPulihNoOrphans(_PulihExpectation):
    """Every foreign key of a table finds its parent: a question to the source's data, which a backup only copies."""

    table: str
    metric: ClassVar[str] = "table.pulih_orphans"
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.pulih_orphans",)
    success_keys: ClassVar[tuple[str, ...]] = ("table",)

    def _compare(self, seen: Any) -> dict[str, Any]:
        if seen is None:
            return _finding(False, "tidak ada", "tabel tidak ada")
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
