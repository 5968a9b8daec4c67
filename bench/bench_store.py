"""Measures uploads into a real S3 server on this machine against `rclone rcat` into the same one, in one run:
interleaved rounds, medians, peak memory. `bench_store.py [--size MIB] [--rounds N]`; needs Debian's package rclone."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.buckets import RCLONE, rclone_place  # noqa: E402
from bench.generate import MEBIBYTE  # noqa: E402
from tests.testbed.s3 import S3Server  # noqa: E402
from tests.testbed.s3_juicefs import run_juicefs  # noqa: E402

# Each in a process of its own, so that its memory is its own; what it prints is the time without Python's own start.
OURS = """
import sys, time
from pathlib import Path
from recovery.settings import StoreSettings
from recovery.stores import open_store
from recovery.stores.s3_upload import Content, put
settings, key, path, how = sys.argv[1:]
begun = time.perf_counter()
store = open_store(StoreSettings.model_validate_json(settings))
if how == "put and read back":
    store.put_file(key, Path(path))
else:
    with open(path, "rb") as file:
        put(store.bucket, key, Content.of_file(file.fileno(), path), key)
print(time.perf_counter() - begun)
"""
WAYS = ("rclone rcat", "upload", "put and read back")


def main() -> None:
    """Measure and print one line per way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=400, help="MiB per object")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if shutil.which("rclone") is None:
        raise SystemExit("rclone is missing. First: sudo apt install rclone")
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    memory: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder, run_juicefs() as server:
        path = Path(folder) / "object"
        with path.open("wb") as file:
            for _ in range(given.size):
                file.write(os.urandom(MEBIBYTE))
        bucket = server.make_bucket()
        for turn in range(given.rounds):
            for way in WAYS if turn % 2 else reversed(WAYS):
                key = f"{way.replace(' ', '-')}-{turn}"
                took, peak = _measure(server, bucket, key, path, way)
                seconds[way].append(took)
                memory[way].append(peak)
                server.client().delete_object(Bucket=bucket, Key=key)
                server.client().delete_object(Bucket=bucket, Key=f"cadangan/{key}")
    floor = statistics.median(seconds[WAYS[0]])
    print(f"{given.size} MiB, {given.rounds} rounds: median seconds (all), MiB/s, speed against rclone, peak MiB")
    for way in WAYS:
        median = statistics.median(seconds[way])
        every = " ".join(f"{each:.1f}" for each in seconds[way])
        rate, speed = given.size / median, floor / median
        print(f"{way:20} {median:6.2f} ({every})  {rate:6.0f}  {speed:5.2f}  {max(memory[way]):5.0f}")


def _measure(server: S3Server, bucket: str, key: str, path: Path, way: str) -> tuple[float, float]:
    if way == "rclone rcat":
        command = [*RCLONE, "rcat", rclone_place(server, bucket, key)]
        with path.open("rb") as file:
            # Settings of Amazon's programs in the environment would decide otherwise.
            return _run(command, stdin=file, env={"PATH": os.environ["PATH"], "HOME": str(path.parent)})
    settings = server.settings(path.parent, bucket).model_dump_json()
    return _run([sys.executable, "-c", OURS, settings, key, str(path), way])


def _run(command: list[str], **given: object) -> tuple[float, float]:
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **given)  # type: ignore[call-overload]
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with status {process.returncode}")
    return float(said or took), usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
