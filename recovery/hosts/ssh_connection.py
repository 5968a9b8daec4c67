"""Connections by SSH: pinned host keys, one private key, nothing of ~/.ssh; watched, so that a frozen one ends.

Fabric opens the connection; programs are run in raw channels of it (recovery/hosts/ssh_program.py), because Fabric's
own way to run one is made for text.
"""

import io
import logging
import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from recovery.errors import ConfigurationError, HostError
from recovery.hosts.program_connection_frames import BEATS
from recovery.hosts.ssh_errors import connecting
from recovery.hosts.ssh_installation import Installed, install, serve_command
from recovery.secrets import resolve
from recovery.settings import HostSettings

if TYPE_CHECKING:
    from fabric import Connection
    from paramiko import Channel, PKey, Transport

    from recovery.hosts.ssh_program import RemoteProgram

# A server lets one connection have so many sessions at once (MaxSessions, 10 by default); then another one is opened.
MOST_CONNECTIONS = 8


class _Link:
    """One live connection: its programs hear from the worker, and it is closed when the server does not answer."""

    def __init__(self, fabric: "Connection", limit: float) -> None:
        self.fabric = fabric
        self.transport: Transport = fabric.transport
        self.reason = ""
        self._programs: set[RemoteProgram] = set()
        self._lock = threading.Lock()
        self._limit = limit
        self._over = threading.Event()
        self._answered = time.monotonic()
        for work in (self._ask, self._watch):
            threading.Thread(target=work, name=f"ssh {fabric.host}", daemon=True).start()

    def attend(self, program: "RemoteProgram") -> None:
        with self._lock:
            self._programs.add(program)

    def leave(self, program: "RemoteProgram") -> None:
        with self._lock:
            self._programs.discard(program)

    def close(self) -> None:
        self._over.set()
        self.transport.close()

    def _programs_now(self) -> "list[RemoteProgram]":
        with self._lock:
            return list(self._programs)

    def _ask(self) -> None:
        """Say that the worker is here, and ask whether the server is; may wait as long as the connection lives."""
        from paramiko import SSHException

        # However it ends, the programs of this connection say so.
        with suppress(OSError, EOFError, SSHException):
            while not self._over.wait(self._limit / BEATS) and self.transport.is_active():
                for program in self._programs_now():
                    program.beat()
                self.transport.global_request("keepalive@openssh.com", wait=True)
                self._answered = time.monotonic()
        self.close()

    def _watch(self) -> None:
        # Neither TCP nor keep-alives of paramiko's own tell of a server that is merely frozen. On a slow line an answer
        # waits behind data, which tells as much.
        while not self._over.wait(self._limit / BEATS):
            heard = max([self._answered, *(program.heard for program in self._programs_now())])
            if time.monotonic() - heard > self._limit:
                self.reason = f"it did not answer for {self._limit:g} s"
                self.close()


class SshConnection:
    """The way to one machine; opened when it is first needed, and again when it has died."""

    def __init__(self, settings: HostSettings) -> None:
        self.settings = settings
        self._links: list[_Link] = []
        self._lock = threading.Lock()
        self._installed: Installed | None = None
        self._installing = threading.Lock()
        self._process = os.getpid()

    def open_channel(self) -> "tuple[Channel, _Link]":
        """Return a channel in which one program can be run. Raises HostError that says what is wrong and what to do."""
        from paramiko import ChannelException, SSHException

        with self._lock:
            if self._process != os.getpid():
                # A forked process has the parent's sockets, but not the threads that serve them.
                self._links, self._process = [], os.getpid()  # pragma: no cover - tested by a process that forks
            self._links = [link for link in self._links if link.transport.is_active()]
            for link in list(self._links):
                try:
                    return link.transport.open_session(timeout=self.settings.answer_timeout), link
                except ChannelException:
                    continue  # it has as many sessions as the server allows
                except (SSHException, EOFError, OSError):
                    # Nothing was asked of the machine yet. One that is only slow has programs of others.
                    if not link.transport.is_active():
                        link.close()
                        self._links.remove(link)
            if len(self._links) >= MOST_CONNECTIONS:
                raise HostError(
                    f"{self.settings.name} does not allow more sessions",
                    state="nothing was begun there",
                    hint="raise MaxSessions in the machine's /etc/ssh/sshd_config, or lower components_at_once",
                )
            link = _Link(self._connect(), self.settings.answer_timeout)
            self._links.append(link)
            with connecting(self.settings):
                return link.transport.open_session(timeout=self.settings.answer_timeout), link

    def installed(self) -> Installed:
        """Return where the shipped programs are; the first time, see to it that they are there. Raises HostError."""
        with self._installing:
            if self._installed is None:
                self._installed = install(self.open_channel()[0], self.settings)
            return self._installed

    def forget_installed(self) -> None:
        """Look for the shipped programs again the next time: somebody removed them."""
        self._installed = None

    def begin(self) -> "tuple[Channel, _Link]":
        """Return a channel in which what serves one program waits for its request. Raises HostError."""
        self.installed()
        channel, link = self.open_channel()
        with connecting(self.settings):
            channel.exec_command(serve_command(self.settings))
        return channel, link

    def _connect(self) -> "Connection":
        import fabric
        from paramiko import RejectPolicy

        # It prints what it meets; everything is told by what is raised here.
        logging.getLogger("paramiko").addHandler(logging.NullHandler())
        logging.getLogger("paramiko").propagate = False
        settings = self.settings
        # lazy: no configuration files, neither Fabric's own nor ~/.ssh/config.
        configuration = fabric.Config(lazy=True, overrides={"load_ssh_configs": False})
        found = fabric.Connection(
            settings.address,
            user=settings.user,
            port=settings.port,
            config=configuration,
            connect_timeout=max(1, round(settings.connect_timeout)),
            connect_kwargs={
                "pkey": _private_key(settings),
                "allow_agent": False,
                "look_for_keys": False,
                "banner_timeout": settings.connect_timeout,
                "auth_timeout": settings.connect_timeout,
                "channel_timeout": settings.answer_timeout,
            },
        )
        with connecting(settings):
            # Fabric's default is to trust whatever key it is shown.
            found.client.set_missing_host_key_policy(RejectPolicy())
            found.client.load_host_keys(settings.host_keys)
            try:
                found.open()
            except BaseException:
                found.client.close()
                raise
        # Each call is a few small messages; none of them may wait for an acknowledgement of the one before.
        found.transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found


_connections: dict[str, SshConnection] = {}
_connections_lock = threading.Lock()


def connection_to(settings: HostSettings) -> SshConnection:
    """Given a host's settings, return this process's connection to it. Nothing is contacted yet."""
    with _connections_lock:
        return _connections.setdefault(settings.model_dump_json(), SshConnection(settings))


def _private_key(settings: HostSettings) -> "PKey":
    from paramiko import ECDSAKey, Ed25519Key, RSAKey, SSHException

    text = resolve(settings.key or "").decode(errors="replace") + "\n"
    kinds: tuple[Any, ...] = (Ed25519Key, ECDSAKey, RSAKey)
    for kind in kinds:
        with suppress(SSHException, ValueError, IndexError):
            return kind.from_private_key(io.StringIO(text))
    raise ConfigurationError(
        f"{settings.key} is no private key of SSH that can be used for {settings.name}",
        state="nothing was contacted",
        hint="make one without a passphrase: ssh-keygen -t ed25519 -N '' -f FILE",
    )
