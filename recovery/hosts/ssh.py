"""A machine that is reached by SSH. What runs there behaves as on the local host, and ends when the connection does."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal

from recovery.channels import BUFFER_SIZE
from recovery.durable import NewFile
from recovery.hosts.base import Argument, Completed, InputStream, OutputStream, call_program
from recovery.hosts.ssh_connection import connection_to
from recovery.hosts.ssh_program import RemoteProgram
from recovery.hosts.ssh_tunnel import open_tunnel
from recovery.settings import HostSettings


class SshHost:
    """Runs programs on another machine, each as the leader of its own process group."""

    def __init__(self, settings: HostSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._connection = connection_to(settings)
        self._identity = ""

    def run(
        self,
        argv: Sequence[Argument],
        *,
        stdin: bytes = b"",
        timeout: float = 60,
        ok: Collection[int] = (0,),
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """See Host.run."""
        with self._program("run", argv, ok, env, timeout) as program:
            program.write(stdin)
            program.end_input()
            stdout = program.read_all()
            ended = program.finish()
        return Completed(ended.code, stdout, ended.stderr)

    def stream(
        self, argv: Sequence[Argument], *, ok: Collection[int] = (0,), env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[OutputStream]:
        """See Host.stream."""
        return self._program("stream", argv, ok, env)

    def feed(
        self, argv: Sequence[Argument], *, ok: Collection[int] = (0,), env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[InputStream]:
        """See Host.feed."""
        return self._program("feed", argv, ok, env)

    def helper(self, *arguments: Argument) -> list[Argument]:
        """See Host.helper. The first time, the shipped programs are put there."""
        installed = self._connection.installed()
        return [installed.python, "-I", "-S", f"{installed.directory}/helper.py", *arguments]

    def call(self, *arguments: Argument, timeout: float = 60) -> dict[str, Any]:
        """See Host.call."""
        return call_program(self, arguments, timeout)

    def bring(self, path: str, directory: Path) -> str:
        """See Host.bring."""
        target = directory / "brought"
        target.unlink(missing_ok=True)
        buffer = memoryview(bytearray(BUFFER_SIZE))
        with NewFile(target) as file, self.stream(["cat", "--", path]) as stream:
            while count := stream.readinto(buffer):
                file.write(buffer[:count])
            stream.finish()
        return str(target)

    @contextmanager
    def tunnel(self, places: Sequence[str], name: str) -> Iterator[str]:
        """See Host.tunnel."""
        place = str(self.call("connection", "find", *places)["place"])
        with open_tunnel(self._connection, self.helper("connection", "relay", place), name) as directory:
            yield directory

    def account(self) -> str:
        """See Host.account."""
        return self._settings.user

    def identity(self) -> str:
        """See Host.identity."""
        self._identity = self._identity or str(self.call("system", "identity")["identity"])
        return self._identity

    def python(self) -> str:
        """See Host.python."""
        return self._connection.installed().version

    def title(self) -> str:
        """See Host.title. The address, where no title is given: a form must not wait for the machine."""
        return self._settings.title or self._settings.address

    @contextmanager
    def _program(
        self,
        mode: Literal["run", "stream", "feed"],
        argv: Sequence[Argument],
        ok: Collection[int],
        env: Mapping[str, str] | None,
        timeout: float = 0,
    ) -> Iterator[RemoteProgram]:
        program = RemoteProgram(self._connection, mode, argv, ok, env, timeout)
        try:
            yield program
        finally:
            program.abandon()
