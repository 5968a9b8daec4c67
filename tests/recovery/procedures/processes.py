"""What the sweep does with processes: work in a fork, observers that do a deed, looking whether somebody lives."""

import ctypes
import json
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recovery import points
from recovery.hosts.local_forks import HELPER

# prctl(2)
PR_SET_CHILD_SUBREAPER = 36


def at(point: int, deed: Callable[[], None]) -> points.Observer:
    """An observer that does a deed at the n-th point that is reached, in whatever thread."""
    counting = threading.Lock()
    count = -1

    def observer(_name: str) -> None:
        nonlocal count
        with counting:
            count += 1
            reached = count == point
        if reached:
            deed()

    return observer


def forked(work: Callable[[], Any]) -> Any:
    """Do something in a process of its own and return its result (JSON). An exception becomes a finding."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            result = work()
        except BaseException:  # noqa: BLE001 - told to the parent, whatever it is
            result = [traceback.format_exc()]
        with os.fdopen(writing, "w") as pipe:
            json.dump(result, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(told)


def killed(work: Callable[[], object]) -> bool:
    """Do something in a process that may be killed; tell whether it was, once no program that it had called runs.

    Those see by themselves that their caller is gone, within milliseconds in which nobody tries again but a sweep. The
    process that calls this becomes the parent of whatever is left: have one of its own for it (see `forked`).
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    was_killed = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    while left := _called_programs():
        os.waitpid(left[0], 0)
    return was_killed


def _called_programs() -> list[int]:
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    return [int(pid) for pid in children if os.fsencode(HELPER) in Path(f"/proc/{pid}/cmdline").read_bytes()]


def answers(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Return when something has come true; raises TimeoutError after a minute."""
    give_up_at = time.monotonic() + 60
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(what)
        time.sleep(0.01)
