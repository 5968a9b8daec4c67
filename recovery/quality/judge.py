"""Judges a loaded copy: Great Expectations compares it with the fingerprint of the dump and with the owner's rules."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from recovery.calendar import to_date
from recovery.errors import ConfigurationError
from recovery.quality.engine import open_datasource, quiet, versions, whole_batch
from recovery.quality.results import DATABASE, blind, manifest_checks, suite_checks
from recovery.quality.suites import load_suite
from recovery.quality.verdict import Check, Verdict
from recovery.sources.base import Fingerprint

logger = logging.getLogger(__name__)

# BASIC without examples: counts and no values, and the queries that would fetch rows are not even run.
RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}

# Great Expectations keeps everything of one validation in memory: in parts, memory does not grow with the tables.
EXPECTATIONS_AT_ONCE = 200
# A copy that cannot be read shows at once; waiting for a lock once per table would take hours.
FIRST_EXPECTATIONS = 4


READ_ONLY_SESSION = "-c default_transaction_read_only=on"
READ_ONLY_INITIALLY = "tx_read_only = 1"


class _BlindError(Exception):
    """Nothing could be looked at; whatever else is asked would end the same."""


def judge(url: str, expected: Fingerprint, measured: Fingerprint, *, suite: Path | None, moment: datetime) -> Verdict:
    """Given a copy's URL, what was dumped and what the source's own code measured on the copy, return the verdict.

    Structure and row counts are read here anew; fingerprints are those of `measured`; `suite` is the owner's file,
    whose `$PARAMETER: hari_ini` is the day of `moment`, the backup's own. A copy that cannot be looked at is a
    verdict `error`, never `fail`. Raises ConfigurationError for a wrong suite or a URL that is not read-only: then
    nothing was judged.
    """
    _require_read_only(url)
    suites = load_suite(suite) if suite else {}
    with quiet():
        checks = list(_judge(url, expected, measured, suites, to_date(moment).isoformat()))
        engines = versions()
    verdict = Verdict.of(checks, engines, datetime.now(UTC).isoformat(timespec="microseconds"))
    logger.info("judged %s objects: %s %s", len(expected.objects), verdict.state, verdict.counts)
    return verdict


def _judge(
    url: str, expected: Fingerprint, measured: Fingerprint, suites: dict[str, dict[str, Any]], today: str
) -> Iterator[Check]:
    from great_expectations.datasource.fluent.interfaces import TestConnectionError

    try:
        with open_datasource(url) as datasource:
            yield from _judge_manifest(datasource, expected, measured)
            for suite in suites.values():
                yield from _judge_suite(datasource, suite, today)
    except TestConnectionError as error:
        yield blind("opening", DATABASE, error)
    except _BlindError:
        yield Check("rest", DATABASE, "error", message="selebihnya tidak diperiksa, karena salinan tidak dapat dibaca")


def _judge_manifest(datasource: Any, expected: Fingerprint, measured: Fingerprint) -> Iterator[Check]:
    from great_expectations import ExpectationSuite

    from recovery.quality.manifest import manifest_expectations
    from recovery.quality.metrics import evidence

    # Any query makes a batch: the manifest's expectations name their tables themselves.
    batch = whole_batch(datasource.add_query_asset(name="manifest", query="SELECT 1 AS ada"))
    with evidence(measured) as key:
        expectations = manifest_expectations(expected, key)
        at_once = FIRST_EXPECTATIONS
        while part := list(islice(expectations, at_once)):
            suite = ExpectationSuite(name="manifest", expectations=part)
            checks = manifest_checks(part, batch.validate(suite, result_format=RESULT_FORMAT))
            yield from checks
            if all(check.state == "error" for check in checks):
                raise _BlindError
            at_once = EXPECTATIONS_AT_ONCE


def _judge_suite(datasource: Any, suite: dict[str, Any], today: str) -> Iterator[Check]:
    from great_expectations import ExpectationSuite
    from great_expectations.datasource.fluent.interfaces import TestConnectionError

    try:
        # Quotation marks: without them Great Expectations writes the name into its SQL as it stands.
        asset = _asset(datasource, f"suite {suite['name']}", suite["asset"])
    except TestConnectionError as error:
        yield blind("suite", suite["asset"], error)
        return
    numbered = [{**expectation, "meta": {"number": number}} for number, expectation in enumerate(suite["expectations"])]
    built = ExpectationSuite(name=suite["name"], expectations=numbered)
    result = whole_batch(asset).validate(built, result_format=RESULT_FORMAT, expectation_parameters={"hari_ini": today})
    yield from suite_checks(suite, result)


def _asset(datasource: Any, name: str, table: str) -> Any:
    schema, dot, bare = table.rpartition(".")
    if dot and datasource.get_engine().dialect.name == "postgresql":
        # A schema given apart would be written in lower case by Great Expectations 1.24.
        return datasource.add_query_asset(name=name, query=f'SELECT * FROM "{schema}"."{bare}"')  # noqa: S608
    return datasource.add_table_asset(name=name, table_name=f'"{table}"')


def _require_read_only(url: str) -> None:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError("the address of the copy is no SQLAlchemy URL", state="nothing was judged") from error
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql", "mysql"):
        raise ConfigurationError(f"copies on {backend} cannot be judged", state="nothing was judged")
    if backend == "sqlite":
        # Otherwise a missing copy would be created, empty, and an owner's rule could write.
        read_only = parsed.query.get("mode") == "ro" and parsed.query.get("uri") == "true"
        hint = "give sqlite:///file:/path?mode=ro&uri=true"
    elif backend == "mysql":
        read_only = READ_ONLY_INITIALLY in str(parsed.query.get("init_command", ""))
        hint = f"give mysql+pymysql://…?init_command=SET SESSION {READ_ONLY_INITIALLY}"
    else:
        read_only = READ_ONLY_SESSION in str(parsed.query.get("options", ""))
        hint = f"give postgresql+psycopg://?dbname=…&options={READ_ONLY_SESSION}"
    if not read_only:
        raise ConfigurationError(
            "a copy is judged through a read-only connection only", state="nothing was judged", hint=hint
        )
