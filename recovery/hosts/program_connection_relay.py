"""Shipped program: hands bytes between its own stdin and stdout and a server that listens on this machine.

Standard library only, Python 3.9 or newer.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from .program_error import ProgramError

CHUNK = 1 << 18
CONNECT_SECONDS = 10


def find(arguments: list[bytes]) -> dict[str, Any]:
    """Given places, paths of unix sockets or address:port, return {"place": the first where something answers}."""
    reason = "no place was given"
    for place in arguments:
        try:
            _connect(place).close()
        except OSError as error:
            reason = f"{os.fsdecode(place)}: {error.strerror or error}"
            continue
        return {"place": os.fsdecode(place)}
    raise ProgramError(
        "SourceError",
        f"nothing answers at {reason}",
        "nothing was touched",
        "see whether the server runs and listens there",
    )


def relay(arguments: list[bytes]) -> dict[str, Any]:
    """Connect to a place, and hand over both directions until the server ends the connection."""
    peer = _connect(arguments[0])
    threading.Thread(target=_give, args=(peer,), daemon=True).start()
    while chunk := peer.recv(CHUNK):
        while chunk:
            chunk = chunk[os.write(1, chunk) :]
    return {}


def _give(peer: socket.socket) -> None:
    try:
        while chunk := os.read(0, CHUNK):
            peer.sendall(chunk)
        peer.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the server ended it, which the other direction sees


def _connect(place: bytes) -> socket.socket:
    if place.startswith(b"/"):
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(CONNECT_SECONDS)
        peer.connect(place)
    else:
        address, _, port = os.fsdecode(place).rpartition(":")
        peer = socket.create_connection((address, int(port)), timeout=CONNECT_SECONDS)
    peer.settimeout(None)
    return peer
