"""pulih hold: what becomes of a hold when the installation is lost, and when there is nothing left to hold."""

import shutil
from pathlib import Path

from recovery.inventory import load_inventory
from recovery.records import backups, destructions, holds, ledger, procedures
from recovery.records.holds import Hold
from tests.cli.conftest import Office, Pulih
from tests.cli.test_rebuild import rebuilt
from tests.testbed.two_stores import down


def held(office: Office, *, ended: bool = False) -> list[Hold]:
    catalog = office.catalog
    try:
        with catalog.read() as connection:
            return holds.list_holds(connection, ended=ended)
    finally:
        catalog.dispose()


def test_a_rebuild_knows_the_holds_of_the_last_hour(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    """That were added, and ended, after the last procedure."""
    given = ("--inventory", broken.inventory, "--json", "hold")
    kept, over = (
        pulih(*given, "add", target, "--reason", "Perkara 7").document["id"] for target in (broken.name, "simpel")
    )
    assert over == pulih(*given, "remove", over, "--reason", "Selesai").document["id"]
    recorded = held(broken, ended=True)
    assert {kept, over} == {each.id for each in recorded}
    shutil.rmtree(broken.root / "state")
    ended = rebuilt(pulih, broken, broken.store, tmp_path / "new")
    assert (0, "") == (ended.code, ended.err)
    installation = load_inventory(tmp_path / "new" / "inventory.yaml").installation()
    with installation.catalog.read() as connection:
        assert recorded == holds.list_holds(connection, ended=True)
    installation.catalog.dispose()


def test_a_hold_stands_also_when_no_store_takes_the_records(pulih: Pulih, broken: Office) -> None:
    """And whoever added it is told what is lacking, and not to add it again."""
    with down(broken.store):
        added = pulih("--inventory", broken.inventory, "hold", "add", "simpel", "--reason", "Audit")
    assert 13 == added.code
    assert added.out.startswith("simpel is held; end it by: pulih hold remove ")
    (hold,) = held(broken)
    assert "; simpel is held all the same, and no store has a copy of the records that knows it\n" in added.err
    assert "do not repeat this: the next procedure puts a copy" in added.err
    with down(broken.store):
        ended = pulih("--inventory", broken.inventory, "hold", "remove", hold.id, "--reason", "Selesai")
    assert (13, "simpel is held by this no more\n") == (ended.code, ended.out)
    assert "; the hold has ended all the same, and no store has" in ended.err
    assert [] == held(broken)
    assert [] == list((broken.root / "state" / "scratch").iterdir())


def test_what_is_destroyed_cannot_be_held(pulih: Pulih, broken: Office) -> None:
    """Nor what is being destroyed: who reads "is held" relies on it."""
    catalog = broken.catalog
    procedures.open_procedure(catalog, "approved", "retention", parameters={}, release="x")
    with catalog.begin() as connection:
        backup = backups.by_name(connection, broken.name)
        assert backup is not None
        destructions.begin(connection, "approved", backup, {"utama": []})
    for target in (broken.name, backup.id):
        ended = pulih("--inventory", broken.inventory, "hold", "add", target, "--reason", "Perkara 7")
        assert (3, "") == (ended.code, ended.out)
        told = f"the set of {broken.name} was destroyed by the procedure approved, begun at "
        assert told in ended.err and "; nothing is held by this\n" in ended.err
    assert [] == held(broken)
    with catalog.read() as connection:
        assert [] == ledger.entries(connection, kind="hold.added")
    catalog.dispose()
