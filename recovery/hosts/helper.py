"""Shipped program: runs TOPIC VERB ARGUMENTS… of the programs beside it. Standard library only, Python 3.9 or newer.

With "forks" instead of a topic it takes calls and answers each with a fork of itself, see program_forks.py.

The result is one JSON object on stdout; for verbs whose stdout carries data it is the last line of stderr. A failure
is one JSON object {"error", "message", "state", "hint"} on the last line of stderr, and status 3.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import sys
import types

TOPICS = ("sqlite", "files", "postgresql", "mariadb", "service", "system", "connection")


def main() -> int:
    """Run the verb that the arguments name; return the exit status."""
    arguments = [os.fsencode(argument) for argument in sys.argv[1:]]
    # The programs become a package of their own: neither the project's packages nor what these need is imported.
    package = types.ModuleType("programs")
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]
    sys.modules["programs"] = package
    if arguments == [b"forks"]:
        arguments = importlib.import_module("programs.program_forks").serve(_prepare)
    topic, verb = (os.fsdecode(argument) for argument in arguments[:2])
    if topic not in TOPICS:
        raise SystemExit("unknown topic")
    failure = importlib.import_module("programs.program_error").ProgramError
    program = importlib.import_module(f"programs.program_{topic}")
    carries_data = verb in getattr(program, "STREAMING", ())
    try:
        result = program.VERBS[verb](arguments[2:])
    except failure as error:
        return _fail(error.report)
    except OSError as error:
        return _fail(_outside(error))
    text = json.dumps(result)
    _write_all(2 if carries_data else 1, f"\n{text}\n".encode())
    return 0


def _prepare(topic: str) -> None:
    """Import the programs of a topic, and what they import only where it is needed, before one of many forks."""
    if topic in TOPICS:
        program = importlib.import_module(f"programs.program_{topic}")
        for name in getattr(program, "IMPORTED_LATE", ()):
            importlib.import_module(name)


def _outside(error: OSError) -> dict[str, str]:
    where = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, (str, bytes)) else ""
    reasons = {
        errno.ENOSPC: "make room on that file system",
        errno.EDQUOT: "the account's quota on that file system is used up",
        errno.EACCES: "give Pulih's account on the host the right to do this",
        errno.EPERM: "give Pulih's account on the host the right to do this",
        errno.EROFS: "the file system is mounted read-only",
    }
    kind = "SourceMissingError" if error.errno == errno.ENOENT else "SourceError"
    message = f"{(error.strerror or str(error)).lower()}{where}"
    return {"error": kind, "message": message, "state": "", "hint": reasons.get(error.errno or 0, "")}


def _fail(report: dict[str, str]) -> int:
    _write_all(2, f"\n{json.dumps(report)}\n".encode())
    return 3


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    # No clean-up at the end: it could only close descriptors and thereby drop file locks too early, and it costs time.
    status = main()
    os._exit(status)
