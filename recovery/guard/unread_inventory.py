"""Telling the office that the inventory cannot be used: then nobody knows where the catalog is, and no round is made.

Whom to tell stands in the inventory, too. Of one with a mistake its section `office` may be whole; of one that is no
YAML at all, or is gone, nothing is. Then those are told whom the last whole inventory named: their references, never
a secret, are remembered in the directory that systemd gives to the units: it is known without the inventory.
"""

import json
import logging
import os
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from recovery.errors import ConfigurationError
from recovery.guard.report import Alarm
from recovery.guard.telling import send
from recovery.guard.unreadable import told_once_in_an_hour
from recovery.inventory import Inventory, readable_office

logger = logging.getLogger(__name__)

MARK = "pulih-inventory-told"
REMEMBERED = "notice-targets.json"


def inventory_or_told(load: Callable[[], Inventory], path: Path, now: datetime) -> Inventory:
    """Given how to load the inventory, and its path, return it for `pulih guard` or `pulih doctor --alarm`.

    Raises the ConfigurationError of one that cannot be used, after it has told as many of the office as it can, once in
    an hour; its state says whether anybody was.
    """
    try:
        inventory = load()
    except ConfigurationError as error:
        error.state = f"{error.state}; nothing is watched, and nothing that died is ended; {_tell(path, error, now)}"
        raise
    _remember(inventory.office.notice_targets)
    return inventory


def _tell(path: Path, error: ConfigurationError, now: datetime) -> str:
    office = readable_office(path)
    targets, lacking = _remembered() if office is None else (office.notice_targets, "")
    if not targets:
        return f"nobody could be told of it, since no notice target is known{lacking}"
    alarm = Alarm("inventory", str(path), f"{error.message}; {error.state}", error.hint)
    directory = _directory() or Path(tempfile.gettempdir())
    trouble = told_once_in_an_hour(directory, MARK, now, lambda: send(targets, [alarm]))
    return f"the office could not be told of it ({trouble})" if trouble else "the office is told of it once in an hour"


def _directory() -> Path | None:
    given = os.environ.get("STATE_DIRECTORY", "")
    return Path(given) if given else None


def _remember(targets: list[str]) -> None:
    directory = _directory()
    if directory is None:
        return
    place, content = directory / REMEMBERED, json.dumps(targets).encode()
    try:
        if not place.exists() or place.read_bytes() != content:
            unfinished = place.with_name(f".{REMEMBERED}.{os.getpid()}")
            unfinished.write_bytes(content)
            unfinished.replace(place)
    except OSError as error:
        # A round that is made is worth more than what is remembered for one that cannot be.
        logger.error("whom to tell of a broken inventory is not remembered in %s (%s)", directory, error.strerror)


def _remembered() -> tuple[list[str], str]:
    """Return the references that the last whole inventory named and, in brackets, what is the matter with the file."""
    directory = _directory()
    if directory is None:
        return [], ""
    place = directory / REMEMBERED
    try:
        found = json.loads(place.read_bytes())
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], f" ({place}: {error.strerror})"
    except ValueError:
        found = None
    if isinstance(found, list) and all(isinstance(each, str) for each in found):
        return found, ""
    return [], f" ({place} is no list of references)"
