"""pulih sync says what it put where, and ends badly when a store could not be asked."""

import shutil

from tests.cli.conftest import Office, Pulih


def test_it_says_what_it_put_and_a_store_that_is_down_ends_it_with_13(pulih: Pulih, broken: Office) -> None:
    """A timer runs it: whoever reads its log must not take a store that nobody could ask for one that has all."""
    second = broken.root / "kedua"
    second.mkdir()
    broken.change_inventory(lambda data: data["stores"].append({"name": "kedua", "path": str(second)}))
    broken.change_inventory(lambda data: data["schedules"][0].update({"offsite_store": "kedua"}))
    named = ("--inventory", broken.inventory, "sync")
    planned = pulih(*named, "--dry-run")
    assert (0, "", []) == (planned.code, planned.err, list(second.iterdir()))
    assert f"kedua: set {broken.name} missing" in planned.out.splitlines()
    done = pulih(*named)
    assert (0, "") == (done.code, done.err)
    lines = done.out.splitlines()
    assert [line.replace(" missing", " put") for line in planned.out.splitlines()[:-1]] == lines[:-1]
    assert "kedua: guide RESTORE.md put" in lines
    count = len(lines) - 1
    assert f"{count} missing, {count} put, 0 troubles" == lines[-1]
    assert (broken.set / "manifest.json").read_bytes() in [path.read_bytes() for path in second.rglob("manifest.json")]
    again = pulih(*named, "--store", "kedua")
    assert (0, "0 missing, 0 put, 0 troubles\n", "") == (again.code, again.out, again.err)
    shutil.rmtree(second)
    bad = pulih(*named)
    assert 13 == bad.code
    *_, trouble, summary = bad.out.splitlines()
    missing = f"the directory {second} of the store kedua is not there"
    assert f"kedua: store: {missing}" == trouble
    assert "0 missing, 0 put, 1 troubles" == summary
    assert missing in bad.err and "HINT: " in bad.err
