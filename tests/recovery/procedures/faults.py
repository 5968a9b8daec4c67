"""Calls that fail. Every call through an interface is counted, and one of them raises the interface's own error: once,
or that one and every later one."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from recovery import notifying
from recovery.errors import HostError, NoticeError, PulihError, RecordsError, SourceError, StoreError
from recovery.hosts.base import Host
from recovery.hosts.local import LocalHost
from recovery.records.catalog import Catalog
from recovery.sources.base import Source
from recovery.sources.files import FilesSource
from recovery.sources.sqlite import SqliteSource
from recovery.stores.base import Store
from recovery.stores.directory import DirectoryStore

SOURCE = (
    *("identify", "preflight", "size", "free_space", "dump", "load", "check", "fingerprint", "quiet", "prepare_swap"),
    *("swap", "swap_back", "live_is", "discard", "copies", "judge_url"),
)
STORE = ("put_file", "put_bytes", "open", "read", "exists", "list", "check", "sweep")
PLACES: dict[str, tuple[tuple[Any, tuple[str, ...]], ...]] = {
    "host": ((LocalHost, ("run", "stream", "feed")),),
    "source": ((SqliteSource, SOURCE), (FilesSource, SOURCE)),
    "store": ((DirectoryStore, STORE),),
    "catalog": ((Catalog, ("begin", "read")),),
    "notifier": ((notifying, ("send",)),),
}
INTERFACES = tuple(PLACES)
# What declares each interface: every public name of it is in PLACES, or here with the reason why its call is let be.
DECLARED: dict[str, Any] = {"host": Host, "source": Source, "store": Store, "catalog": Catalog, "notifier": notifying}
LET_BE: dict[str, dict[str, str]] = {
    "host": {
        "helper": "makes an argument list",
        "call": "calls run, which is watched",
        "bring": "gives the path that it got, on this machine",
        "tunnel": "gives an empty name, on this machine",
        "account": "is empty on this machine",
        "identity": "a digest of the machine's own identifier; Source.identify, which asks for it, is watched",
        "python": "knows it of its own process",
        "title": "knows it of its own process",
    },
    "source": {
        "beside": "makes a name",
        "ties": "empty for files; tests/recovery/sources has those of servers",
        "unloadable": "asked by the doctor, which no procedure here is",
        "safety_copy": "takes a name from the receipt",
        "scratch": "makes an object; its own calls are watched",
        "close": "ends nothing where no server was started; tests/recovery/sources has the servers of a proof",
    },
    "store": {
        "location": "makes a name",
        "protect": "a directory locks nothing; tests/recovery/stores/test_s3_lock.py has locks that fail",
        "lacks_lock": "asked by a synchronisation, which no procedure here is",
        "removable": "asked by a destruction, which no procedure here is",
        "remove": "done by a destruction; tests/recovery/procedures/test_retention_places.py has unfinished ones",
    },
    "catalog": {
        "dialect": "a part of the address",
        "title": "a part of the address",
        "revision": "asked before a procedure, by doctor and apply",
        "check": "asked before a procedure, by doctor and apply",
        "upgrade": "done before a procedure, by apply and rebuild",
        "dispose": "closes what is open, and changes nothing",
    },
    "notifier": {"deliver": "calls send, which is watched, and never raises"},
}
ERRORS: dict[str, type[PulihError]] = {
    "host": HostError,
    "source": SourceError,
    "store": StoreError,
    "catalog": RecordsError,
    "notifier": NoticeError,
}
# Their streams come to an end in a call of its own.
STREAMS = ("stream", "feed", "dump", "load")
# Repeated until what they wait for has come: how often is chance, so the same one again is no other call.
POLLED = ("run", "quiet")
# Only between two looks at a service, where the first one came too early: that depends on how busy the machine is.
WAITING = repr(["service", "changed"])[1:-1]


@dataclass
class Watch:
    """The calls through one interface, and at which of them errors begin (-1: never)."""

    interface: str
    begin: int = -1
    for_good: bool = False
    calls: list[str] = field(default_factory=list)
    failed: int = 0
    _last: str = ""
    _counting: Any = field(default_factory=threading.Lock)

    def called(self, name: str, arguments: str = "") -> None:
        """Count a call; raise when it is its turn."""
        with self._counting:
            if WAITING not in arguments:
                polled = arguments and f"{name}{arguments}" == self._last
                self._last = f"{name}{arguments}"
                if not polled:
                    self.calls.append(name)
            elif not self.for_good:
                return
            number = len(self.calls) - 1
            due = self.begin != -1 and (number >= self.begin if self.for_good else number == self.begin)
            due = due and (self.for_good or not self.failed)
            self.failed += due
        if due:
            raise ERRORS[self.interface](f"the {self.interface} fails")


@contextmanager
def watched(*watches: Watch) -> Iterator[tuple[Watch, ...]]:
    """Let every call through these interfaces be counted while the block runs, in whatever thread."""
    before = [
        (watch, place, name, getattr(place, name))
        for watch in watches
        for place, names in PLACES[watch.interface]
        for name in names
    ]
    for watch, place, name, original in before:
        setattr(place, name, _counted(watch, name, original))
    try:
        yield watches
    finally:
        for _watch, place, name, original in before:
            setattr(place, name, original)


def _counted(watch: Watch, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        watch.called(name, repr(arguments[1:]) if name in POLLED else "")
        result = original(*arguments, **options)
        return _ended(watch, name, result) if name in STREAMS else result

    return call


@contextmanager
def _ended(watch: Watch, name: str, opened: AbstractContextManager[Any]) -> Iterator[Any]:
    with opened as stream:
        yield _Stream(watch, name, stream)


class _Stream:
    """A stream whose end is a call, too."""

    def __init__(self, watch: Watch, name: str, stream: Any) -> None:
        self._watch, self._name, self._stream = watch, name, stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def finish(self) -> Any:
        self._watch.called(f"{self._name}: finish")
        return self._stream.finish()
