"""The name of a backup (SOP backup step 3, "Memberi nama back up sesuai dengan ketentuan").

A name is made from a configured pattern and read back; a pattern whose names could be read in two ways is refused.
Names are lower-case ASCII throughout, the `t` of the moment included, because object stores and file systems differ
in whether case counts, and a name must mean the same in all of them.
"""

import itertools
import re
import string
from datetime import datetime

from recovery.calendar import WIB
from recovery.errors import ConfigurationError

MOMENT_FORMAT = "%Y%m%dt%H%M%S%z"
LONGEST = 200  # leaves room for the file names beside it within the 255 bytes of common file systems

# One word of the name: what settings allow as the name of an application or component, at any length.
_FIELDS = {
    "application": r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?",
    "component": r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?",
    "moment": r"[0-9]{8}t[0-9]{6}[+-][0-9]{4}",
}
_LITERAL = re.compile(r"[a-z0-9._+-]*")
_HINT = "write for example {application}_{component}_full_{moment}"


def render_name(pattern: str, *, application: str, component: str, moment: datetime) -> str:
    """Given the configured pattern, what was backed up and when, return the backup's name, with the moment in WIB.

    Raises ConfigurationError when the pattern is unfit, or the name does not read back as what it was made from.
    """
    if moment.tzinfo is None:
        raise ConfigurationError(
            f"the moment {moment.isoformat()} has no time zone",
            state="no name was given",
            hint="give the moment with its offset, as in 2026-11-20T15:00:03+07:00",
        )
    values = {
        "application": application,
        "component": component,
        "moment": moment.astimezone(WIB).strftime(MOMENT_FORMAT),
    }
    name = "".join(literal + (values[field] if field else "") for literal, field in _pieces(pattern))
    read = parse_name(pattern, name)
    if read != values:  # pragma: no cover - the pattern's rules prevent it; a wrong name would lose a backup
        raise ConfigurationError(
            f"the name {name} does not read back as what it was made from", state="no name was given", hint=_HINT
        )
    return name


def parse_name(pattern: str, name: str) -> dict[str, str]:
    """Given the configured pattern and a name, return its fields: application, component, moment.

    Raises ConfigurationError when the pattern is unfit or the name is not one of its names.
    """
    match = re.fullmatch(_expression(pattern), name)
    if match is None or len(name) > LONGEST:
        raise ConfigurationError(f"{name!r} is no name of the pattern {pattern}", state="no name was given", hint=_HINT)
    fields = match.groupdict()
    moment_of(fields["moment"])
    return fields


def moment_of(text: str) -> datetime:
    """Given the moment of a name, return it as a time. Raises ConfigurationError when there is no such time."""
    try:
        moment = datetime.strptime(text, MOMENT_FORMAT)  # noqa: DTZ007 - the format ends with %z
    except ValueError as error:
        raise ConfigurationError(f"{text!r} in a name is no moment", state="no name was given", hint=_HINT) from error
    if moment.strftime(MOMENT_FORMAT) != text:
        raise ConfigurationError(f"{text!r} in a name is no moment", state="no name was given", hint=_HINT)
    return moment


def check_pattern(pattern: str) -> None:
    """Given a pattern from the settings, return when every name that it makes can be read in one way only.

    Raises ConfigurationError naming what is wrong with it.
    """
    _expression(pattern)


def _expression(pattern: str) -> str:
    pieces = _pieces(pattern)
    fields = [field for _, field in pieces if field]
    if sorted(fields) != sorted(_FIELDS):
        raise _unfit(pattern, "must hold {application}, {component} and {moment}, each once")
    for literal, _ in pieces:
        if not _LITERAL.fullmatch(literal):
            raise _unfit(pattern, "may hold only lower-case letters, digits and . _ + - beside its fields")
    if pieces[0][0].startswith((".", "-")):
        raise _unfit(pattern, "must not begin with . or -")
    # No field holds _ or ., so one of them between every two fields leaves one way only to take the name apart.
    for (_, before), (literal, after) in itertools.pairwise(pieces):
        if before and after and not re.search(r"[._]", literal):
            raise _unfit(pattern, f"needs _ or . between {{{before}}} and {{{after}}}")
    return "".join(
        re.escape(literal) + (f"(?P<{field}>{_FIELDS[field]})" if field else "") for literal, field in pieces
    )


def _pieces(pattern: str) -> list[tuple[str, str]]:
    """Given a pattern, return its parts in order: the text before a field, and the field ("" after the last)."""
    try:
        parsed = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise _unfit(pattern, f"cannot be read ({error})") from error
    for _, field, specification, conversion in parsed:
        if field is not None and (field not in _FIELDS or specification or conversion):
            raise _unfit(pattern, "may hold only the fields {application}, {component} and {moment}")
    return [(literal, field or "") for literal, field, _, _ in parsed] or [("", "")]


def _unfit(pattern: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"the pattern of names {pattern!r} {why}", state="no name was given", hint=_HINT)
