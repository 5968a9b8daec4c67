"""A process that destroys sets may die at any point: what is left never looks whole and is not; a repeat ends it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.errors import PulihError
from recovery.guard.rounds import make_round
from recovery.procedures.retention import begin_retention, conclude_retention, destroy, draw_up_record
from recovery.records import backups, destructions, forms, leases, ledger, ledger_heads
from recovery.records.backups import Backup
from recovery.sets import open_set, set_prefix
from recovery.settings import OwnRecordsSettings, StoreSettings
from recovery.sync import sync
from tests.recovery.killed_work import Work, assert_survives, expire_leases
from tests.recovery.procedures.test_retention import shorten, taken
from tests.testbed.old_backups import old_records
from tests.testbed.small_office import KABID, attach, describe, open_office

FIRST, SECOND = "f0000000-0000-4000-8000-000000000001", "f0000000-0000-4000-8000-000000000002"
STORES = ("utama", "terpisah")


def build(root: Path) -> None:
    """An office with two stores, five sets and five of its own records: three and two of them may go."""
    office = open_office(root, running=False)
    offsite = root / "terpisah"
    offsite.mkdir()
    office.installation.stores["terpisah"] = StoreSettings(name="terpisah", path=str(offsite))
    shorten(office, offsite_store="terpisah")
    office.installation.office.records = OwnRecordsSettings(newest=3, days=15)
    describe(office)
    taken(office)
    for week in range(5):
        old_records(office, datetime.now(UTC) - timedelta(weeks=4 - week, minutes=1), week + 1)


def play(root: Path, procedure_id: str = FIRST) -> None:
    """The whole procedure, from its first line or again."""
    office = attach(root)
    assert begin_retention(office.installation, procedure_id) is None
    draw_up_record(office.installation, procedure_id)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    destroy(office.installation, procedure_id)
    conclusion = conclude_retention(office.installation, procedure_id)
    assert conclusion.sentence.startswith("5 cadangan dimusnahkan, 0 dilewati, 0 ")


def play_again(root: Path) -> None:
    """The run is retried when the dead one's leases have run out."""
    look(root)
    expire_leases(root)
    play(root)
    look(root)
    is_complete(root)
    with attach(root).installation.catalog.read() as connection:
        assert [1, 2] == [form.version for form in forms.list_forms(connection, FIRST)]


def play_another(root: Path) -> None:
    """The run is given up: the guard comes, a synchronisation brings nothing back, and the next plan has what is left;
    what was begun is ended before it."""
    look(root)
    expire_leases(root)
    office = attach(root)
    make_round(office.installation, now=datetime.now(UTC) + timedelta(days=2))
    assert () == sync(office.installation).troubles
    if begin_retention(office.installation, SECOND) is None:
        draw_up_record(office.installation, SECOND)
        office.decide("retention.approve", SECOND, KABID, "disetujui")
        destroy(office.installation, SECOND)
        assert conclude_retention(office.installation, SECOND).good
    with office.installation.catalog.read() as connection:
        if destructions.of_procedure(connection, FIRST):
            assert [1, 2] == [form.version for form in forms.list_forms(connection, FIRST)], "it is on paper"
    look(root)
    is_complete(root)


WORK = Work("destruction", build, play, play_again, play_another)


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


def is_complete(root: Path) -> None:
    """Five sets are gone from both stores, each once on record; nobody is kept out and nothing left behind.

    What a dead one held of a set that is gone has run out, and nobody takes it again.
    """
    installation = attach(root).installation
    with installation.catalog.read() as connection:
        assert ["destroyed"] * 3 + ["secured"] * 2 == [each.state for each in backups.list_backups(connection)]
        ended = ledger.entries(connection, kind="backup.destroyed")
        gone = {entry.facts["name"] for entry in ended}
        assert 5 == len(gone) == len(ended)
        assert [] == destructions.unfinished(connection)
        assert [] == [lease for lease in leases.list_leases(connection) if not lease["expired"]]
        heads = [ledger_heads.read_heads(installation.store(name), installation.signer.trusted_pem) for name in STORES]
        assert [[], []] == [ledger.verify(connection, found) for found in heads]
    for name in STORES:
        assert 2 == len({info.key.split("/")[2] for info in installation.store(name).list("bkd/")})
        own = {info.key.split("/")[2] for info in installation.store(name).list("pulih/")}
        assert 3 <= len(own) and not own & gone
    for kind in ("scratch", "staging"):
        assert [] == [path for path in (root / "state" / kind).rglob("*") if not path.is_dir()]


@pytest.mark.slow
def test_a_destruction_may_die_at_any_point(tmp_path: Path) -> None:
    """What is left never looks whole and is not; a repeat ends it, and so does the next run: a sample."""
    assert_survives(WORK, tmp_path)
