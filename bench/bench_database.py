"""A database of a server: dump, whole verified backup and restore, beside the shell, restic and borgmatic.

    python bench/bench_database.py                       PostgreSQL 100 MiB and 2 GiB, MariaDB 100 MiB and 1 GiB,
                                                         3 rounds each; takes two hours
    python bench/bench_database.py --engine mariadb --mebibytes 50 --rounds 1 --only dump restore
    python bench/bench_database.py --borgmatic ~/borgmatic/bin/borgmatic

Variants take turns within a round; medians are printed, and ratios to the shell. The database lies in a server of the
benchmark's own with the settings of production (what is committed is on the disk), below TMPDIR. Processor time is of
the variant's processes and of that server together; memory is the most that the variant's processes held together, the
server of our proof included. Ours does more: fingerprints, a restored and judged copy, forms and ledger. restic and
borgmatic (with borg) are left out, and said to be, where they are not installed.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import generate_database
from bench.engines import DATABASE, RUN, SIZES, Engine
from bench.generate import MEBIBYTE
from bench.measuring import Meter, Result, show
from tests.testbed.web_service import kill_service

BORGMATIC = "borgmatic, borg zstd,1"


@dataclass
class Bench:
    """A server with the database, and where the variants keep theirs."""

    engine: Engine
    directory: Path
    programs: dict[str, str]
    meter: Meter = field(init=False)

    def __post_init__(self) -> None:
        secrets = {"RESTIC_PASSWORD": "bench", "BORG_PASSPHRASE": "bench", "RESTIC_PROGRESS_FPS": "0.01"}
        own = {"D": str(self.directory), "BORG_BASE_DIR": str(self.directory / "borg-home")}
        own["RESTIC_CACHE_DIR"] = str(self.directory / "restic-cache")
        environment = {**os.environ, **self.engine.environment, **secrets, **own}
        self.meter = Meter(self.directory, environment, self.engine.pid)

    @property
    def shell(self) -> str:
        """What the plain pipeline is called."""
        return f"shell: {self.engine.dump_program} | zstd | age"

    def sealed(self, place: str, recipients: list[str]) -> str:
        """The plain pipeline, into a file."""
        keys = " ".join(f"-r {recipient}" for recipient in recipients)
        return f"{self.engine.dump} | zstd -q -1 -T1 -c | age {keys} > {place} && sync {place}"

    def stored(self, name: str) -> float:
        """The MiB that a variant keeps."""
        files = (path for path in (self.directory / name).rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files) / MEBIBYTE


Variants = dict[str, Callable[[], Result]]

# --- the variants -------------------------------------------------------------------------------------------


def dumps(bench: Bench) -> Variants:
    """Step 1 alone: dump, compress, encrypt, sync."""
    pipeline = bench.sealed("$D/dump", _recipients())
    return {
        bench.shell: lambda: bench.meter.shell(pipeline),
        f"{bench.engine.dump_program} alone": lambda: bench.meter.shell(f"{bench.engine.dump} > /dev/null"),
        "ours: dump and fingerprint": lambda: _worker(bench, "dump"),
        "ours: fingerprint alone": lambda: _worker(bench, "fingerprint"),
    }


def backups(bench: Bench) -> Variants:
    """A whole backup, each into an empty place."""

    def fresh(name: str, script: str, *, prepare: str = "") -> Callable[[], Result]:
        def run() -> Result:
            shutil.rmtree(bench.directory / name, ignore_errors=True)
            bench.meter.shell(prepare or f"mkdir $D/{name}")
            result = bench.meter.shell(script)
            return {**result, "stored": bench.stored(name)}

        return run

    found = {
        bench.shell: fresh("shell", bench.sealed("$D/shell/dump", _recipients(bench.directory / "identity"))),
        "ours: verified, stored, read back": lambda: _worker(bench, "backup"),
    }
    if restic := bench.programs["restic"]:
        found["restic"] = fresh(
            "restic",
            f"{bench.engine.dump} | {restic} -q -r $D/restic backup --stdin --stdin-filename dump",
            prepare=f"{restic} -q -r $D/restic init",
        )
    if borgmatic := bench.programs["borgmatic"]:
        repositories = [{"path": str(bench.directory / "borg")}]
        configuration = {"repositories": repositories, "compression": "zstd,1", **bench.engine.borgmatic}
        # JSON is YAML.
        (bench.directory / "borgmatic.yaml").write_text(json.dumps(configuration))
        create = f"{borgmatic} -c $D/borgmatic.yaml"
        found[BORGMATIC] = fresh(
            "borg", f"{create} create", prepare=f"rm -rf $D/borg-home; {create} repo-create --encryption repokey-blake2"
        )
    return found


def restores(bench: Bench) -> Variants:
    """The newest backup of each, over the live database. What is down for how long is a figure of its own."""
    anew, load = bench.engine.anew, bench.engine.load

    def down(script: str) -> Callable[[], Result]:
        def run() -> Result:
            result = bench.meter.shell(script)
            # Their application is down from the first command to the last.
            return {**result, "downtime": result["seconds"]}

        return run

    found = {
        bench.shell: down(f"{anew} && age -d -i $D/identity $D/shell/dump | zstd -q -d -c | {load}"),
        "ours: rehearsed, then swapped": lambda: _worker(bench, "restore"),
    }
    if restic := bench.programs["restic"]:
        found["restic"] = down(f"{anew} && {restic} -q -r $D/restic dump latest dump | {load}")
    if borgmatic := bench.programs["borgmatic"]:
        found[BORGMATIC] = down(f"{borgmatic} -c $D/borgmatic.yaml restore --archive latest")
    return found


def _recipients(identity: Path | None = None) -> list[str]:
    """Two keys; the secret of one is kept in a file, if there is one."""
    from recovery.crypto import generate_identity

    if identity is None:
        return [generate_identity()[1], generate_identity()[1]]
    secret, recipient = generate_identity()
    identity.write_text(f"{secret}\n")
    return [recipient, generate_identity()[1]]


# --- ours, in a process of its own --------------------------------------------------------------------------


def _worker(bench: Bench, verb: str) -> Result:
    engine = bench.engine
    place = [str(bench.directory), engine.kind, engine.server, engine.user]
    result, said = bench.meter.run([sys.executable, __file__, "--worker", verb, *place])
    # Its own clock begins after the imports, as in a worker that runs already.
    found = json.loads(said.splitlines()[-1])
    return {**result, **found, "processor": result["processor"] - found.pop("imports")}


def work(verb: str, directory: Path, kind: str, server: str, user: str) -> Result:
    """What `_worker` asks for; the office with catalog, store and keys is made once and opened again."""
    if verb in ("backup", "restore"):
        import great_expectations  # noqa: F401
        import typst  # noqa: F401

    from recovery.settings import ComponentSettings
    from tests.testbed.small_office import attach, describe, open_office

    root = directory / "office"
    if not root.exists():
        made = open_office(root)
        component = {"name": "data", "kind": kind, "database": DATABASE, "server": server, "user": user}
        made.installation.applications["simpel"].components = [ComponentSettings.model_validate(component)]
        describe(made)
    office = attach(root)
    with office.installation.catalog.read() as connection:
        # Every official's code counts once, and rounds may follow one another faster than codes change.
        newest = connection.exec_driver_sql("SELECT max(submitted_at) FROM decisions").scalar()
    office.clock = max(office.clock, datetime.fromisoformat(newest)) if newest else office.clock
    imports, begun = time.process_time(), time.perf_counter()
    return {"imports": imports, **_done(verb, directory, office, begun)}


def _done(verb: str, directory: Path, office: Any, begun: float) -> Result:
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


def measure(kind: str, mebibytes: int, rounds: int, only: list[str], programs: dict[str, str]) -> None:
    """Make the database, let every variant of every topic take its turns, and print."""
    with tempfile.TemporaryDirectory(prefix="pulih-bench-") as name, RUN[kind]() as engine:
        bench = Bench(engine, Path(name), programs)
        size = generate_database.fill(engine.url, mebibytes) / MEBIBYTE
        results: dict[str, dict[str, list[Result]]] = {}
        # A restore needs something to restore, whatever was asked for.
        for topic in [each for each in TOPICS if each in only or (each == "backup" and "restore" in only)]:
            variants = TOPICS[topic](bench)
            found = results[topic] = {variant: [] for variant in variants}
            for number in range(rounds + (topic == "dump")):
                for variant, run in variants.items():
                    result = run()
                    # A word now and then, for whoever waits: a large database takes minutes until the table is shown.
                    print(f"{topic}, {variant}: {result['seconds']:.1f} s", file=sys.stderr, flush=True)
                    # The first dump only brings the database into memory, for all of them alike.
                    if number or topic != "dump":
                        found[variant].append(result)
        kill_service(bench.directory / "office" / "service")
        for topic, found in results.items():
            show(f"{topic}: {size:.0f} MiB of database in {kind}, {rounds} rounds, medians", found)


def main() -> None:
    """Measure; `--worker` is how this program calls itself."""
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(work(sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=list(RUN), nargs="+", default=list(RUN))
    parser.add_argument("--mebibytes", type=int, nargs="+", default=None, help=f"default: {SIZES}")
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
    for kind in given.engine:
        for mebibytes in given.mebibytes or SIZES[kind]:
            measure(kind, mebibytes, given.rounds, given.only, programs)


if __name__ == "__main__":
    main()
