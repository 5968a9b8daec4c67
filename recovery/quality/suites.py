"""The owner's own rules: Great Expectations suites as YAML, read so strictly that no rule is lost in silence.

A file holds one or several suites as YAML documents, each in Great Expectations' own format; `meta.asset` names the
table. Great Expectations itself drops an expectation of unknown type with a mere log line, so a typing mistake would
make a backup pass with fewer checks: here it is an error that names file, line and field.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from recovery.errors import ConfigurationError
from recovery.marked_yaml import Complaint, Location, MarkedDocument, _PlainLoader, _Reader
from recovery.quality.engine import quiet

PARAMETERS = ("hari_ini",)
SUITE_FIELDS = frozenset({"name", "meta", "expectations", "notes", "id"})
EXPECTATION_FIELDS = frozenset({"type", "kwargs", "meta", "notes", "severity", "id", "description"})
SEVERITIES = ("critical", "warning", "info")
QUERY_TYPE = "unexpected_rows_expectation"
QUERY = re.compile(r"\s*(?:SELECT|WITH)\b", re.IGNORECASE)
# The judge's own expectations compare with a fingerprint that only the judge has.
RESERVED = "expect_pulih_"


@dataclass(frozen=True)
class _Place:
    """A suite's document and the index of the document in its file."""

    document: MarkedDocument
    complaints: list[Complaint]

    def complain(self, message: str, *location: str | int) -> None:
        self.complaints.append(Complaint(location, message))


def load_suite(path: Path) -> dict[str, dict[str, Any]]:
    """Given a file, return its suites by name, each {"name", "asset", "expectations": [{"type", "kwargs", …}]}.

    Every expectation has been built once by Great Expectations. Raises ConfigurationError naming file, line and field
    of everything that is wrong, all at once.
    """
    with quiet():
        suites, sentences = _read(path)
    if not suites:
        sentences.append(f"{path.name}:1: the file holds no suite")
    if sentences:
        raise ConfigurationError(
            "\n".join(sentences),
            state="nothing was judged",
            hint="correct the lines named above; the format is that of Great Expectations' suites",
        )
    return suites


def check_suite(path: Path) -> None:
    """Given a file, return when every rule in it will really be judged; raises ConfigurationError otherwise."""
    load_suite(path)


def _read(path: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    suites: dict[str, dict[str, Any]] = {}
    sentences: list[str] = []
    for document in _documents(path):
        place = _Place(document, list(document.complaints))
        suite = _suite(place)
        if suite and suite["name"] in suites:
            place.complain(f"a suite named {suite['name']!r} stands in this file already", "name")
        suites[suite["name"] if suite else ""] = suite
        ordered = sorted(place.complaints, key=lambda complaint: document.line(complaint.location))
        sentences += dict.fromkeys(document.sentence(complaint) for complaint in ordered)
    return suites, sentences


def _documents(path: Path) -> Iterator[MarkedDocument]:
    try:
        nodes = list(yaml.compose_all(path.read_text(encoding="utf-8"), Loader=_PlainLoader))
    except OSError as error:
        raise ConfigurationError(
            f"the suite {path} cannot be read ({error.strerror})",
            state="nothing was judged",
            hint="name a readable YAML file in the component's field 'suite', or leave the field empty",
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{path.name}:{line}: this is not UTF-8 text", state="nothing was judged", hint="save the file as UTF-8"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ConfigurationError(
            f"{path.name}:{mark.line + 1 if mark else 1}: {problem}",
            state="nothing was judged",
            hint="correct the YAML",
        ) from error
    for node in nodes:
        reader = _Reader()
        value = reader.read(node, ())
        yield MarkedDocument(path, value, reader.lines, reader.key_lines, tuple(reader.complaints))


def _suite(place: _Place) -> dict[str, Any]:
    raw = place.document.value
    if not isinstance(raw, dict):
        place.complain("a suite is a mapping with name, meta and expectations")
        return {}
    _only(place, raw, SUITE_FIELDS)
    name, meta, expectations = raw.get("name"), raw.get("meta"), raw.get("expectations")
    if not isinstance(name, str) or not name:
        place.complain("a suite needs a name", "name")
    asset = meta.get("asset") if isinstance(meta, dict) else None
    if not isinstance(asset, str) or not asset or '"' in asset:
        place.complain("names the table that the suite judges, as text without quotes", "meta", "asset")
    if not isinstance(expectations, list) or not expectations:
        place.complain("a suite without expectations would judge nothing", "expectations")
        return {}
    for index, expectation in enumerate(expectations):
        _check_expectation(place, expectation, ("expectations", index))
    if place.complaints:
        return {}
    return {"name": name, "asset": asset, "expectations": expectations}


def _check_expectation(place: _Place, raw: Any, at: Location) -> None:
    if not isinstance(raw, dict):
        place.complain("an expectation is a mapping with type and kwargs", *at)
        return
    _only(place, raw, EXPECTATION_FIELDS, *at)
    if raw.get("severity", "critical") not in SEVERITIES:
        place.complain(f"is one of {', '.join(SEVERITIES)}", *at, "severity")
    kind, kwargs = raw.get("type"), raw.get("kwargs", {})
    if not isinstance(kind, str):
        place.complain("names the expectation", *at, "type")
        return
    if not isinstance(kwargs, dict):
        place.complain("is a mapping", *at, "kwargs")
        return
    _check_parameters(place, kwargs, (*at, "kwargs"))
    if kind == QUERY_TYPE:
        query = kwargs.get("unexpected_rows_query")
        if not isinstance(query, str) or not QUERY.match(query):
            # The query runs as it is; a read-only connection alone would still let VACUUM INTO write a file.
            place.complain("only SELECT or WITH may be run", *at, "kwargs", "unexpected_rows_query")
        elif "{batch}" not in query:
            place.complain("must read from {batch}, the table of meta.asset", *at, "kwargs", "unexpected_rows_query")
    _build(place, kind, raw, at)


def _check_parameters(place: _Place, value: Any, at: Location) -> None:
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "$PARAMETER" and child not in PARAMETERS:
                place.complain(f"there is no parameter {child!r}; there is {', '.join(PARAMETERS)}", *at, key)
            _check_parameters(place, child, (*at, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _check_parameters(place, child, (*at, index))


def _build(place: _Place, kind: str, raw: dict[str, Any], at: Location) -> None:
    # Here and not at the top: the import takes seconds.
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    # Importing it is what registers the expectations.
    import_module("great_expectations.expectations")
    try:
        if kind.startswith(RESERVED):
            raise ExpectationNotFoundError(kind)
        built = get_expectation_impl(kind)
        built(**raw.get("kwargs", {}))
    except ExpectationNotFoundError:
        place.complain(f"there is no expectation {kind!r}", *at, "type")
    except ValidationError as error:
        for complaint in error.errors():
            field = str(complaint["loc"][0])
            location = (*at, "kwargs") if field == "__root__" else (*at, "kwargs", field)
            place.complain(complaint["msg"], *location)
    except (TypeError, ValueError) as error:  # pragma: no cover - an expectation that checks in a way of its own
        place.complain(str(error).splitlines()[0], *at, "kwargs")


def _only(place: _Place, raw: dict[str, Any], fields: frozenset[str], *at: str | int) -> None:
    for key in raw.keys() - fields:
        place.complain(f"is not a field here; there are {', '.join(sorted(fields))}", *at, key)
