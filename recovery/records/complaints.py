"""What a database complains about, translated into sentences with a hint, and without any value from a row."""

import sqlite3

from sqlalchemy.exc import DBAPIError

from recovery.errors import RecordsError

_ROLLED_BACK = "nothing of this transaction was recorded"
_RETRY = "then retry the run: it goes on where the records end"

# Codes (SQLite's error names, PostgreSQL's SQLSTATE; prefixes), sentence, state, hint. Codes and not texts: a
# PostgreSQL server speaks the language that it was installed in.
_KNOWN: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (
        ("SQLITE_CONSTRAINT", "23", "P0001"),
        "the catalog {title} refused a change that contradicts what it holds ({message})",
        _ROLLED_BACK,
        "this is a defect, or somebody changed the catalog by hand; `pulih ledger verify` finds changed entries",
    ),
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03"),
        "the catalog {title} was kept by another process for more than {seconds} seconds",
        _ROLLED_BACK,
        "look for a process that hangs; every transaction of Pulih takes far less than a second",
    ),
    (
        ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "25006"),
        "the catalog {title} cannot be opened or written ({message})",
        _ROLLED_BACK,
        "let the worker's account write to the catalog and its directory",
    ),
    (
        ("42501",),
        "the database account of the catalog {title} lacks a right ({message})",
        _ROLLED_BACK,
        "the office's account must own the tables; an account that destroys gets its rights from "
        f"deployments/postgresql/pulih-pemusnahan.sql; {_RETRY}",
    ),
    (
        ("SQLITE_ERROR", "42P01", "42703"),
        "the catalog {title} lacks what this release expects ({message})",
        _ROLLED_BACK,
        "run `pulih apply`, which brings it up to date",
    ),
    (
        ("SQLITE_FULL", "53100"),
        "no space is left for the catalog {title}",
        _ROLLED_BACK,
        f"free space on its disk, {_RETRY}",
    ),
    (
        ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR", "XX001", "XX002", "58"),
        "the catalog {title} is damaged or its disk fails ({message})",
        _ROLLED_BACK,
        "do not go on; check the disk, and rebuild the catalog from its own backup",
    ),
    (
        ("08", "57P", "25P03", "28", "3D", "53300", "unreachable"),
        "the database server of the catalog {title} cannot be used ({message})",
        # The answer to a COMMIT may be what was lost.
        "the transaction is recorded whole or not at all",
        f"start the server, or mend the network or the account, {_RETRY}",
    ),
)


def explain(error: DBAPIError | sqlite3.Error, title: str, patience: float) -> RecordsError:
    """Given a database's error and the catalog's title, return the error that an operator can act on.

    Only the first line of the database's own message is shown: the lines after it hold values of the row.
    """
    original = error.orig if isinstance(error, DBAPIError) else error
    lines = str(original).strip().splitlines()
    message = lines[0].rstrip(".") if lines else type(original).__name__
    code = _code(error, original)
    for prefixes, sentence, state, hint in _KNOWN:
        if code.startswith(prefixes):
            text = sentence.format(title=title, seconds=round(patience), message=message)
            return RecordsError(text, state=state, hint=hint)
    return RecordsError(
        f"the catalog {title} could not be used ({message})",
        state=_ROLLED_BACK,
        hint=f"check the database and its log, {_RETRY}",
    )


def _code(error: Exception, original: BaseException | None) -> str:
    code = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None)
    if code:
        return str(code)
    lost = isinstance(error, DBAPIError) and (
        error.connection_invalidated or "OperationalError" in type(error).__name__
    )
    return "unreachable" if lost else ""
