"""What a backup of a server's database holds of the server around it: the globals, whose first line a program reads."""

import json
from typing import Any

from recovery.errors import SetError

# What the first line of the globals begins with; the rest of it is JSON.
GLOBALS_MARK = b"-- pulih: "


def read_globals(content: bytes) -> dict[str, Any]:
    """Given a backup's globals, return what a copy is made with: accounts, and how the database itself was made."""
    first = content.partition(b"\n")[0]
    try:
        found = json.loads(first.removeprefix(GLOBALS_MARK))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not first.startswith(GLOBALS_MARK):
        raise SetError(
            "the backup's globals are none that this release wrote",
            state="nothing was loaded",
            hint="restore with the release that the manifest names",
        )
    return found
