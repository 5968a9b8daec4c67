"""Shipped program: a throw-away MariaDB server for a proof. Standard library only, Python 3.9 or newer.

It listens on a socket in a private directory and nowhere else, and ends with the program that asked for it.
"""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import environment, program
from .program_server import unprivileged

SHARED = ("/usr/share/mariadb", "/usr/share/mysql", "/usr/local/share/mariadb", "/usr/local/share/mysql")
SYSTEM_TABLES = ("mysql_system_tables.sql", "mysql_system_tables_data.sql")
SOCKET = "s"
# Where a server that root starts finds its directory. Any that exists everywhere and that everybody may pass.
ENCLOSURE = "/mnt"
CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SETTINGS = {
    "skip-networking": "1",
    # Nothing here outlives the proof, so nothing needs to survive a power cut.
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-doublewrite": "0",
    "innodb-flush-method": "nosync",
    "innodb-log-file-size": "256M",
    "innodb-buffer-pool-size": "256M",
    "innodb-buffer-pool-dump-at-shutdown": "0",
    "innodb-stats-persistent": "0",
    "sync-frm": "0",
    "skip-log-bin": "1",
    # Events of the backup must never run here.
    "event-scheduler": "OFF",
    "performance-schema": "0",
    "log-bin-trust-function-creators": "1",
    "max-connections": "20",
    "max-allowed-packet": "1G",
    "skip-name-resolve": "1",
    "aria-log-purge-type": "at_flush",
    "plugin-maturity": "unknown",
}


def serve(arguments: list[bytes]) -> dict[str, Any]:
    """Make and run a server in the empty DIRECTORY until stdin ends, then stop it at once.

    A worker that is root starts it as another account, which may not pass through the worker's closed directories: that
    server sees the directory, alone, under another name.
    """
    directory, wanted = arguments[0], os.fsdecode(arguments[1])
    path = program("mariadbd")
    _require_version(path, wanted)
    become = unprivileged(directory, signal.SIGKILL)
    place = os.fsdecode(directory)
    if os.geteuid() == 0:
        place, become = ENCLOSURE, _enclosed(directory, become)
    argv = [path, "--no-defaults", f"--datadir={place}", f"--tmpdir={place}"]
    argv += [f"--{name}={value}" for name, value in SETTINGS.items()]
    with open(os.path.join(directory, b"log"), "wb") as log:
        made = subprocess.run(
            [*argv, "--bootstrap"],
            input=_first_statements(),
            stdout=log,
            stderr=log,
            check=False,
            preexec_fn=become,
            cwd="/",
            env=environment(),
        )
        if made.returncode != 0:
            raise _failed("could not be made", directory)
        # The account that runs it is the only one that can reach its socket; the proof's accounts are locked.
        server = subprocess.Popen(
            # Relative, because a socket's path has at most 107 bytes; the server stands in its directory.
            [*argv, f"--socket=./{SOCKET}", f"--pid-file={place}/pid"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=become,
            cwd="/",
            env=environment(),
        )
    while os.read(sys.stdin.fileno(), 1 << 12):
        if server.poll() is not None:
            raise _failed("ended by itself", directory)
    server.kill()
    server.wait()
    return {}


def _enclosed(directory: bytes, become: Callable[[], None]) -> Callable[[], None]:
    """Return what mounts the directory where the server's account can reach it, for that server alone."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)

    def enclose() -> None:
        mounts = (
            (b"none", b"/", MS_REC | MS_PRIVATE),
            (directory, ENCLOSURE.encode(), MS_BIND),
        )
        if library.unshare(CLONE_NEWNS) or any(
            library.mount(source, target, None, flags, None) for source, target, flags in mounts
        ):
            raise OSError(ctypes.get_errno(), "the server for the proof cannot be given a place of its own")
        become()

    return enclose


def _require_version(path: str, wanted: str) -> None:
    said = subprocess.run([path, "--no-defaults", "--version"], capture_output=True, check=False, env=environment())
    numbers = re.search(rb"(\d+\.\d+)\.\d+-MariaDB", said.stdout)
    have = numbers.group(1).decode() if numbers else "unknown"
    series = ".".join(wanted.split(".")[:2])
    if have != series:
        raise ProgramError(
            "SourceError",
            f"the server programs of MariaDB {series} are not installed where backups are proven, but those of {have}",
            "nothing was proven",
            "install them beside the worker (Debian: mariadb-server); no server of theirs needs to run",
        )


def _first_statements() -> bytes:
    for place in SHARED:
        files = [pathlib.Path(place) / name for name in SYSTEM_TABLES]
        if all(file.exists() for file in files):
            # As mariadb-install-db does: it asks for these two before the first file.
            variables = b"SET @auth_root_socket=NULL;\nSET @skip_auth_anonymous=1;\n"
            head = b"CREATE DATABASE mysql;\nUSE mysql;\n" + variables
            return head + b"\n".join(file.read_bytes() for file in files)
    raise ProgramError(
        "SourceError",
        "the files with which a MariaDB server is made are not installed where backups are proven",
        "nothing was proven",
        "install Debian's package mariadb-server",
    )


def _failed(how: str, directory: bytes) -> ProgramError:
    lines = pathlib.Path(os.fsdecode(directory), "log").read_text(errors="replace").splitlines()
    errors = [line for line in lines if "[ERROR]" in line] or lines or [""]
    last = errors[0].partition("[ERROR]")[2].strip() or errors[-1]
    return ProgramError(
        "SourceError",
        f"the server for the proof {how}: {last}",
        "nothing was proven",
        "read the reason; see whether staging has room and this machine memory left, then continue",
    )
