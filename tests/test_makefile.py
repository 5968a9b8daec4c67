"""`make` says what a machine lacks, and how it gets it, before anything else is tried."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What make and its lines call themselves.
CALLED = ("sh", "make", "grep", "sed", "cat", "echo", "xargs", "python3", "git", "age", "sqlite3", "zstd")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory with these programs and nothing else, to be the PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in CALLED:
        found = [path for place in ("/usr/bin", "/bin") if (path := Path(place, name)).exists()]
        (directory / name).symlink_to(found[0])
    return directory


def made(programs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # `make test` runs this, too, and its own orders are not for this one.
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    command = [str(programs / "make"), *arguments]
    environment = {**kept, "PATH": str(programs)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_what_a_demonstration_needs_is_named_with_the_line_that_installs_it(programs: Path) -> None:
    assert made(programs, "needed").returncode == 0
    (programs / "zstd").unlink()
    lacking = made(programs, "needed")
    assert lacking.returncode == 2
    assert re.fullmatch(r"zstd is missing\. First: sudo apt install git make .* zstd .*\n", lacking.stdout)


def test_what_the_tests_need_beside_that_is_named_all_at_once(programs: Path) -> None:
    (programs / "zstd").unlink()
    lacking = made(programs, "needed-by-tests")
    assert lacking.returncode == 2
    named = re.fullmatch(r"missing: (.*)\. First: sudo apt install .*\n", lacking.stdout)
    assert named is not None
    assert {"zstd", "openssl", "jq"} <= set(named[1].split())
    assert not {"git", "make", "age", "sqlite3"} & set(named[1].split())


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        ("import venv, ensurepip", r"python3-venv is missing\. First: sudo apt install .* python3-venv .*\n"),
        ("version_info", r"Python 3\.11 to 3\.13 is needed; say which: make PYTHON=python3\.11\n"),
    ],
)
def test_a_python_that_cannot_do_it_is_refused_before_anything_is_installed(
    refused: str, sentence: str, programs: Path, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$2" in *"{refused}"*) exit 1 ;; esac\n')
    python.chmod(0o755)
    place = tmp_path / "environment"
    lacking = made(programs, "install", f"PYTHON={python}", f"VENV={place}")
    assert lacking.returncode == 2
    assert re.fullmatch(sentence, lacking.stdout)
    assert not place.exists()


@pytest.mark.parametrize(("distribution", "by_apt"), [("debian", True), ("ubuntu", False)])
def test_the_line_names_only_packages_that_the_distribution_has(
    distribution: str, by_apt: bool, programs: Path
) -> None:
    """Ubuntu has Chromium as a snap only, and apt installs nothing of a line with a name that it does not know."""
    (programs / "age").unlink()
    said = made(programs, "needed", f"DISTRIBUTION={distribution}").stdout
    assert (" chromium" in said.partition("&&")[0]) is by_apt
    assert said.rstrip().endswith("&& sudo snap install chromium") is not by_apt
