"""Step 1 of the backup (dump, fingerprint, compress, encrypt, sync) against the same work as a shell pipeline.

    python bench/bench_step1.py --rounds 5                        a quarter of a GiB and 1 GiB of database and tree
    python bench/bench_step1.py --kind files --mebibytes 64 --files 300 --rounds 2

Variants take turns within a round, so that a busy machine slows all of them; medians are printed, and ratios to the
shell. Ours does more than the shell: it also takes SHA-256 of plain and cipher and the fingerprint of every table or
directory. It runs in a fresh process; its clock starts after the imports, as in a worker that is already running.
Memory is that of the process together with the dump program or tar that it starts, beyond what the process alone held
before the step; at the end the smallest and the largest size are compared.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import generate
from bench.measuring import peak_of, resident

Result = dict[str, float]

TAR = ["tar", "--create", "--file=-", "--format=posix", "--sparse", "--xattrs", "--xattrs-include=*", "--numeric-owner"]


def ours(kind: str, path: Path, out: Path, recipients: list[str]) -> Result:
    """Run step 1 in a process of its own, which says what it took; its dump program counts into time and memory."""
    program = [sys.executable, __file__, "--worker", kind, str(path), str(out), *recipients]
    result, said = _run(program)
    measured = json.loads(said)
    return {**result, **measured, "memory": result["memory"] - measured["idle"]}


def worker(kind: str, path: str, out: str, recipients: list[str]) -> None:
    """What step 1 does, measured from within."""
    from recovery.hosts import open_host
    from recovery.settings import ComponentSettings, HostSettings
    from recovery.sources import open_source
    from recovery.stream import encrypt

    host = open_host(HostSettings(name="bench"))
    source = open_source(host, ComponentSettings.model_validate({"name": "bench", "kind": kind, "path": path}))
    idle, processor = resident(os.getpid()), _processor()
    begun = time.perf_counter()
    with source.dump() as stream:
        digests = encrypt(stream.readinto, Path(out), recipients, threads=source.compression_threads)
        dump = stream.finish()
    seconds = time.perf_counter() - begun
    measured = {"seconds": seconds, "processor": _processor() - processor, "idle": idle / generate.MEBIBYTE}
    measured["stored"] = digests.cipher_size / generate.MEBIBYTE
    print(json.dumps({**measured, "objects": len(dump.fingerprint.objects)}))


def shell(dump: str) -> Callable[[str, Path, Path, list[str]], Result]:
    """Given the beginning of a pipeline, return what runs it through zstd and age into a synced file."""

    def run(kind: str, path: Path, out: Path, recipients: list[str]) -> Result:
        keys = " ".join(f"-r {recipient}" for recipient in recipients)
        pipeline = f'set -o pipefail; {{ {dump}; }} | zstd -q -1 -T1 -c | age {keys} > "$OUT" && sync "$OUT"'
        result, _ = _run(["bash", "-c", pipeline], DATA=str(path), OUT=str(out), COPY=str(out) + ".copy")
        Path(str(out) + ".copy").unlink(missing_ok=True)
        return {**result, "stored": out.stat().st_size / generate.MEBIBYTE}

    return run


VARIANTS: dict[str, dict[str, Callable[[str, Path, Path, list[str]], Result]]] = {
    # The bare copy is what the shell can do at best, and is wrong when somebody writes; .backup is what is right.
    "sqlite": {
        "shell: cat | zstd | age": shell('cat "$DATA"'),
        "shell: .backup, cat | zstd | age": shell('sqlite3 "$DATA" ".backup \'$COPY\'" && cat "$COPY"'),
        "ours": ours,
    },
    "files": {"shell: tar | zstd | age": shell(" ".join(TAR) + ' --directory "$DATA" .'), "ours": ours},
}


def _run(program: list[str], **environment: str) -> tuple[Result, str]:
    begun = time.perf_counter()
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    assert process.stdout is not None
    with peak_of(process.pid) as peak:
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{program[:3]} ended with status {process.returncode}")
    processor = usage.ru_utime + usage.ru_stime
    return {"seconds": seconds, "processor": processor, "memory": max(peak) / generate.MEBIBYTE}, said


def _processor() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def compare(kind: str, path: Path, size: int, rounds: int, directory: Path) -> float:
    """Given data and a number of rounds, run every variant in turn and print medians; return our memory in MiB."""
    from recovery.crypto import generate_identity

    recipients = [generate_identity()[1], generate_identity()[1]]
    results: dict[str, list[Result]] = {name: [] for name in VARIANTS[kind]}
    for number in range(rounds + 1):
        for name, variant in VARIANTS[kind].items():
            out = directory / "out.zst.age"
            result = variant(kind, path, out, recipients)
            out.unlink()
            # The first round only brings the data into memory, for all of them alike.
            if number:
                results[name].append(result)
    base = next(iter(results.values()))
    print(f"\n{kind}: {size} MiB, {rounds} rounds, medians")
    print(f"{'':36} {'seconds':>8} {'ratio':>6} {'cpu s':>7} {'ratio':>6} {'MiB stored':>11} {'MiB memory':>11}")
    for name, found in results.items():
        seconds, processor, stored = (_median(found, field) for field in ("seconds", "processor", "stored"))
        memory = f"{_median(found, 'memory'):11.0f}"
        print(
            f"{name:36} {seconds:8.2f} {seconds / _median(base, 'seconds'):6.2f} {processor:7.2f} "
            f"{processor / _median(base, 'processor'):6.2f} {stored:11.0f} {memory}"
        )
    return _median(results["ours"], "memory")


def _median(results: list[Result], field: str) -> float:
    return statistics.median(result[field] for result in results)


def main() -> None:
    """Make the data and compare; `--worker` is how this program calls itself."""
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=["sqlite", "files", "both"], default="both")
    parser.add_argument("--mebibytes", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path, help="where the data is made and removed (default: a temporary one)")
    arguments = parser.parse_args()
    kinds = ["sqlite", "files"] if arguments.kind == "both" else [arguments.kind]
    for kind in kinds:
        memory = {}
        for size in sorted(arguments.mebibytes):
            with tempfile.TemporaryDirectory(dir=arguments.directory, prefix="pulih-bench-") as name:
                directory = Path(name)
                path = directory / "data"
                if kind == "sqlite":
                    generate.sqlite(path, size)
                else:
                    generate.tree(path, size, arguments.files)
                memory[size] = compare(kind, path, size, arguments.rounds, directory)
        (small, least), *_, (large, most) = [*memory.items()] * 2
        if small != large:
            print(f"{kind}: {most - least:+.0f} MiB memory from {small} to {large} MiB of data")


if __name__ == "__main__":
    main()
