"""Packages that break without a word outside their bounds are found."""

import importlib.metadata
from pathlib import Path

import pytest

from recovery.doctor.finding import Finding
from recovery.doctor.packages import LOCK, PINNED, examine_packages

ROOT = Path(__file__).parents[3]


def test_the_packages_of_this_release_are_within_their_bounds() -> None:
    """The very environment in which the tests run."""
    assert {"ok"} == {finding.state for finding in examine_packages()}


@pytest.mark.parametrize(
    ("name", "version"), [("prefect", "3.9.0"), ("fastapi", "0.151.0"), ("sqlalchemy", "2.1.0b1"), ("fastapi", "0.138")]
)
def test_a_package_outside_its_bounds_is_a_problem(name: str, version: str) -> None:
    """Each of these breaks something without a word."""

    def version_of(wanted: str) -> str:
        return version if wanted == name else importlib.metadata.version(wanted)

    (trouble,) = [finding for finding in examine_packages(version_of) if finding.state != "ok"]
    assert (
        Finding(f"package {name}", "problem", f"{version} is outside its bounds", "install requirements.lock")
        == trouble
    )


def test_a_package_that_is_not_installed_is_a_problem() -> None:
    """No traceback from the one who was asked what is wrong."""

    def version_of(wanted: str) -> str:
        raise importlib.metadata.PackageNotFoundError(wanted)

    assert {"is not installed"} == {finding.message for finding in examine_packages(version_of)}


def test_the_bounds_are_those_of_the_project() -> None:
    """Two lists of bounds that differ would contradict each other in front of the operator."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name, (lowest, beyond) in PINNED.items():
        low, high = ".".join(map(str, lowest)), ".".join(map(str, beyond))
        exactly = f'"{name}=={low}"'
        assert f'"{name}>={low},<{high}"' in text or exactly in text, name


def test_a_package_other_than_the_locked_one_is_a_warning(tmp_path: Path) -> None:
    """Within its bounds it may work, but nobody has tested it."""
    lock = tmp_path / "requirements.lock"
    text = LOCK.read_text(encoding="utf-8")
    version = importlib.metadata.version("sqlalchemy")
    lock.write_text(text.lower().replace(f"sqlalchemy=={version}", "sqlalchemy==2.0.1"))
    (trouble,) = [finding for finding in examine_packages(lock=lock) if finding.state != "ok"]
    message = f"{version} is not the 2.0.1 with which this release was tested"
    assert Finding("package sqlalchemy", "warning", message, "install requirements.lock") == trouble


def test_an_installation_without_a_lock_is_judged_by_the_bounds_alone(tmp_path: Path) -> None:
    """A wheel has none."""
    assert {"ok"} == {finding.state for finding in examine_packages(lock=tmp_path / "none")}
