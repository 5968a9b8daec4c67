"""The office is told of each alarm once, until it is over; what it could not be told is tried again in an hour."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.guard.report import Alarm, Kind
from recovery.guard.telling import GUARD_KINDS, RESOURCE, TITLES, TOLD, tell_alarms
from recovery.installation import Installation
from recovery.records import leases, ledger
from tests.recovery.guard.conftest import Scene

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
STORE = Alarm("store", "utama", "is not there", "mount it")
NEVER = Alarm("never", "simpel/data", "has no verified backup at all", "start one")
FAILING = Alarm("failing", "simpel/data", "the disk is full", "", "2026-11-21T15:00:00.000000+00:00")

Tell = Callable[..., int]


@pytest.fixture
def tell(scene: Scene) -> Tell:
    """A function that tells alarms as the guard does, at a time or now."""

    def call(*alarms: Alarm, at: datetime = NOW, kinds: frozenset[Kind] = GUARD_KINDS) -> int:
        return tell_alarms(scene.installation, alarms, kinds, at)

    return call


@pytest.fixture
def told(scene: Scene) -> Path:
    """What the office's target got."""
    return scene.office.root / "notices.txt"


def entries(installation: Installation) -> int:
    with installation.catalog.read() as connection:
        return len(ledger.entries(connection, kind=TOLD, last=1000))


def test_an_alarm_is_told_once_in_the_office_s_language(tell: Tell, told: Path, scene: Scene) -> None:
    """With what is needed to act: what, since when, why, and what to do."""
    assert 1 == tell(FAILING)
    expected = (
        "Pulih: Back up terakhir gagal\n"
        "Peringatan: Back up terakhir gagal\n"
        "Perihal: simpel/data\n"
        "Sejak: Sabtu, 21 November 2026 pukul 22.00.00 WIB\n"
        "Rincian teknis: the disk is full\n\n"
    )
    assert expected == told.read_text()
    assert 0 == tell(FAILING, at=NOW + timedelta(days=30))
    assert (expected, 1) == (told.read_text(), entries(scene.installation))


def test_what_is_new_is_told_alone(tell: Tell, told: Path) -> None:
    """Nobody reads again what he was told."""
    tell(STORE)
    told.unlink()
    assert 1 == tell(STORE, NEVER)
    assert "utama" not in told.read_text()


def test_what_was_over_is_told_anew(tell: Tell) -> None:
    """A store that is away again is another event."""
    assert [1, 0, 1] == [tell(STORE), tell(), tell(STORE)]


def test_another_failure_of_the_same_component_is_another_alarm(tell: Tell) -> None:
    """Otherwise the second failing night would pass in silence."""
    later = Alarm(FAILING.kind, FAILING.subject, FAILING.message, "", "2026-11-22T15:00:00.000000+00:00")
    assert [1, 1] == [tell(FAILING), tell(later)]


def test_who_does_not_look_for_a_kind_does_not_take_it_for_over(tell: Tell) -> None:
    """The guard asks no Prefect, and the doctor no store."""
    scheduler = Alarm("scheduler", "schedule bulanan", "has no deployment")
    doctor: frozenset[Kind] = frozenset({"never", "scheduler"})
    assert 1 == tell(STORE)
    assert 1 == tell(scheduler, kinds=doctor)
    assert [0, 0] == [tell(STORE), tell(scheduler, kinds=doctor)]


def test_what_could_not_be_told_is_tried_again_after_an_hour(tell: Tell, told: Path, scene: Scene) -> None:
    """And does not fill the ledger meanwhile; a new alarm is tried at once."""
    target = scene.office.root / "keys" / "notices"
    right = target.read_text()
    target.write_text("file:///proc/no/such/place")
    try:
        assert [0, 0] == [tell(STORE), tell(STORE, at=NOW + timedelta(minutes=59))]
        assert 1 == entries(scene.installation)
        assert 0 == tell(STORE, NEVER, at=NOW + timedelta(minutes=1))
        assert 2 == entries(scene.installation)
    finally:
        target.write_text(right)
    assert 0 == tell(STORE, NEVER, at=NOW + timedelta(minutes=60))
    assert 2 == tell(STORE, NEVER, at=NOW + timedelta(minutes=61))
    assert "utama" in told.read_text()


def test_an_office_without_targets_records_nothing(tell: Tell, scene: Scene) -> None:
    """Once it names one, it is told of what is then."""
    targets, scene.installation.office.notice_targets = scene.installation.office.notice_targets, []
    try:
        assert (0, 0) == (tell(STORE), entries(scene.installation))
    finally:
        scene.installation.office.notice_targets = targets
    assert 1 == tell(STORE)


def test_while_somebody_tells_nobody_else_does(tell: Tell, told: Path, scene: Scene) -> None:
    """Guard and doctor may come at the same second."""
    lease = leases.acquire(scene.installation.catalog, RESOURCE, "telling-other", 60, "tell alarms")
    assert 0 == tell(STORE)
    assert not told.exists()
    leases.release(scene.installation.catalog, lease)
    assert 1 == tell(STORE)


def test_a_round_of_the_guard_tells_its_alarms(scene: Scene, told: Path) -> None:
    """Its exit code alone reaches only who watches systemd."""
    (scene.office.root / "store").rename(scene.office.root / "away")
    try:
        assert scene.guard().alarms
        assert TITLES["store"] in told.read_text()
        before = told.read_text()
        scene.guard()
        assert before == told.read_text()
    finally:
        (scene.office.root / "away").rename(scene.office.root / "store")
