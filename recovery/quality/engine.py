"""Great Expectations, held so that it stays quiet, writes nothing to disk and keeps identifiers apart."""

import logging
import os
import sqlite3
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Great Expectations keeps one current context for the whole process, and warning filters belong to the process too.
_one_at_a_time = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Let one thread at a time work with Great Expectations, and keep it from logging and warning meanwhile.

    Its log holds tracebacks that quote what databases say, and that may be data.
    """
    # Both are read when it is imported: no usage statistics, no progress bars.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("TQDM_DISABLE", "1")
    log = logging.getLogger("great_expectations")
    # Not by its level: some of its loggers have a level of their own.
    nowhere = logging.NullHandler()
    with _one_at_a_time:
        before = log.propagate
        log.addHandler(nowhere)
        log.propagate = False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            log.propagate = before
            log.removeHandler(nowhere)


@contextmanager
def open_datasource(url: str) -> Iterator[Any]:
    """Given a copy's URL, yield the one datasource of a fresh context that lives in memory only.

    Raises Great Expectations' TestConnectionError when the copy cannot be opened.
    """
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    # A dollar sign in a URL would be taken for a variable of Great Expectations' configuration; %24 is read as one.
    address = url.replace("$", "%24")
    sqlite = url.startswith("sqlite:")
    adding = context.data_sources.add_sqlite if sqlite else context.data_sources.add_sql
    datasource = adding(name="copy", connection_string=address)
    engines = (datasource.get_engine(), datasource.get_execution_engine().engine)
    try:
        for engine in engines:
            keep_identifiers_apart(engine)
            if sqlite:
                read_any_text(engine)
        yield datasource
    finally:
        for engine in engines:
            engine.dispose()


class _NoCache(dict[str, str]):
    def __contains__(self, key: object) -> bool:
        return False


def keep_identifiers_apart(engine: Any) -> None:
    """Given an engine, take away its dialect's memory of quoted names.

    Great Expectations 1.24 looks column names up as text that is equal without regard to case. SQLAlchemy remembers
    per dialect how a name is quoted, so after a table with `id`, the column `"ID"` of another table was written as
    `id` (seen on PostgreSQL). It touches a private attribute: the versions are pinned, and a test watches over it.
    """
    engine.dialect.identifier_preparer._strings = _NoCache()


def read_any_text(engine: Any) -> None:
    """Given an engine of SQLite, let it read text that is no UTF-8 too, as the source's own code does.

    Otherwise one row, or one comment in a definition, in an older character set would blind the judge.
    """
    import sqlalchemy

    @sqlalchemy.event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")

    # Connections that were made before.
    engine.dispose()


def whole_batch(asset: Any) -> Any:
    """Given an asset, return the batch of all of its rows."""
    return asset.add_batch_definition_whole_table("whole").get_batch()


def versions() -> dict[str, str]:
    """Return the names and versions of what judges."""
    import great_expectations
    import sqlalchemy

    return {
        "Great Expectations": great_expectations.__version__,
        "SQLAlchemy": sqlalchemy.__version__,
        "SQLite": sqlite3.sqlite_version,
    }
