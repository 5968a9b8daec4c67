"""What goes out of a database server's program and into it: dumps, loads, and how far a measurement is."""

from collections.abc import Callable, Iterator

from recovery.hosts.base import InputStream, OutputStream, last_result
from recovery.sources.base import Dump, Fingerprint


class ServerDump:
    """See DumpStream; the program's last line tells what was dumped."""

    def __init__(self, output: OutputStream, suffix: str) -> None:
        self._output, self._suffix = output, suffix

    def readinto(self, buffer: memoryview | bytearray) -> int:
        """See DumpStream.readinto."""
        return self._output.readinto(buffer)

    def finish(self) -> Dump:
        """See DumpStream.finish."""
        result = last_result(self._output.finish().stderr)
        return Dump(
            Fingerprint.from_json(result["fingerprint"]),
            result["snapshot"],
            result["tools"],
            tuple(result["warnings"]),
            self._suffix,
            result["globals"].encode("utf-8", "surrogateescape"),
        )


class ServerLoad:
    """See LoadStream; `keep` gives a whole copy its name, and only then it is kept."""

    def __init__(self, program: InputStream, keep: Callable[[], None]) -> None:
        self._program, self._keep = program, keep
        self.kept = False

    def write(self, data: bytes | memoryview) -> int:
        """See LoadStream.write."""
        return self._program.write(data)

    def finish(self) -> None:
        """See LoadStream.finish."""
        self._program.finish()
        self._keep()
        self.kept = True


def read_counts(output: OutputStream) -> Iterator[tuple[int, int]]:
    """Given the output of a program that measures, yield each line "DONE TOTAL" of it as soon as it is there."""
    buffer, line = bytearray(1 << 12), b""
    while count := output.readinto(buffer):
        *lines, line = (line + bytes(buffer[:count])).split(b"\n")
        for each in lines:
            done, _, total = each.partition(b" ")
            yield int(done), int(total)
