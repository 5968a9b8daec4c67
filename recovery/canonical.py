"""One way of writing plain data as bytes, so that its SHA-256 means the same wherever and whenever it is computed.

The rules stand in docs/format.md; ledger entries, approvals and manifests are hashed by them, so they never change.
"""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Given plain data, return its one JSON text as UTF-8: keys sorted by code point, no spaces, nothing escaped
    that need not be.

    Plain means dict with text keys, list, tuple (written as a list), str, int, bool and None. A file name that is not
    UTF-8 (held by Python as lone surrogates) is written with `\\udcXX` escapes and reads back as the same name.
    Raises TypeError for anything else, floats included: two programs may write one float in two ways. That is a
    programming error, which is why it is none of Pulih's own.
    """
    _refuse_what_is_not_plain(value, "value")
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def digest(value: Any) -> str:
    """Given plain data, return the SHA-256 of its canonical JSON in hexadecimal. Raises as canonical_json."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _refuse_what_is_not_plain(value: Any, where: str) -> None:
    # Exact types: a subclass (an enumeration, a secret that masks itself) may print as something else.
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return
    if kind is str:
        _refuse_half_characters(value, where)
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"{where} has the key {key!r}, which is no text")
            _refuse_half_characters(key, where)
            _refuse_what_is_not_plain(item, f"{where}.{key}")
    elif kind is list or kind is tuple:
        for position, item in enumerate(value):
            _refuse_what_is_not_plain(item, f"{where}[{position}]")
    else:
        raise TypeError(f"{where} is a {kind.__name__}, which canonical JSON does not hold")


def _refuse_half_characters(text: str, where: str) -> None:
    # Only the surrogates with which Python holds undecodable file names survive a round trip through escapes.
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise TypeError(f"{where} holds half a character, which cannot be written") from error
