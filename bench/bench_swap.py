"""The part of a restore's downtime that is ours: proof of quiet and swap of both components, at two sizes.

    python bench/bench_swap.py                     10 MiB and 1 GiB each of database and tree, 3 rounds

Downtime must not depend on size: nothing is copied while the service is stopped.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import generate
from recovery.hosts import open_host
from recovery.settings import ComponentSettings, HostSettings
from recovery.sources import open_source
from recovery.sources.base import Source


def swap_both(sources: list[Source]) -> float:
    """Prove that nobody has the data open, prepare, and swap each; return the seconds."""
    begun = time.perf_counter()
    for source in sources:
        source.quiet()
    receipts = [source.prepare_swap(source.beside("bench")) for source in sources]
    for source, receipt in zip(sources, receipts, strict=True):
        source.swap(receipt)
    return time.perf_counter() - begun


def measure(directory: Path, mebibytes: int, rounds: int) -> list[float]:
    """Make both components of this size with a copy beside each, and swap back and forth."""
    database, tree = directory / "data.db", directory / "tree"
    generate.sqlite(database, mebibytes)
    generate.tree(tree, mebibytes, files=max(10, mebibytes * 5))
    host = open_host(HostSettings(name="bench"))
    sources = [
        open_source(host, ComponentSettings(name="data", kind="sqlite", path=str(database))),
        open_source(host, ComponentSettings(name="files", kind="files", path=str(tree))),
    ]
    shutil.copy(database, sources[0].beside("bench"))
    shutil.copytree(tree, sources[1].beside("bench"), symlinks=True)
    # After a swap the old data bears the copy's name, so that the next round swaps it back by a new receipt.
    return [swap_both(sources) for _ in range(rounds)]


def main() -> int:
    """Measure both sizes and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, nargs="+", default=[10, 1024])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, default=None, help="where the data goes (default: a temporary one)")
    given = parser.parse_args()
    print(f"{'size':>10}  {'seconds (median)':>17}  {'worst':>6}")
    for mebibytes in given.mebibytes:
        with tempfile.TemporaryDirectory(dir=given.directory) as directory:
            seconds = measure(Path(directory), mebibytes, given.rounds)
        print(f"{mebibytes:>6} MiB  {statistics.median(seconds):>17.2f}  {max(seconds):>6.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
