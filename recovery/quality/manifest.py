"""Turns the fingerprint of a dump into expectations: what must be found on the copy.

Imports Great Expectations with its expectations: import it inside of functions only.
"""

from collections.abc import Iterator
from typing import Any

from great_expectations.expectations.metadata_types import FailureSeverity

from recovery.errors import ConfigurationError
from recovery.quality import expectations as own
from recovery.quality.results import DATABASE, DIRECTORY
from recovery.sources.base import AT_LEAST, VERSIONS, Fingerprint

# SQLite's kinds of schema objects, and the name of the check that finds missing and unexpected ones.
KINDS = {"table": "tables", "index": "indexes", "trigger": "triggers", "view": "views"}


def manifest_expectations(expected: Fingerprint, evidence: str) -> Iterator[Any]:
    """Given what was dumped and the key of what was measured, yield what is expected of a copy of that kind.

    Each expectation's `meta` holds its number, the name of its check and the object that it looks at.
    """
    builders = {"sqlite": _sqlite, "files": _files, "postgresql": _server, "mariadb": _server}
    if expected.kind not in builders:
        raise ConfigurationError(f"copies of kind {expected.kind} cannot be judged", state="nothing was judged")
    for number, (name, object, expectation) in enumerate(builders[expected.kind](expected, evidence)):
        expectation.meta = {"number": number, "name": name, "object": object}
        yield expectation


def _sqlite(expected: Fingerprint, evidence: str) -> Iterator[tuple[str, str, Any]]:
    schema: dict[str, str] = expected.structure["schema"]
    for kind, name in KINDS.items():
        of_kind = {key.removeprefix(f"{kind} "): digest for key, digest in schema.items() if key.startswith(f"{kind} ")}
        yield name, DATABASE, own.ExpectPulihSchemaToEqual(kind=kind, expected=of_kind)
    yield (
        "structure",
        DATABASE,
        own.ExpectPulihValuesToEqual(evidence=evidence, section="structure", expected=expected.structure),
    )
    yield (
        "totals",
        DATABASE,
        own.ExpectPulihValuesToEqual(evidence=evidence, section="totals", expected=expected.totals),
    )
    for key, digest in schema.items():
        if key.startswith("table "):
            table = key.removeprefix("table ")
            yield "structure", table, own.ExpectPulihStructureToEqual(table=table, digest=digest)
    for table, entry in expected.objects.items():
        yield "row_count", table, own.ExpectPulihRowCountToEqual(table=table, value=entry["rows"])
        yield "fingerprint", table, own.ExpectPulihFingerprintToEqual(name=table, evidence=evidence, expected=entry)
        # Rows without a parent were so in the source: the owner should know, and the backup is still true.
        yield "orphans", table, own.ExpectPulihNoOrphans(table=table, severity=FailureSeverity.WARNING)


def _server(expected: Fingerprint, evidence: str) -> Iterator[tuple[str, str, Any]]:
    for section, values in expected.compared_structure().items():
        if isinstance(values, dict):
            yield (
                section,
                DATABASE,
                own.ExpectPulihValuesToEqual(evidence=evidence, section="structure", name=section, expected=values),
            )
    positions = expected.structure[AT_LEAST]
    yield (
        "sequence positions",
        DATABASE,
        own.ExpectPulihValuesToBeAtLeast(evidence=evidence, section="structure", name=AT_LEAST, expected=positions),
    )
    if versions := expected.structure.get(VERSIONS):
        # What the backup's server had may be installed nowhere else: the owner should know, and the data is whole.
        yield (
            VERSIONS,
            DATABASE,
            own.ExpectPulihValuesToEqual(
                evidence=evidence,
                section="structure",
                name=VERSIONS,
                expected=versions,
                severity=FailureSeverity.WARNING,
            ),
        )
    for name, number in expected.compared_totals().items():
        yield (
            "totals",
            DATABASE,
            own.ExpectPulihValuesToEqual(evidence=evidence, section="totals", name=name, expected={name: number}),
        )
    for table, entry in expected.objects.items():
        if "owners" not in entry:
            # Counted here and now; large objects, which have owners each, are in no table that anybody may read.
            yield "row_count", table, own.ExpectPulihRowCountToEqual(table=table, value=entry["rows"])
        yield "fingerprint", table, own.ExpectPulihFingerprintToEqual(name=table, evidence=evidence, expected=entry)
        if expected.kind == "mariadb":
            # Its keys can be switched off, so rows without a parent may have been so in the source: see _sqlite.
            yield "orphans", table, own.ExpectPulihNoOrphans(table=table, severity=FailureSeverity.WARNING)


def _files(expected: Fingerprint, evidence: str) -> Iterator[tuple[str, str, Any]]:
    totals = expected.totals
    yield "row_count", DIRECTORY, own.ExpectPulihRowCountToEqual(table="berkas", value=totals["rows"])
    yield "size", DIRECTORY, own.ExpectPulihListedSizeToEqual(value=totals["bytes"])
    for section in ("structure", "totals"):
        values = getattr(expected, section)
        yield section, DIRECTORY, own.ExpectPulihValuesToEqual(evidence=evidence, section=section, expected=values)
    for name, entry in expected.objects.items():
        content = {key: value for key, value in entry.items() if key != "owners"}
        yield (
            "fingerprint",
            name,
            own.ExpectPulihFingerprintToEqual(name=name, evidence=evidence, expected=content),
        )
        if entry.get("owners") is not None:
            yield (
                "owners",
                name,
                own.ExpectPulihOwnersToEqual(name=name, evidence=evidence, value=entry["owners"]),
            )
