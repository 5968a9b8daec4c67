"""Every JSON document that the command prints in a test is held against its schema in docs/schemas."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from cli.main import VERBS

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
GROUPS = ("hold", "key", "ledger", "official", "retention")


def schema_of(arguments: Sequence[str]) -> str:
    """Given what was typed behind `pulih`, return the name of its document's schema; "" when no verb was typed."""
    places = [place for place, argument in enumerate(arguments) if argument in VERBS]
    if not places:
        return ""
    verb = arguments[places[0]]
    return f"{verb}-{arguments[places[0] + 1]}" if verb in GROUPS else verb


def check(name: str, document: Any) -> None:
    """Given a schema's name and a document, fail when the document is not what the schema says, or holds more."""
    errors = [f"{error.json_path}: {error.message}" for error in _validator(name).iter_errors(document)]
    assert [] == errors, f"docs/schemas/{name}.json"


def properties_of(name: str) -> set[str]:
    """Given a schema's name, return the keys of its document, or of the objects that the document lists."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return {key for each in schema.get("oneOf", [schema.get("items", schema)]) for key in each["properties"]}


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(_closed(schema))


def _closed(schema: Any) -> Any:
    """Programs must bear a key that is new to them; here, one that is not documented is a mistake."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in schema else closed
