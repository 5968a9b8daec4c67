"""A PostgreSQL database: dump, whole verified backup and restore, beside the shell, restic and borgmatic.

    python bench/bench_postgresql.py                                   100 MiB and 2 GiB, 3 rounds; takes an hour
    python bench/bench_postgresql.py --mebibytes 50 --rounds 1 --only dump restore
    python bench/bench_postgresql.py --borgmatic ~/borgmatic/bin/borgmatic

Variants take turns within a round; medians are printed, and ratios to the shell. The database lies in a server of the
benchmark's own with the settings of production (fsync on), below TMPDIR. Processor time is of the variant's processes
and of that server together; memory is the most that the variant's processes held together, the server of our proof
included. Ours does more: fingerprints, a restored and judged copy, forms and ledger. restic and borgmatic (with borg)
are left out, and said to be, where they are not installed.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import generate_postgresql
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql

DATABASE = "simpel"
PRODUCTION = ("fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=256MB", "max_wal_size=4GB")
MEBIBYTE = 1 << 20
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
FLOOR = "pg_dump alone"
SHELL = "shell: pg_dump | zstd | age"
Result = dict[str, float]


@dataclass
class Bench:
    """A server with the database, and where the variants keep theirs."""

    server: PostgreSQLServer
    directory: Path
    programs: dict[str, str]
    results: dict[str, dict[str, list[Result]]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What every program is told."""
        place = {"PGHOST": str(self.server.directory), "PGUSER": self.server.user, "PGDATABASE": DATABASE}
        secrets = {"RESTIC_PASSWORD": "bench", "BORG_PASSPHRASE": "bench", "RESTIC_PROGRESS_FPS": "0.01"}
        own = {"D": str(self.directory), "BORG_BASE_DIR": str(self.directory / "borg-home")}
        return {**os.environ, **place, **secrets, **own, "RESTIC_CACHE_DIR": str(self.directory / "restic-cache")}

    def shell(self, script: str) -> Result:
        """Run a pipeline of which every program must succeed."""
        return self.run(["bash", "-c", f"set -eo pipefail; {script}"])[0]

    def run(self, argv: list[str]) -> tuple[Result, str]:
        """Run a program and measure it with everything that it starts, and what the server does meanwhile."""
        before, begun = self._server_seconds(), time.perf_counter()
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=self.environment, cwd=self.directory)
        assert process.stdout is not None
        with _peak_of(process.pid) as peak:
            said = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{argv[-1][:200]} ended with status {process.returncode}")
        processor = usage.ru_utime + usage.ru_stime + self._server_seconds() - before
        return {"seconds": seconds, "processor": processor, "memory": max(peak) / MEBIBYTE}, said

    def stored(self, name: str) -> float:
        """The MiB that a variant keeps."""
        files = (path for path in (self.directory / name).rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files) / MEBIBYTE

    def record(self, topic: str, variant: str, result: Result) -> None:
        """Keep what was measured."""
        self.results.setdefault(topic, {}).setdefault(variant, []).append(result)

    def _server_seconds(self) -> float:
        """The processor time of the server and of all its sessions, those that have ended included."""
        pid = (self.server.directory / "data" / "postmaster.pid").read_text().split("\n")[0]
        return sum(_ticks(member) for member in _family(int(pid))) / TICKS


def _ticks(pid: int) -> int:
    """What a process and those of its children that it has seen end have used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


@contextmanager
def _peak_of(pid: int) -> Iterator[list[int]]:
    """Look, while the block runs, how much memory a process and its descendants hold together."""
    seen, end = [0], threading.Event()

    def look() -> None:
        while not end.wait(0.05):
            seen.append(sum(_resident(member) for member in _family(pid)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()


def _family(pid: int) -> Iterator[int]:
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))


def _resident(pid: int) -> int:
    """What is a process's own, and its share of what it has in common with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


# --- the variants -------------------------------------------------------------------------------------------


def dumps(bench: Bench) -> dict[str, Callable[[], Result]]:
    """Step 1 alone: dump, compress, encrypt, sync."""
    keys = " ".join(f"-r {recipient}" for recipient in _recipients())

    def ours(verb: str) -> Callable[[], Result]:
        return lambda: _worker(bench, verb)

    return {
        SHELL: lambda: bench.shell(f"pg_dump -Fc -Z0 | zstd -q -1 -T1 -c | age {keys} > $D/dump && sync $D/dump"),
        FLOOR: lambda: bench.shell("pg_dump -Fc -Z0 > /dev/null"),
        "ours: dump and fingerprint": ours("dump"),
        "ours: fingerprint alone": ours("fingerprint"),
    }


def backups(bench: Bench) -> dict[str, Callable[[], Result]]:
    """A whole backup, each into an empty place."""
    keys = " ".join(f"-r {recipient}" for recipient in _recipients(bench.directory / "identity"))

    def fresh(name: str, script: str, *, prepare: str = "") -> Callable[[], Result]:
        def run() -> Result:
            shutil.rmtree(bench.directory / name, ignore_errors=True)
            bench.shell(prepare or f"mkdir $D/{name}")
            result = bench.shell(script)
            return {**result, "stored": bench.stored(name)}

        return run

    found = {
        SHELL: fresh(
            "shell", f"pg_dump -Fc -Z0 | zstd -q -1 -T1 -c | age {keys} > $D/shell/dump && sync $D/shell/dump"
        ),
        "ours: verified, stored, read back": lambda: _worker(bench, "backup"),
    }
    if restic := bench.programs["restic"]:
        found["restic"] = fresh(
            "restic",
            f"pg_dump -Fc -Z0 | {restic} -q -r $D/restic backup --stdin --stdin-filename dump",
            prepare=f"{restic} -q -r $D/restic init",
        )
    if borgmatic := bench.programs["borgmatic"]:
        _configure_borgmatic(bench)
        create = f"{borgmatic} -c $D/borgmatic.yaml"
        found["borgmatic, borg zstd,1"] = fresh(
            "borg", f"{create} create", prepare=f"rm -rf $D/borg-home; {create} repo-create --encryption repokey-blake2"
        )
    return found


def restores(bench: Bench) -> dict[str, Callable[[], Result]]:
    """The newest backup of each, over the live database. What is down for how long is a figure of its own."""
    anew = "dropdb --force simpel && createdb simpel"
    load = "pg_restore --exit-on-error --dbname=simpel"

    def down(script: str) -> Callable[[], Result]:
        def run() -> Result:
            result = bench.shell(script)
            # Their application is down from the first command to the last.
            return {**result, "downtime": result["seconds"]}

        return run

    found = {
        SHELL: down(f"{anew} && age -d -i $D/identity $D/shell/dump | zstd -q -d -c | {load}"),
        "ours: rehearsed, then swapped": lambda: _worker(bench, "restore"),
    }
    if restic := bench.programs["restic"]:
        found["restic"] = down(f"{anew} && {restic} -q -r $D/restic dump latest dump | {load}")
    if borgmatic := bench.programs["borgmatic"]:
        found["borgmatic, borg zstd,1"] = down(f"{borgmatic} -c $D/borgmatic.yaml restore --archive latest")
    return found


def _recipients(identity: Path | None = None) -> list[str]:
    """Two keys; the secret of one is kept in a file, if there is one."""
    from recovery.crypto import generate_identity

    if identity is None:
        return [generate_identity()[1], generate_identity()[1]]
    secret, recipient = generate_identity()
    identity.write_text(f"{secret}\n")
    return [recipient, generate_identity()[1]]


def _configure_borgmatic(bench: Bench) -> None:
    place = {"name": DATABASE, "hostname": str(bench.server.directory), "username": bench.server.user}
    configuration = {
        "repositories": [{"path": str(bench.directory / "borg")}],
        "compression": "zstd,1",
        "postgresql_databases": [{**place, "format": "custom", "options": "--compress=0"}],
    }
    # JSON is YAML.
    (bench.directory / "borgmatic.yaml").write_text(json.dumps(configuration))


# --- ours, in a process of its own --------------------------------------------------------------------------


def _worker(bench: Bench, verb: str) -> Result:
    argv = [sys.executable, __file__, "--worker", verb, str(bench.directory), str(bench.server.directory)]
    result, said = bench.run([*argv, bench.server.user])
    # Its own clock begins after the imports, as in a worker that runs already.
    found = json.loads(said.splitlines()[-1])
    return {**result, **found, "processor": result["processor"] - found.pop("imports")}


def work(verb: str, directory: Path, server: str, user: str) -> dict[str, float]:
    """What `_worker` asks for; the office with catalog, store and keys is made once and opened again."""
    if verb in ("backup", "restore"):
        import great_expectations  # noqa: F401
        import typst  # noqa: F401

    from recovery.settings import ComponentSettings
    from tests.testbed.small_office import attach, describe, open_office

    root = directory / "office"
    if not root.exists():
        made = open_office(root)
        component = ComponentSettings(name="data", kind="postgresql", database=DATABASE, server=server, user=user)
        made.installation.applications["simpel"].components = [component]
        describe(made)
    office = attach(root)
    imports, begun = time.process_time(), time.perf_counter()
    return {"imports": imports, **_done(verb, directory, office, begun)}


def _done(verb: str, directory: Path, office: Any, begun: float) -> dict[str, float]:
    source = office.installation.source("simpel/data")
    if verb == "fingerprint":
        source.fingerprint()
        return {"seconds": time.perf_counter() - begun}
    if verb == "dump":
        from recovery.stream import encrypt

        (directory / "ours").unlink(missing_ok=True)
        with source.dump() as stream:
            encrypt(stream.readinto, directory / "ours", _recipients(), threads=source.compression_threads)
            stream.finish()
        return {"seconds": time.perf_counter() - begun}
    if verb == "backup":
        store = office.root / "store"
        for each in (store / "bkd").rglob("data.*"):
            each.unlink()
        office.back_up()
        stored = sum(path.stat().st_size for path in store.rglob("data.*"))
        return {"seconds": time.perf_counter() - begun, "stored": stored / MEBIBYTE}
    procedure = office.request()
    office.approve(procedure)
    for number in (4, 5, 6):
        evidence = office.step(f"restore.{number}", procedure)
    office.finish(procedure)
    seconds = time.perf_counter() - begun
    for copy in source.copies():
        source.discard(copy)
    if evidence["status"] != "berhasil":
        raise SystemExit(f"the restore ended as {evidence['status']}")
    return {"seconds": seconds, "downtime": evidence["downtime_milliseconds"] / 1000}


# --- the figures --------------------------------------------------------------------------------------------

TOPICS = {"dump": dumps, "backup": backups, "restore": restores}
COLUMNS = {"downtime": "s downtime", "stored": "MiB stored", "memory": "MiB memory"}


def measure(mebibytes: int, rounds: int, only: list[str], programs: dict[str, str]) -> None:
    """Make the database, let every variant of every topic take its turns, and print."""
    with (
        tempfile.TemporaryDirectory(prefix="pulih-bench-") as name,
        run_postgresql(*PRODUCTION) as server,
    ):
        bench = Bench(server, Path(name), programs)
        server.execute(f"CREATE DATABASE {DATABASE}")
        generate_postgresql.fill(f"host={server.directory} user={server.user} dbname={DATABASE}", mebibytes)
        size = int(bench.run(["psql", "-XAtc", f"SELECT pg_database_size('{DATABASE}')"])[1]) / MEBIBYTE
        # A restore needs something to restore, whatever was asked for.
        for topic in [each for each in TOPICS if each in only or (each == "backup" and "restore" in only)]:
            variants = TOPICS[topic](bench)
            for number in range(rounds + (topic == "dump")):
                for variant, run in variants.items():
                    result = run()
                    # The first dump only brings the database into memory, for all of them alike.
                    if number or topic != "dump":
                        bench.record(topic, variant, result)
        if (pid := bench.directory / "office" / "service" / "pid").exists():
            os.kill(int(pid.read_text()), 9)
        for topic, found in bench.results.items():
            show(f"{topic}: {size:.0f} MiB of database, {rounds} rounds, medians", found)


def show(title: str, found: dict[str, list[Result]]) -> None:
    """Print one table; ratios are to the shell."""
    shown = [name for name in COLUMNS if any(name in results[0] for results in found.values())]
    head = " ".join(f"{COLUMNS[name]:>11}" for name in shown)
    print(f"\n{title}\n{'':36} {'seconds':>8} {'ratio':>6} {'cpu s':>7} {'ratio':>6} {head}")
    for variant, results in found.items():
        cells = []
        for name in ("seconds", "processor"):
            value = _median(results, name)
            cells.append(f"{value:{8 if name == 'seconds' else 7}.2f} {value / _median(found[SHELL], name):6.2f}")
        cells += [f"{_median(results, name):11.1f}" if name in results[0] else " " * 11 for name in shown]
        print(f"{variant:36} {' '.join(cells)}", flush=True)


def _median(results: list[Result], name: str) -> float:
    return statistics.median(result[name] for result in results)


def main() -> None:
    """Measure; `--worker` is how this program calls itself."""
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(work(sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, nargs="+", default=[100, 2048])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=list(TOPICS), nargs="+", default=list(TOPICS))
    parser.add_argument("--restic", default="restic")
    parser.add_argument("--borgmatic", default="borgmatic")
    given = parser.parse_args()
    programs = {name: shutil.which(getattr(given, name)) or "" for name in ("restic", "borgmatic")}
    if not shutil.which("borg"):
        programs["borgmatic"] = ""
    for name, path in programs.items():
        print(f"{name}: {path or 'is not installed, and is left out'}")
    for mebibytes in given.mebibytes:
        measure(mebibytes, given.rounds, given.only, programs)


if __name__ == "__main__":
    main()
