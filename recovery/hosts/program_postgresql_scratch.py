"""Shipped program: a throw-away PostgreSQL server for a proof. Standard library only, Python 3.9 or newer.

It listens on a socket in a private directory and nowhere else, and ends with the program that asked for it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

from .program_error import ProgramError
from .program_postgresql_client import program
from .program_server import unprivileged

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    # Nothing here outlives the proof, so nothing needs to survive a power cut.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "max_connections": "20",
    # In the directory, so that it goes with it.
    "dynamic_shared_memory_type": "mmap",
    # What the server logs may quote data.
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "max_locks_per_transaction": "1024",
}

# In which state the data is, and what to do.
UNPROVEN = ("nothing was proven", "see whether staging has room and this machine memory left, then continue")


def serve(arguments: list[bytes]) -> dict[str, Any]:
    """Make and run a server in the empty DIRECTORY until stdin ends, then stop it at once.

    The server gets the directory as an open descriptor: its account needs no right to pass through the directories
    above, which are closed to everybody but the worker.
    """
    directory, first_role = arguments[0], os.fsdecode(arguments[1])
    major = int(arguments[2]) // 10000
    initdb, postgres = program("initdb", major), program("postgres", major)
    if f"/{major}/" not in postgres:
        raise ProgramError(
            "SourceError",
            f"the server programs of PostgreSQL {major} are not installed where backups are proven",
            "nothing was proven",
            f"install them beside the worker (Debian: postgresql-{major}); no cluster needs to be made",
        )
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(descriptor, True)
    become = unprivileged(directory, signal.SIGQUIT)
    data = f"/proc/self/fd/{descriptor}"
    made = subprocess.run(
        [initdb, "-D", data, "--no-sync", "--auth=trust", f"--username={first_role}", "--encoding=UTF8", "--locale=C"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        preexec_fn=become,
        pass_fds=[descriptor],
        cwd="/",
        env=_environment(),
    )
    if made.returncode != 0:
        last = made.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ProgramError("SourceError", f"the server for the proof could not be made: {last}", *UNPROVEN)
    argv = [postgres, "-D", data]
    for name, value in SETTINGS.items():
        argv += ["-c", f"{name}={value}"]
    with open(os.path.join(directory, b"log"), "wb") as log:
        server = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=become,
            pass_fds=[descriptor],
            cwd="/",
            env=_environment(),
        )
    while os.read(sys.stdin.fileno(), 1 << 12):
        if server.poll() is not None:
            raise ProgramError("SourceError", "the server for the proof ended by itself", *UNPROVEN)
    server.send_signal(signal.SIGQUIT)
    server.wait()
    return {}


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
