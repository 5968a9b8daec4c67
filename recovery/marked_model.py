"""A YAML file held against a pydantic model: what is wrong in it, said so that a person finds the line and mends it."""

import difflib
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from recovery.marked_yaml import Complaint, Location, MarkedDocument

Model = TypeVar("Model", bound=BaseModel)

# What a person should write, by the pattern that the value does not match. The value itself is never repeated: it
# may be a password that somebody wrote where a reference belongs.
_PATTERNS = {
    r"^[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?$": "must be lower case letters, digits and dashes, 42 at most",
    r"^(file|env|credential):.+$": "must be a reference to a secret: file:/path, env:NAME or credential:NAME",
    r"^/": "must be an absolute path",
    r"^(/.*)?$": "must be an absolute path",
    r"^[0-9]{18}$": "must be 18 digits",
}


def validate_marked(document: MarkedDocument, model: type[Model]) -> tuple[Model | None, list[Complaint]]:
    """Given a file that was read and a model, return what the file says (None when it is not valid) and every
    complaint about it, those of reading it included."""
    complaints = list(document.complaints)
    try:
        return model.model_validate(document.value), complaints
    except ValidationError as error:
        return None, complaints + [_complaint(document, model, detail) for detail in error.errors()]


def _complaint(document: MarkedDocument, model: type[BaseModel], detail: Any) -> Complaint:
    location: Location = detail["loc"]
    context = detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            message = "is missing"
        case "extra_forbidden":
            message = "unknown key" + _nearest(str(location[-1]), _fields_at(model, location[:-1]))
        case "string_pattern_mismatch":
            message = _PATTERNS.get(context["pattern"], f"does not match {context['pattern']}")
        case "string_type" if isinstance(detail["input"], int | float) or detail["input"] is None:
            message = "must be text; put it in quotes"
        case "literal_error":
            choices = [str(choice) for choice in get_args(_type_at(model, location))]
            message = f"must be one of {context['expected']}" + _nearest(str(detail["input"]), choices)
        case "model_type" | "dict_type" | "model_attributes_type":
            message = "must be a section with keys" if document.value is not None else "the file is empty"
        case "list_type":
            message = "must be a list; write each entry with a dash"
        case "too_short":
            message = "must have at least one entry"
        case _:
            text = str(detail["msg"]).removeprefix("Input ").removeprefix("Value error, ")
            message = text[:1].lower() + text[1:]
    return Complaint(location, message)


def _nearest(word: str, known: list[str]) -> str:
    matches = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {matches[0]!r}?" if matches else f"; known are {', '.join(known)}" if known else ""


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    found = _type_at(model, location)
    return list(found.model_fields) if isinstance(found, type) and issubclass(found, BaseModel) else []


def _type_at(model: type[BaseModel], location: Location) -> Any:
    """Given a location, return the type that the model says stands there."""
    found: Any = model
    for part in location:
        found = get_args(found)[0] if isinstance(part, int) else found.model_fields[part].annotation
        if NoneType in get_args(found) and get_origin(found) is not None:
            found = next(each for each in get_args(found) if each is not NoneType)
    return found
