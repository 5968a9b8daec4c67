"""What somebody puts into a store stops no destruction: neither among the installation's own records nor in a set."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.own_records import stored_records_of
from recovery.retention_own_records import stored_records
from recovery.retention_plan import draw_up
from recovery.sets import LARGEST_MANIFEST
from recovery.settings import RetentionSettings
from tests.testbed.old_backups import old_backup, old_records, set_directory
from tests.testbed.small_office import SmallOffice, open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SmallOffice]:
    """Four backups of a week apart, of which two may go, and a set of own records."""
    built = open_office(tmp_path / "office", running=False)
    promise = RetentionSettings(verified=2, daily=0, weekly=0, monthly=0, yearly=0)
    changed = {"retention_days": 10, "retention": promise}
    built.installation.schedules["bulanan"] = built.installation.schedules["bulanan"].model_copy(update=changed)
    yield built
    built.installation.catalog.dispose()


def sparse(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def large_signature(store: Path) -> None:
    folder = store / "pulih" / "pulih" / "rekaman_x"
    sparse(folder / "manifest.json.sig", 2000)
    (folder / "manifest.json").write_bytes(b"x")


def no_key(store: Path) -> None:
    sparse(store / "pulih" / "pulih" / "rekaman_\n" / "manifest.json.sig", 64)


def no_manifest(store: Path) -> None:
    sparse(store / "pulih" / "pulih" / "rekaman_y" / "manifest.json.sig", 64)


@pytest.mark.parametrize("put", [large_signature, no_key, no_manifest], ids=lambda put: put.__name__)
def test_junk_among_the_records_is_passed_over(office: SmallOffice, put: Callable[[Path], None]) -> None:
    """The sets of records are those that our signature makes; the plan is what it was."""
    made = [old_backup(office, datetime.now(UTC) - timedelta(weeks=3 - number)) for number in range(4)]
    own = old_records(office, datetime.now(UTC), 1)
    put(Path(office.installation.stores["utama"].path))
    assert [own] == [each.id for each in stored_records(office.installation)]
    document = draw_up(office.installation, datetime.now(UTC)).document
    assert [each.id for each in made[:2]] == [each["backup_id"] for each in document["destroy"]]


def test_names_that_no_store_of_ours_takes_are_no_sets() -> None:
    """A bucket takes nearly any."""
    good = "pulih/pulih/rekaman_1/manifest.json.sig"
    bad = ["pulih/pulih/rekaman_y//manifest.json.sig", "pulih/pulih/rekaman_/../manifest.json.sig"]
    assert ["pulih/pulih/rekaman_1"] == stored_records_of([*bad, good, f"pulih/pulih/rekaman_{'x' * 999}/{good}"])


def test_a_manifest_that_is_too_large_makes_its_set_a_bad_one_and_no_more(office: SmallOffice) -> None:
    """An older one stays in its place."""
    made = [old_backup(office, datetime.now(UTC) - timedelta(weeks=3 - number)) for number in range(4)]
    sparse(set_directory(office, made[3]) / "manifest.json", LARGEST_MANIFEST + 1)
    document = draw_up(office.installation, datetime.now(UTC)).document
    assert [made[3].id] == [each["backup_id"] for each in document["faults"]]
    assert [made[0].id] == [each["backup_id"] for each in document["destroy"]]


def test_what_could_be_nothing_of_ours_keeps_its_set_alone(office: SmallOffice) -> None:
    """It cannot be removed as an object of ours is, and is said to be there."""
    made = [old_backup(office, datetime.now(UTC) - timedelta(weeks=3 - number)) for number in range(4)]
    sparse(set_directory(office, made[0]) / "x\ny", 1)
    document = draw_up(office.installation, datetime.now(UTC)).document
    assert [made[1].id] == [each["backup_id"] for each in document["destroy"]]
    (waiting,) = document["wait"]
    assert made[0].id == waiting["backup_id"]
    assert waiting["locked"].startswith("utama: 'bkd/simpel/")
    assert waiting["locked"].endswith("x\\ny' lies there, which nothing of ours can be: remove it by hand")
