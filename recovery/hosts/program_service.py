"""Shipped program: what of a service can be seen on its machine: port, answers, maintenance page, left processes.

Standard library only, Python 3.9 or newer.
"""

# Names are bytes here, which pathlib does not take.
# ruff: noqa: PTH108

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import time
from collections.abc import Callable
from typing import Any

from .program_error import ProgramError
from .program_system import sync_directories, sync_path

LISTENING = "0A"
GROUPS = b"/sys/fs/cgroup"
# A page is known by a text in its beginning.
PAGE_BYTES = 1 << 16
# Between two looks of one call, in seconds.
INTERVAL = 0.05


def port_open(port: int) -> bool:
    """Tell whether anything listens on a TCP port here, on whichever address."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except FileNotFoundError:
            continue
        if any(row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port for row in rows):
            return True
    # What forwards a port (a container's network) does not listen in this table.
    for address in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((address, port), timeout=2).close()
            return True
        except OSError:
            continue
    return False


def request(url: str, timeout: float, text: bytes = b"") -> dict[str, Any]:
    """Return {"status": HTTP status or 0, "reason", "refused", "marked"}; 0 means that nothing answered as HTTP.

    "refused": the port is closed. "marked": the answer holds the text.
    """
    import http.client  # here, since it costs more than all the rest and few verbs need it
    import urllib.error
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        """A redirect to a login page on another machine must not pass for health."""

        def redirect_request(self, *_: Any) -> None:
            return None

    # No proxy: the question is whether this machine's service answers.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())
    try:
        with opener.open(url, timeout=timeout) as response:
            return _answer(int(response.status), marked=_has(response, text))
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, marked=_has(error, text))
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        words = str(getattr(reason, "strerror", None) or reason)
        return _answer(0, words, refused=isinstance(reason, ConnectionRefusedError))
    except http.client.HTTPException as error:
        return _answer(0, type(error).__name__)


def _answer(status: int, reason: str = "", *, refused: bool = False, marked: bool = False) -> dict[str, Any]:
    return {"status": status, "reason": reason, "refused": refused, "marked": marked}


def _has(answer: Any, text: bytes) -> bool:
    try:
        return text in answer.read(PAGE_BYTES)
    except OSError:
        return False


def _look(arguments: list[bytes]) -> dict[str, Any]:
    port, url, page, text, flag, timeout = arguments
    limit = float(timeout)
    state = ("open" if port_open(int(port)) else "closed") if port else ""
    return {
        "port": state,
        "health": _health(os.fsdecode(url), limit, int(port) if state == "closed" else 0) if url else None,
        "page": request(os.fsdecode(page), limit, text) if page else None,
        "flag": _flag(flag) if flag else None,
    }


def _health(url: str, limit: float, closed: int) -> dict[str, Any]:
    # Where nothing listens, nothing answers: what asks is slow to import, and people are waiting.
    from urllib.parse import urlsplit

    asked = urlsplit(url)
    if closed and asked.port == closed and asked.hostname in ("127.0.0.1", "localhost", "::1"):
        return _answer(0, os.strerror(errno.ECONNREFUSED), refused=True)
    return request(url, limit)


def _changed(arguments: list[bytes]) -> dict[str, Any]:
    """Look until something is not as it was, or the time is over: one process instead of one for each look."""
    *looked, was, patience = arguments
    known = json.loads(was)
    give_up_at = time.monotonic() + float(patience)
    while True:
        found = _look(looked)
        if found != known or time.monotonic() >= give_up_at:
            return found
        time.sleep(INTERVAL)


def _flag(path: bytes) -> dict[str, Any]:
    """Whether the flag is there, and whether this account could put and remove it."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        present = False
    except OSError as error:
        raise _flag_error(path, error) from error
    else:
        present = True
        if not stat.S_ISREG(found.st_mode):
            raise _no_flag(path)
    return {"present": present, "writable": os.access(os.path.dirname(path), os.W_OK | os.X_OK)}


def _put(arguments: list[bytes]) -> dict[str, Any]:
    """Put the flag, durably: a machine that starts anew must not open what was closed."""
    (path,) = arguments
    try:
        # Never through a link, and whatever the account's mask: the web server only has to see it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
        sync_path(path)
        sync_directories(path)
    except OSError as error:
        raise _flag_error(path, error) from error
    return {}


def _remove(arguments: list[bytes]) -> dict[str, Any]:
    (path,) = arguments
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise _no_flag(path)
        os.unlink(path)
        sync_directories(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _flag_error(path, error) from error
    return {}


def _no_flag(path: bytes) -> ProgramError:
    return ProgramError("ServiceError", f"{os.fsdecode(path)} is no plain file", "", "name another file as the flag")


def _flag_error(path: bytes, error: OSError) -> ProgramError:
    message = f"the maintenance flag {os.fsdecode(path)} cannot be used ({(error.strerror or str(error)).lower()})"
    return ProgramError("ServiceError", message, "", "let this account write into the flag's directory")


def _left(arguments: list[bytes]) -> dict[str, Any]:
    """Given control groups as systemd names them, return those that hold processes."""
    return {"groups": [os.fsdecode(group) for group in arguments if _populated(GROUPS + group)]}


def _populated(directory: bytes) -> bool:
    # Hierarchies of the first version lie in directories of their own; systemd's processes are in these two.
    for top in (GROUPS, GROUPS + b"/unified", GROUPS + b"/systemd"):
        for folder, _, _ in os.walk(directory.replace(GROUPS, top, 1)):
            try:
                with open(folder + b"/cgroup.procs", "rb") as file:
                    if file.read(1):
                        return True
            except OSError:
                continue
    return False


# What single verbs import where they need it; a process that forks for each call imports it once.
IMPORTED_LATE = ("http.client", "urllib.error", "urllib.request", "urllib.parse")

VERBS: dict[str, Callable[[list[bytes]], dict[str, Any]]] = {
    "look": _look,  # PORT|"" HEALTH_URL|"" PAGE_URL|"" PAGE_TEXT FLAG|"" TIMEOUT
    "changed": _changed,  # as for look, WAS (what look returned, JSON) SECONDS
    "put": _put,  # FLAG
    "remove": _remove,  # FLAG
    "left": _left,  # CONTROL_GROUP…
}
