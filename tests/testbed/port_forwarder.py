"""Forwards connections into another network namespace: `port_forwarder.py NAMESPACE DESCRIPTOR:PORT…`.

Each descriptor is a listening socket made outside; what comes there goes to that port of the namespace's loopback.
"""

import ctypes
import os
import socket
import sys
import threading

CLONE_NEWNET = 0x40000000


def main() -> None:
    """Serve until killed."""
    # A socket stays in the namespace in which it was made, so those that listen are outside and all others inside.
    descriptor = os.open(sys.argv[1], os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "the network namespace could not be entered")
    for pair in sys.argv[2:]:
        number, port = (int(part) for part in pair.split(":"))
        threading.Thread(target=accept, args=(socket.socket(fileno=number), port)).start()


def accept(listener: socket.socket, port: int) -> None:
    """Take connections and forward each."""
    while True:
        outside, _ = listener.accept()
        try:
            inside = socket.create_connection(("127.0.0.1", port))
        except OSError:
            outside.close()
            continue
        for pair in ((outside, inside), (inside, outside)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Carry one direction to its end, and hand the end on."""
    try:
        while chunk := source.recv(1 << 18):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


if __name__ == "__main__":
    main()
