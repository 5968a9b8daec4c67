"""`python -m demo story|up|down`: what `make demo`, `make up` and `make down` run."""

import argparse
import logging
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from demo.bucket import choose_store
from demo.engines import ENGINES, choose, engine_of, require_known
from demo.machine import choose_host
from demo.running import has_approved_schedule, has_backup, is_up, start, stop_all
from demo.site import Site
from recovery.errors import ConfigurationError, PulihError

# How a process is ended from elsewhere: by `kill` or a machine that goes down, and by a terminal that is closed.
ENDING = (signal.SIGTERM, signal.SIGHUP)

_begun = time.monotonic()


def say(text: str) -> None:
    """Print one line of progress with the seconds since the beginning."""
    print(f"[{time.monotonic() - _begun:5.0f}s] {text}" if text else "", flush=True)


def main() -> int:
    """Run what the command line names; return 0 when it went well."""
    parser = argparse.ArgumentParser(prog="python -m demo")
    parser.add_argument("verb", choices=("story", "up", "down"))
    parser.add_argument("--directory", type=Path, default=Path("run/demo"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--engine", default="", help=f"what keeps the database: {', '.join(ENGINES)}")
    parser.add_argument("--host", default="", help="where the application runs: local, systemd (a machine of its own)")
    parser.add_argument("--store", default="", help="where backups end: directory, s3 (JuiceFS), ceph (with locks)")
    given = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    # Set before anything imports Prefect: its own notes would stand between the lines of the story.
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
    site = Site(given.directory.resolve())
    for number in ENDING:
        # What `nohup` lets a process ignore it goes on ignoring.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        return {"story": _story, "up": _up, "down": _down}[given.verb](site, given)
    except PulihError as error:
        print(f"\n{error}", file=sys.stderr)
        return error.exit_code


def _end(number: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, by way of every `finally`: what was started is stopped."""
    # A second one would break that off, and who logs out sends both.
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _story(site: Site, given: argparse.Namespace) -> int:
    from demo.report import failings
    from demo.story import tell

    require_known(given.engine)
    if is_up(site) or site.root.exists():
        say("Menghapus peragaan sebelumnya")
        stop_all(site)
        engine_of(site).remove()
        shutil.rmtree(site.root)
    choose(site, given.engine)
    choose_host(site, given.host)
    choose_store(site, given.store)
    try:
        server = start(site, say, port=given.port)
        proof = tell(site, server, say)
    finally:
        stop_all(site)
    lacking = failings(proof)
    for sentence in lacking:
        print(sentence, file=sys.stderr)
    return 1 if lacking else 0


def _up(site: Site, given: argparse.Namespace) -> int:
    from demo.instructions import instructions
    from demo.story import Actors

    choose(site, given.engine)
    choose_host(site, given.host)
    choose_store(site, given.store)
    if site.store_kind == "ceph":
        raise ConfigurationError(
            "what the demonstration's Ceph stores lies in memory and is gone with `make down`",
            state="nothing was started",
            hint="make demo STORE=ceph, or: make up STORE=s3",
        )
    server = start(site, say, port=given.port or 4200)
    actors = Actors(site, server, say)
    if not has_approved_schedule(site):
        actors.approve_schedule()
    if not has_backup(site):
        # Without one there is nothing to restore, and the first thing a person tries would fail.
        actors.back_up()
    print("\n" + "\n".join(instructions(site, server.url)), flush=True)
    return 0


def _down(site: Site, given: argparse.Namespace) -> int:
    for name in stop_all(site):
        say(f"dihentikan: {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
