"""The catalog's row of a backup names its manifest, and can be changed without a key: whoever takes the set is told."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Office, Pulih

OTHER = "ff" * 32


@pytest.fixture
def changed(broken: Office) -> Office:
    with broken.catalog.begin() as connection:
        changed = "UPDATE backups SET manifest_sha256 = ? WHERE name = ?"
        connection.exec_driver_sql(changed, (OTHER, broken.name))
    return broken


def test_a_manifest_that_the_ledger_does_not_know_is_found(pulih: Pulih, changed: Office, tmp_path: Path) -> None:
    words = f"the catalog says that the manifest of {changed.name} has the SHA-256 {OTHER}, and the ledger says "
    ended = pulih("--inventory", changed.inventory, "--json", "ledger", "verify")
    assert 19 == ended.code
    (finding,) = ended.document["findings"]
    assert finding.startswith(words)
    for command in (
        ("verify", changed.name),
        ("fetch", changed.name, "--to", tmp_path / "fetched"),
        ("restore-plan", "simpel"),
    ):
        ended = pulih("--inventory", changed.inventory, *command)
        assert (19, words) == (ended.code, ended.err.removeprefix("ERROR: ")[: len(words)]), command
        assert "HINT: somebody changed the catalog by hand" in ended.err


def test_of_a_set_that_a_rebuild_found_the_row_is_all_there_is(pulih: Pulih, broken: Office) -> None:
    """The ledger says nothing of it: then its row is believed, as before."""
    with broken.catalog.begin() as connection:
        connection.exec_driver_sql("UPDATE backups SET id = id || '9', name = name || '9'")
        changed = "UPDATE backups SET manifest_sha256 = ?"
        connection.exec_driver_sql(changed, (OTHER,))
    ended = pulih("--inventory", broken.inventory, "--json", "ledger", "verify")
    assert (0, []) == (ended.code, json.loads(ended.out)["findings"])
