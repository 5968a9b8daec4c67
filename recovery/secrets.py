"""Resolving references to secrets, on the worker and nowhere else."""

import os
from pathlib import Path

from recovery.errors import ConfigurationError, KeyMissingError


def resolve(reference: str) -> bytes:
    """Given `file:/path`, `env:NAME` or `credential:NAME` (a systemd credential), return the secret's bytes, stripped.

    Raises KeyMissingError when it is not there and ConfigurationError for another kind of reference.
    The message names the reference, never the value.
    """
    kind, _, name = reference.partition(":")
    match kind:
        case "file" | "credential":
            return _read(place_of(reference), reference)
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


def _read(path: Path, reference: str) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise KeyMissingError(
            f"the secret {reference} cannot be read ({error.strerror})",
            state="nothing was done with it",
            hint="put the file there and let the worker's account read it; nobody else",
        ) from error
