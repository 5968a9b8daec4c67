"""What each stage of the data path costs for a database of a server, one line for each demand.

    python bench/bench_demands.py                                  PostgreSQL and MariaDB of 512 MiB, 5 rounds
    python bench/bench_demands.py --engine mariadb --mebibytes 50 --rounds 1

A demand is a ratio of two variants, which take turns within a round. What goes to S3 goes to a real server on this
machine (JuiceFS' gateway), to which all are equal; its processor time is nobody's. Needs restic, borgbackup and rclone.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import generate_database
from bench.buckets import RCLONE, amazon_environment, rclone_place, restic_place
from bench.engines import DATABASE, RUN, Engine
from bench.generate import MEBIBYTE
from bench.measuring import Meter, Result, median, show
from tests.testbed.s3 import S3Server
from tests.testbed.s3_juicefs import run_juicefs

FLOOR, SEALED, SHELL_S3 = "dump alone", "shell: dump | zstd | age", "shell: dump | zstd | age | rclone"
RESTIC, BORG = "restic into S3", "borg zstd,1"
SHELL_FETCH, SHELL_LOAD = "shell: rclone, SHA-256, age, zstd", "shell: age | zstd | load"
PATH, STAGED, PROVABLE = "ours: dump to file", "ours: dump to file, upload", "ours: fingerprint, upload, read back"
FINGERPRINT, FETCH, LOAD = "ours: fingerprint", "ours: fetch, both SHA-256", "ours: load beside"


@dataclass(frozen=True)
class Demand:
    """What is asked of a variant of ours: its ratio to another one, in seconds or processor time."""

    ours: str
    to: str
    at_most: float
    figure: str = "seconds"


DEMANDS = (
    Demand(PATH, SEALED, 1.05),
    Demand(PATH, SEALED, 1.05, "processor"),
    Demand(STAGED, SHELL_S3, 1.10),
    Demand(STAGED, RESTIC, 0.70),
    Demand(STAGED, BORG, 1.05),
    Demand(STAGED, FLOOR, 2.2),
    Demand(PROVABLE, SHELL_S3, 1.10),
    Demand(PROVABLE, RESTIC, 0.70),
    Demand(PROVABLE, FLOOR, 2.2),
    Demand(FETCH, SHELL_FETCH, 1.25),
    Demand(LOAD, SHELL_LOAD, 1.10),
    Demand(FINGERPRINT, FLOOR, 1.25),
)


# --- the variants -------------------------------------------------------------------------------------------


def variants(engine: Engine, directory: Path, s3: S3Server, meter: Meter) -> dict[str, Callable[[], Result]]:
    """Return what is measured; what reads comes after what wrote it."""
    bucket = s3.make_bucket()
    keys = " ".join(f"-r {recipient}" for recipient in _recipients(directory))
    pipeline = f"{engine.dump} | zstd -q -1 -T1 -c | age {keys}"
    rclone, place = shlex.join(RCLONE), shlex.quote(rclone_place(s3, bucket, "shell"))
    restic = f"restic -q -r {restic_place(s3, bucket)}"
    s3_settings = s3.settings(directory, bucket).model_dump_json()

    def shell(script: str, before: str = "true") -> Callable[[], Result]:
        def run() -> Result:
            meter.shell(before)
            return meter.shell(script)

        return run

    def ours(verb: str) -> Callable[[], Result]:
        def run() -> Result:
            argv = [sys.executable, __file__, "--worker", verb, str(directory), engine.kind, engine.server, engine.user]
            result, said = meter.run([*argv, engine.dump, s3_settings])
            found = json.loads(said.splitlines()[-1])
            # The clock begins after the imports, as in a worker that runs already.
            return {**result, **found, "processor": result["processor"] - found.pop("imports")}

        return run

    return {
        FLOOR: shell(f"{engine.dump} > /dev/null"),
        SEALED: shell(f"{pipeline} > $D/shell && sync $D/shell"),
        PATH: ours("path"),
        FINGERPRINT: ours("fingerprint"),
        SHELL_S3: shell(f"{pipeline} | {rclone} rcat {place}"),
        STAGED: ours("staged"),
        PROVABLE: ours("provable"),
        RESTIC: shell(
            f"{engine.dump} | {restic} backup --stdin --stdin-filename dump",
            before=f"{rclone} purge {shlex.quote(rclone_place(s3, bucket, 'restic'))} 2>&1 || true; {restic} init",
        ),
        BORG: shell(
            f"{engine.dump} | borg create --compression zstd,1 $D/borg::dump -",
            before="rm -rf $D/borg $D/borg-home; borg --error init --encryption repokey-blake2 $D/borg",
        ),
        SHELL_FETCH: shell(
            f"{rclone} cat {place} | tee >(sha256sum > $D/sum) | age -d -i $D/identity | zstd -q -d -c > /dev/null"
        ),
        FETCH: ours("fetch"),
        SHELL_LOAD: shell(f"{engine.anew} && age -d -i $D/identity $D/shell | zstd -q -d -c | {engine.load}"),
        LOAD: ours("load"),
    }


def _recipients(directory: Path) -> list[str]:
    """Two keys; the secret of one is kept in a file."""
    from recovery.crypto import generate_identity, read_identity, recipient_of

    identity = directory / "identity"
    if not identity.exists():
        identity.write_text(f"{generate_identity()[0]}\n")
        (directory / "other").write_text(f"{generate_identity()[0]}\n")
    return [recipient_of(read_identity((directory / name).read_bytes(), name)) for name in ("identity", "other")]


# --- ours, in a process of its own --------------------------------------------------------------------------


def work(verb: str, directory: Path, component: dict[str, str], dump: str, s3_settings: str) -> Result:
    """Do one thing as the procedures do it, and return what its clock says."""
    from recovery.crypto import read_identity
    from recovery.hosts import open_host
    from recovery.settings import ComponentSettings, HostSettings, StoreSettings
    from recovery.sources import open_source
    from recovery.stores import open_store
    from recovery.stores.s3_upload import Content, put
    from recovery.stream import PartDigests, decrypt, encrypt

    source = open_source(open_host(HostSettings(name="bench")), ComponentSettings.model_validate(component))
    store: Any = open_store(StoreSettings.model_validate_json(s3_settings))
    identity = read_identity((directory / "identity").read_bytes(), "identity")
    recipients = _recipients(directory)
    staged, facts = directory / "ours", directory / "ours.json"
    imports, begun = time.process_time(), time.perf_counter()
    if verb == "fingerprint":
        source.fingerprint()
    elif verb in ("path", "staged"):
        staged.unlink(missing_ok=True)
        with subprocess.Popen(shlex.split(dump), stdout=subprocess.PIPE, bufsize=0) as program:
            stdout: Any = program.stdout
            encrypt(stdout.readinto, staged, recipients, threads=source.compression_threads)
        if verb == "staged":
            with staged.open("rb") as file:
                key = f"staged-{os.getpid()}"
                put(store.bucket, key, Content.of_file(file.fileno(), str(staged)), key)
    elif verb == "provable":
        staged.unlink(missing_ok=True)
        with source.dump() as stream:
            digests = encrypt(stream.readinto, staged, recipients, threads=source.compression_threads)
            server_globals = stream.finish().server_globals
        key = f"provable-{os.getpid()}"
        store.put_file(key, staged)
        facts.write_text(json.dumps({"key": key, "digests": digests.to_json(), "globals": server_globals.decode()}))
    else:
        known = json.loads(facts.read_text())
        expected = PartDigests(**known["digests"])
        if verb == "fetch":
            with store.open(known["key"]) as stored:
                decrypt(stored.readinto, len, identity, expected)
        else:
            copy = source.beside("ukur")
            with source.load(copy, known["globals"].encode()) as load, staged.open("rb", buffering=0) as file:
                decrypt(file.readinto, load.write, identity, expected)
                load.finish()
    seconds = time.perf_counter() - begun
    for copy in source.copies():
        source.discard(copy)
    return {"imports": imports, "seconds": seconds}


# --- the figures --------------------------------------------------------------------------------------------


def measure(kind: str, mebibytes: int, rounds: int) -> None:
    """Make the database, let every variant take its turns, and print what each took and how each demand is met."""
    with tempfile.TemporaryDirectory(prefix="pulih-bench-") as name, RUN[kind]() as engine, run_juicefs() as s3:
        directory = Path(name)
        size = generate_database.fill(engine.url, mebibytes) / MEBIBYTE
        secrets = {"RESTIC_PASSWORD": "bench", "BORG_PASSPHRASE": "bench", "RESTIC_PROGRESS_FPS": "0.01"}
        own = {"D": name, "BORG_BASE_DIR": f"{name}/borg-home", "RESTIC_CACHE_DIR": f"{name}/restic-cache"}
        # Settings of Amazon's programs in the environment would decide otherwise.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment = {**kept, **engine.environment, **secrets, **own, **amazon_environment()}
        turns = variants(engine, directory, s3, Meter(directory, environment, engine.pid))
        found: dict[str, list[Result]] = {variant: [] for variant in turns}
        for number in range(rounds + 1):
            for variant, run in turns.items():
                result = run()
                print(f"{variant}: {result['seconds']:.1f} s", file=sys.stderr, flush=True)
                # The first round only brings the database into memory, for all of them alike.
                if number:
                    found[variant].append(result)
        show(f"{size:.0f} MiB of database in {kind}, {rounds} rounds, medians", found)
        print(f"\n{'demand':80} {'at most':>8} {'found':>6}")
        for demand in DEMANDS:
            ratio = median(found[demand.ours], demand.figure) / median(found[demand.to], demand.figure)
            what = f"{demand.ours}, against {demand.to} ({demand.figure})"
            print(
                f"{what:80} {demand.at_most:8.2f} {ratio:6.2f}{'' if ratio <= demand.at_most else '  MISSED'}",
                flush=True,
            )


def main() -> None:
    """Measure; `--worker` is how this program calls itself."""
    if sys.argv[1:2] == ["--worker"]:
        verb, directory, kind, server, user, dump, s3_settings = sys.argv[2:]
        component = {"name": "data", "kind": kind, "database": DATABASE, "server": server, "user": user}
        print(json.dumps(work(verb, Path(directory), component, dump, s3_settings)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=list(RUN), nargs="+", default=list(RUN))
    parser.add_argument("--mebibytes", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    missing = [program for program in ("restic", "borg", "rclone") if not shutil.which(program)]
    if missing:
        raise SystemExit(f"{', '.join(missing)} is missing. First: sudo apt install restic borgbackup rclone")
    for kind in given.engine:
        measure(kind, given.mebibytes, given.rounds)


if __name__ == "__main__":
    main()
