"""YAML that remembers where everything stands, so that an error can name file, line and field.

Stricter than YAML 1.1 where that surprises people: `no` and `2026-01-01` are text, duplicate keys and aliases errors.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from recovery.errors import ConfigurationError

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong in a file, with the place where a person should look."""

    location: Location
    message: str


@dataclass(frozen=True)
class MarkedDocument:
    """A YAML file as plain values, and the line of every value (`lines`) and every key (`key_lines`)."""

    path: Path
    value: Any
    lines: dict[Location, int]
    key_lines: dict[Location, int]
    complaints: tuple[Complaint, ...]

    def line(self, location: Location) -> int:
        """Given a location, return its line; what is missing in the file stands where its parent stands."""
        if location in self.key_lines:
            return self.key_lines[location]
        while location not in self.lines:
            location = location[:-1]
        return self.lines[location]

    def sentence(self, complaint: Complaint) -> str:
        """Given a complaint, return the one line that names file, line and field."""
        field = field_name(complaint.location)
        return f"{self.path.name}:{self.line(complaint.location)}: {field + ': ' if field else ''}{complaint.message}"

    def error(self, complaints: list[Complaint]) -> ConfigurationError:
        """Given complaints, return the one error that names them all, in the order of the file."""
        ordered = sorted(set(complaints), key=lambda each: (self.line(each.location), field_name(each.location)))
        lines = [self.sentence(complaint) for complaint in ordered]
        total = "1 error" if len(lines) == 1 else f"{len(lines)} errors"
        return ConfigurationError(
            "\n".join([*lines, f"{total} in {self.path}"]),
            state="nothing was changed",
            hint="correct the lines named above and run the command again",
        )


def field_name(location: Location) -> str:
    """Given a location, return it as people write it: `applications[0].components[1].path`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_marked(path: Path) -> MarkedDocument:
    """Given a YAML file, return its values with their lines.

    Duplicate keys, aliases and keys that are not text are returned as complaints, so that they are reported together
    with the errors of the model. Raises ConfigurationError when the file cannot be read as YAML at all.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror})", state="nothing was changed", hint="name a readable YAML file"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{path.name}:{line}: this is not UTF-8 text", state="nothing was changed", hint="save the file as UTF-8"
        ) from error
    try:
        node = yaml.compose(text, Loader=_PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path.name}:{mark.line + 1 if mark else 1}"
        raise ConfigurationError(
            f"{place}: {error.problem or error.context}", state="nothing was changed", hint="correct the YAML"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"{path.name}: {' '.join(str(error).split())}", state="nothing was changed", hint="correct the YAML"
        ) from error
    reader = _Reader()
    value = None if node is None else reader.read(node, ())
    reader.lines.setdefault((), 1)
    return MarkedDocument(path, value, reader.lines, reader.key_lines, tuple(reader.complaints))


class _PlainLoader(yaml.SafeLoader):
    """YAML whose plain scalars are text, decimal numbers, true/false and null, and nothing else."""

    yaml_implicit_resolvers: dict[Any, Any] = {}


_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$"), list("-0123456789")
)
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))


class _Reader:
    """Turns nodes into plain values and notes lines on the way."""

    def __init__(self) -> None:
        self.lines: dict[Location, int] = {}
        self.key_lines: dict[Location, int] = {}
        self.complaints: list[Complaint] = []
        self._seen: set[int] = set()

    def read(self, node: yaml.Node, location: Location) -> Any:
        self.lines[location] = node.start_mark.line + 1
        # An alias yields the very node that its anchor made; following it could even run in a circle.
        if id(node) in self._seen:
            self.complaints.append(Complaint(location, "aliases are not allowed here; write the value out"))
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*location, index)) for index, child in enumerate(node.value)]
        return self._scalar(node, location)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.complaints.append(Complaint(location, "a key must be text"))
                continue
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in values:
                first = self.key_lines[(*location, key)]
                self.complaints.append(Complaint((*location, key), f"is written twice, in line {first} and {line}"))
                continue
            self.key_lines[(*location, key)] = line
            values[key] = self.read(value_node, (*location, key))
        return values

    def _scalar(self, node: yaml.Node, location: Location) -> Any:
        text = str(node.value)
        match node.tag:
            case "tag:yaml.org,2002:int":
                return int(text)
            case "tag:yaml.org,2002:float":
                return float(text)
            case "tag:yaml.org,2002:bool":
                return text == "true"
            case "tag:yaml.org,2002:null":
                return None
            case "tag:yaml.org,2002:str":
                return text
        self.complaints.append(Complaint(location, f"the tag {node.tag} is not allowed here"))
        return None
