"""What only root or some machines can show: where it cannot be shown a test fails, says so, and is never green."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def did_not_run(reason: str) -> BaseException:
    """Return what a test raises that cannot begin: a run that lacks it is incomplete."""
    return pytest.fail.Exception(f"{reason}: this test did not run", pytrace=False)


@contextmanager
def mounted(directory: Path, options: str = "") -> Iterator[Path]:
    """A real file system of its own, in memory, because permission bits do not stop root; mount(8) says what `options`
    are."""
    directory.mkdir(exist_ok=True)
    with_options = ["-o", options] if options else []
    command = ["mount", "-t", "tmpfs", *with_options, "pulih-uji", str(directory)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise did_not_run(f"nothing can be mounted here ({result.stderr.strip()})")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)
