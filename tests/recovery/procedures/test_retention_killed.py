"""A process that destroys sets may die at any point: what is left never looks whole and is not; a repeat ends it."""

import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.errors import PulihError
from recovery.points import observe
from recovery.procedures.retention import begin_retention, conclude_retention, destroy, draw_up_record
from recovery.records import backups, destructions, forms, ledger
from recovery.records.backups import Backup
from recovery.retention_destruction import carry_out
from recovery.sets import open_set, set_prefix
from recovery.settings import StoreSettings
from tests.recovery.procedures.test_retention import shorten, taken
from tests.testbed.small_office import KABID, SmallOffice, attach, describe

# Nothing here looks at the service.
WITHOUT_SERVICE = True
KILLED = 9


@pytest.fixture
def approved(office: SmallOffice) -> Iterator[tuple[SmallOffice, str]]:
    """An office with two stores, and a plan for three of its five sets that the Kabid has approved."""
    offsite = office.root / "terpisah"
    offsite.mkdir()
    office.installation.stores["terpisah"] = StoreSettings(name="terpisah", path=str(offsite))
    shorten(office, offsite_store="terpisah")
    describe(office)
    taken(office)
    procedure_id = str(uuid.uuid4())
    begin_retention(office.installation, procedure_id)
    draw_up_record(office.installation, procedure_id)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    office.installation.catalog.dispose()
    yield office, procedure_id


def destroy_and_die(root: Path, procedure_id: str, at: int) -> bool:
    """Destroy in another process, which dies at its point of this number; return whether it did."""
    child = os.fork()
    if child == 0:
        # Without the form: what renders it has threads of its own, which no fork takes along.
        signal.alarm(120)
        seen = 0

        def count(_point: str) -> None:
            nonlocal seen
            seen += 1
            if seen == at:
                os._exit(KILLED)

        try:
            with observe(count):
                carry_out(attach(root).installation, procedure_id)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the parent asks for the exit status
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, KILLED)
    return code == KILLED


def look(root: Path) -> None:
    """What the catalog offers is whole in both stores; what it does not offer, nobody takes for a set."""
    installation = attach(root).installation
    with installation.catalog.read() as connection:
        found = backups.list_backups(connection)
        assert [] == ledger.verify(connection)
        assert [] == destructions.verify(connection)
    assert 2 <= sum(each.state == "secured" for each in found)
    for each in found:
        for store in each.stores:
            if each.state == "secured" or opens(root, each, store):
                # Not yet touched, or whole: a set with its signature is never one with a part missing.
                assert opens(root, each, store)
    installation.catalog.dispose()


def opens(root: Path, backup: Backup, store: str) -> bool:
    installation = attach(root).installation
    prefix = set_prefix(backup.unit, backup.application, str(backup.name))
    signed = installation.store(store).exists(f"{prefix}/manifest.json.sig")
    try:
        open_set(
            installation.store(store),
            prefix,
            installation.signer.trusted_pem,
            application=backup.application,
            component=backup.component,
            manifest_sha256=backup.manifest_sha256,
        )
    except PulihError:
        assert not signed, "a set that has its signature is whole"
        return False
    return True


def finish_and_look(root: Path, procedure_id: str) -> None:
    installation = attach(root).installation
    destroy(installation, procedure_id)
    assert conclude_retention(installation, procedure_id).sentence.startswith("3 cadangan dimusnahkan, 0 dilewati, 0 ")
    look(root)
    with installation.catalog.read() as connection:
        states = [each.state for each in backups.list_backups(connection)]
        ended = ledger.entries(connection, procedure_id=procedure_id, kind="backup.destroyed")
        versions = [form.version for form in forms.list_forms(connection, procedure_id)]
    assert ["destroyed"] * 3 + ["secured"] * 2 == states
    assert 3 == len({entry.facts["backup_id"] for entry in ended}) == len(ended)
    assert [1, 2] == versions
    for store in ("utama", "terpisah"):
        assert 2 == len({info.key.split("/")[2] for info in installation.store(store).list("bkd/")})
    installation.catalog.dispose()


@pytest.mark.slow
def test_a_process_that_dies_again_and_again_ends_what_it_began(approved: tuple[SmallOffice, str]) -> None:
    """Each process goes a few points further than the one before it."""
    office, procedure_id = approved
    deaths = 0
    while destroy_and_die(office.root, procedure_id, at=3 + 4 * deaths):
        deaths += 1
        look(office.root)
    assert deaths > 3
    finish_and_look(office.root, procedure_id)


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_a_process_may_die_at_any_point(approved: tuple[SmallOffice, str], tmp_path: Path) -> None:
    """At each of them once, from the same beginning."""
    office, procedure_id = approved
    pristine = tmp_path / "pristine"
    shutil.copytree(office.root, pristine, symlinks=True)
    at = 1
    while destroy_and_die(office.root, procedure_id, at):
        look(office.root)
        finish_and_look(office.root, procedure_id)
        shutil.rmtree(office.root)
        shutil.copytree(pristine, office.root, symlinks=True)
        at += 1
    assert at > 30
