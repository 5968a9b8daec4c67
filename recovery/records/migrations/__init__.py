"""Migrations of the catalog, run by Alembic. Only additive ones: earlier releases keep using the same catalog."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from recovery.errors import RecordsError


def migrate(connection: Connection) -> None:
    """Given a connection inside the catalog's write transaction, bring the schema up to date within it.

    Raises RecordsError when the catalog was written by a later release.
    """
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(configuration(connection), "head")
    except CommandError as error:
        raise RecordsError(
            f"the catalog's schema cannot be brought up to date ({error})",
            state="nothing was changed",
            hint="the catalog was probably written by a later release; use that one",
        ) from error


def configuration(connection: Connection | None = None) -> Any:
    """Given a connection, return the Alembic configuration by which these migrations run on it."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
