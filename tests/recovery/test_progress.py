"""How far a proof is told to be: all of the bytes, all of the tables, in this order, for both procedures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.procedures.backup.b2_verify import verify
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.restore.r3_verify_authority import verify_authority
from recovery.progress import Progress, Proof, to_nobody
from tests.testbed.small_office import DISPOSITION, KABID, KADIS, VERIFICATION, SmallOffice, open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SmallOffice]:
    """An office with an SQLite database and a tree; nobody asks for its service."""
    office = open_office(tmp_path / "kantor", running=False)
    yield office
    office.installation.catalog.dispose()


def ends(told: list[Progress], component: str) -> list[tuple[str, int, int]]:
    """The first and the last of each phase, in the order in which they were told."""
    mine = [each for each in told if each.component == component]
    assert mine == sorted(mine, key=lambda each: (each.phase != "load", each.done)), "nothing goes back"
    found = []
    for phase in ("load", "measure"):
        these = [each for each in mine if each.phase == phase]
        found += [(each.phase, each.done, each.total) for each in (these[0], these[-1])]
    return found


def test_bytes_are_counted_as_they_are_taken() -> None:
    """Some takers take a part of what they are offered, some say nothing and take all."""
    told: list[Progress] = []
    answers = iter([3, None])
    write = Proof("simpel/data", "sqlite", told.append).counted(lambda data: next(answers), 10)
    assert write(memoryview(b"12345")) == 3
    assert write(memoryview(b"1234567")) is None
    assert [(each.done, each.total) for each in told] == [(0, 10), (3, 10), (10, 10)]
    to_nobody(told[0])


def test_step_2_of_a_backup_tells_how_far_the_proof_is(office: SmallOffice) -> None:
    begin_backup(office.installation, "b", schedule_name="bulanan", routine=True)
    for component, things in (("simpel/data", 1), ("simpel/berkas", 3)):
        office.step("backup.1", "b", component)
        told: list[Progress] = []
        verify(office.installation, "b", component, tell=told.append)
        (_, _, size), *rest = ends(told, component)
        assert size > 1000
        assert rest == [("load", size, size), ("measure", 0, things), ("measure", things, things)]


@pytest.mark.slow
def test_the_rehearsal_of_a_restore_tells_how_far_each_proof_is(office: SmallOffice) -> None:
    for service in office.installation.services("simpel"):
        service.start()
    try:
        office.back_up()
        procedure_id = office.request()
        office.decide("restore.2", procedure_id, KADIS, "diteruskan", **DISPOSITION)
        office.step("restore.2", procedure_id)
        office.decide("restore.3", procedure_id, KABID, "disetujui", **VERIFICATION)
        told: list[Progress] = []
        verify_authority(office.installation, procedure_id, tell=told.append)
    finally:
        office.stop_service_for_good()
    for component in ("simpel/data", "simpel/berkas"):
        (_, begun, _), (_, loaded, size), _, (_, measured, things) = ends(told, component)
        assert (begun, loaded, measured) == (0, size, things)
