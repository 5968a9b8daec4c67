"""Resolving references to secrets, on the worker and nowhere else."""

import os
from pathlib import Path

from recovery.errors import ConfigurationError, KeyMissingError

_HINTS = {
    "file": "put the file there and let the worker's account read it; nobody else",
    "credential": "let systemd load it into the units (pulih-.service.d/credentials.conf), put the file where that "
    "says, for root alone, and start the unit again",
}


def resolve(reference: str) -> bytes:
    """Given `file:/path`, `env:NAME` or `credential:NAME` (a systemd credential), return the secret's bytes, stripped.

    Raises KeyMissingError when it is not there and ConfigurationError for another kind of reference.
    The message names the reference, never the value.
    """
    kind, _, name = reference.partition(":")
    match kind:
        case "file":
            return _read(reference)
        case "credential":
            secret = _read(reference)
            # What the units are given in the place of a file that is not there, so that they start and tell of it.
            if not secret:
                raise _missing(reference, "is empty: its file is not there, or nothing is in it")
            return secret
        case "env":
            value = os.environ.get(name)
            if not value:
                raise KeyMissingError(
                    f"the secret {reference} is not set",
                    state="nothing was done with it",
                    hint=f"set the environment variable {name} of the worker",
                )
            return value.strip().encode()
        case _:
            raise ConfigurationError(
                f"{kind!r} is no kind of secret reference", hint="write file:/path, env:NAME or credential:NAME"
            )


def place_of(reference: str) -> Path:
    """Given a reference of kind `file:` or `credential:`, return the file that it names."""
    kind, _, name = reference.partition(":")
    directory = os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent") if kind == "credential" else "/"
    return Path(directory) / name


def _read(reference: str) -> bytes:
    try:
        return place_of(reference).read_bytes().strip()
    except OSError as error:
        raise _missing(reference, f"cannot be read ({error.strerror})") from error


def _missing(reference: str, why: str) -> KeyMissingError:
    return KeyMissingError(
        f"the secret {reference} {why}",
        state="nothing was done with it",
        hint=_HINTS[reference.partition(":")[0]],
    )
