"""Measure what a host that is reached by SSH gives and takes, beside the system's own `ssh host cat`, in turns.

The server is a real sshd on this machine, so that both sides share its processors; quote the ratios.
"""

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from recovery.crypto import generate_identity  # noqa: E402
from recovery.hosts.ssh import SshHost  # noqa: E402
from recovery.stream import encrypt  # noqa: E402
from tests.testbed.sshd import SshServer, run_sshd  # noqa: E402

BLOCK = 1 << 20


class Bench:
    """The two ways, each as a function that moves the whole data once."""

    def __init__(self, server: SshServer, data: Path, scratch: Path) -> None:
        self.host = SshHost(server.settings())
        self.size = data.stat().st_size
        self._data, self._scratch = data, scratch
        self._recipients = [generate_identity()[1]]
        options = f"-F none -o BatchMode=yes -o UserKnownHostsFile={server.host_keys} -o LogLevel=ERROR"
        self._ssh = ["ssh", *options.split(), "-i", str(server.key), "-p", str(server.port), "127.0.0.1"]

    def ssh_stream(self) -> None:
        """`ssh host cat FILE`, read by us."""
        with subprocess.Popen([*self._ssh, f"cat {self._data}"], stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdout is not None
            _read(_reader(process.stdout.fileno()))
        assert process.returncode == 0

    def our_stream(self) -> None:
        """The host's stream."""
        with self.host.stream(["cat", str(self._data)]) as stream:
            _read(stream.readinto)
            stream.finish()

    def ssh_feed(self) -> None:
        """`ssh host 'cat > FILE'`, written by us."""
        with subprocess.Popen([*self._ssh, "cat > /dev/null"], stdin=subprocess.PIPE, bufsize=0) as process:
            assert process.stdin is not None
            self._write(process.stdin.write)
            process.stdin.close()
        assert process.returncode == 0

    def our_feed(self) -> None:
        """The host's feed."""
        with self.host.feed(["sh", "-c", "cat > /dev/null"]) as stream:
            self._write(stream.write)
            stream.finish()

    def ssh_tunnel(self) -> None:
        """`ssh -L` to a server that sends the data."""
        near = self._scratch / "near"
        with subprocess.Popen([*self._ssh, "-N", "-L", f"{near}:{self._serve()}"]) as process:
            while not near.exists():
                time.sleep(0.001)
            self._draw(near)
            process.terminate()
        near.unlink()

    def our_tunnel(self) -> None:
        """The host's tunnel to the same."""
        with self.host.tunnel([str(self._serve())], "near") as directory:
            self._draw(Path(directory) / "near")

    def _serve(self) -> Path:
        path = self._scratch / "far"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()

        def send() -> None:
            # Our tunnel looks first whether somebody answers.
            with listener, suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    with peer, self._data.open("rb") as file, suppress(OSError):
                        peer.sendfile(file)

        threading.Thread(target=send, daemon=True).start()
        return path

    def _draw(self, near: Path) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(near))
            _read(connection.recv_into)

    def ssh_step(self) -> None:
        """`ssh host cat FILE` into step 1: hashed, compressed, encrypted, stored."""
        with subprocess.Popen([*self._ssh, f"cat {self._data}"], stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdout is not None
            self._encrypt(_reader(process.stdout.fileno()))
        assert process.returncode == 0

    def our_step(self) -> None:
        """The host's stream into step 1."""
        with self.host.stream(["cat", str(self._data)]) as stream:
            self._encrypt(stream.readinto)
            stream.finish()

    def _encrypt(self, readinto: Callable[[Any], int | None]) -> None:
        target = self._scratch / "part"
        encrypt(readinto, target, self._recipients)
        target.unlink()

    def _write(self, write: Callable[[memoryview], int | None]) -> None:
        with self._data.open("rb", buffering=0) as file:
            buffer = memoryview(bytearray(BLOCK))
            while count := file.readinto(buffer):
                block = buffer[:count]
                while block:
                    block = block[write(block) or 0 :]


def _reader(descriptor: int) -> Callable[[Any], int]:
    return lambda buffer: os.readv(descriptor, [buffer])


def _read(readinto: Callable[[Any], int | None]) -> None:
    buffer = memoryview(bytearray(BLOCK))
    while readinto(buffer):
        pass


def _measured(work: Callable[[], None]) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    work()
    seconds = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, sum(b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(before, after, strict=True))


def main() -> None:
    """Run the rounds and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mebibytes", type=int, default=512)
    arguments = parser.parse_args()
    directory: AbstractContextManager[str] = tempfile.TemporaryDirectory(prefix="pulih-bench-")
    with directory as name, run_sshd() as server:
        data = Path(name) / "data"
        # Half random, half repeating, as in the other benchmarks.
        with Path("/dev/urandom").open("rb") as source, data.open("wb") as file:
            for _ in range(arguments.mebibytes // 2):
                file.write(source.read(BLOCK) + b"baris data yang berulang " * (BLOCK // 25))
        # Without `restrict`, since the system's tunnel is forwarding.
        (server.directory / "authorized_keys").write_text(Path(f"{server.key}.pub").read_text())
        bench = Bench(server, data, Path(name))
        bench.host.run(["true"])
        pairs = [
            ("stream", bench.ssh_stream, bench.our_stream),
            ("feed", bench.ssh_feed, bench.our_feed),
            ("tunnel", bench.ssh_tunnel, bench.our_tunnel),
            ("stream → step 1", bench.ssh_step, bench.our_step),
        ]
        print(f"{'':16} {'ssh MiB/s':>10} {'ours MiB/s':>10} {'ratio':>6} {'worker cpu s: ssh':>18} {'ours':>6}")
        for title, theirs, ours in pairs:
            rounds = [(_measured(theirs), _measured(ours)) for _ in range(arguments.rounds)]
            seconds = [statistics.median(each[side][0] for each in rounds) for side in (0, 1)]
            processor = [statistics.median(each[side][1] for each in rounds) for side in (0, 1)]
            ratio = statistics.median(one[0] / other[0] for one, other in rounds)
            speed = [bench.size / each / (1 << 20) for each in seconds]
            print(f"{title:16} {speed[0]:10.0f} {speed[1]:10.0f} {ratio:6.2f} {processor[0]:18.1f} {processor[1]:6.1f}")


if __name__ == "__main__":
    main()
