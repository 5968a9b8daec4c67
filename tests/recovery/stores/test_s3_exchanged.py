"""Genuine, signed objects in the place of others, in a bucket whose credentials let somebody overwrite: whoever takes a
set by the catalog takes none of these."""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import update

from cli.main import run
from recovery.errors import LedgerError, SetError
from recovery.fetching import fetch
from recovery.manifest import MANIFEST, SIGNATURE, Manifest
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.drill import begin_drill, prove
from recovery.procedures.restore.plan import choose_backups
from recovery.procedures.restore.rehearsal import rehearse
from recovery.records import backup_entries, schema
from recovery.sets import set_prefix
from tests.cli.conftest import write_inventory
from tests.testbed.s3 import S3Server
from tests.testbed.small_office import SmallOffice, open_office
from tests.testbed.two_stores import MAIN, backup_of

pytestmark = pytest.mark.slow

DATA, FILES = "simpel/data", "simpel/berkas"


@dataclass(frozen=True)
class Vault:
    """An office with two backups of its files and one of its database in a bucket, and the bucket's server."""

    office: SmallOffice
    server: S3Server

    def prefix(self, procedure_id: str, component: str = FILES) -> str:
        """Where a set lies."""
        made = backup_of(self.office, procedure_id, component)
        return set_prefix(made.unit, made.application, str(made.name))

    def read(self, prefix: str) -> dict[str, bytes]:
        """The files of a set."""
        store = self.office.installation.store(MAIN)
        return {info.key.rpartition("/")[2]: store.read(info.key) for info in store.list(f"{prefix}/")}

    def write(self, prefix: str, files: dict[str, bytes]) -> None:
        """Overwrite files of a set, as whoever has the credentials can."""
        bucket = self.office.installation.stores[MAIN].bucket
        for name, content in files.items():
            self.server.client().put_object(Bucket=bucket, Key=f"cadangan/{prefix}/{name}", Body=content)

    def verify(self) -> int:
        """What `pulih verify` ends with for the newest backup of the files."""
        return run(["--inventory", f"{self.office.root}/inventory.yaml", "verify", self.prefix("two").split("/")[-1]])

    def drill(self) -> tuple[str, str]:
        """The verdict of a drill of the newest backup of the files, and why."""
        opened = begin_drill(self.office.installation, str(uuid.uuid4()), component=FILES)
        drilled = prove(self.office.installation, opened["id"], FILES)
        return drilled.verdict, drilled.error


@pytest.fixture
def vault(juicefs: S3Server, tmp_path: Path) -> Iterator[Vault]:
    office = open_office(tmp_path / "office", running=False)
    office.installation.stores[MAIN] = juicefs.settings(tmp_path, juicefs.make_bucket(), name=MAIN)
    for procedure_id, components in (("one", (FILES, DATA)), ("two", (FILES,))):
        begin_backup(office.installation, procedure_id, schedule_name="bulanan", routine=True)
        for component in components:
            for number in (1, 2, 3, 4):
                office.step(f"backup.{number}", procedure_id, component)
    write_inventory(office)
    yield Vault(office, juicefs)
    office.installation.catalog.dispose()


def resigned(vault: Vault) -> dict[str, bytes]:
    """Another manifest of the same name, as an earlier release would have made it, signed by the office's own key."""
    manifest = replace(Manifest.from_bytes(vault.read(vault.prefix("two"))[MANIFEST]), release="0.0.1")
    return {MANIFEST: manifest.to_bytes(), SIGNATURE: vault.office.installation.signer.sign(manifest.to_bytes())}


def manifest_of_the_database(vault: Vault) -> dict[str, bytes]:
    files = vault.read(vault.prefix("one", DATA))
    return {name: files[name] for name in (MANIFEST, SIGNATURE)}


EXCHANGED: dict[str, Callable[[Vault], dict[str, bytes]]] = {
    "was stored as .*: it was copied or renamed": lambda vault: vault.read(vault.prefix("one")),
    "is of simpel/data and not of simpel/berkas": manifest_of_the_database,
    "is not the one that was recorded: its SHA-256 is": resigned,
}


def test_what_is_signed_and_not_what_was_recorded_is_refused_by_all_who_take_it(
    vault: Vault, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The earlier set, whole; the manifest of another component; another manifest of this very name."""
    installation, today = vault.office.installation, vault.prefix("two")
    plan = {FILES: choose_backups(installation, "simpel", None)[FILES]}
    name, genuine = plan[FILES]["name"], vault.read(today)
    assert (today.split("/")[-1], 0) == (name, vault.verify())
    for words, exchanged in EXCHANGED.items():
        vault.write(today, exchanged(vault))
        capsys.readouterr()
        assert 14 == vault.verify()
        assert f"{name}: the copy in {MAIN} is BAD: " in capsys.readouterr().out
        with pytest.raises(SetError, match=words):
            rehearse(installation, str(uuid.uuid4()), plan)
        verdict, error = vault.drill()
        assert "fail" == verdict and re.search(words, error)
        vault.write(today, genuine)
    assert 0 == vault.verify()
    assert set() == vault.office.strays(set())

    # The same once more by somebody who may also write into the catalog: the ledger has what was put.
    forged = resigned(vault)
    vault.write(today, forged)
    other = Manifest.from_bytes(forged[MANIFEST]).sha256
    with installation.catalog.begin() as connection:
        mine = schema.backups.c.name == name
        connection.execute(update(schema.backups).where(mine).values(manifest_sha256=other))
    capsys.readouterr()
    assert 19 == vault.verify()
    words = f"the catalog says that the manifest of {name} has the SHA-256 {other}, and the ledger says "
    assert words in capsys.readouterr().err
    assert ("error", words) == (vault.drill()[0], vault.drill()[1][: len(words)])
    with pytest.raises(LedgerError, match=re.escape(words)):
        choose_backups(installation, "simpel", None)
    with pytest.raises(LedgerError, match=re.escape(words)):
        fetch(installation, name, tmp_path / "fetched", encrypted=False)
    with installation.catalog.read() as connection:
        (finding,) = backup_entries.verify(connection)
    assert finding.startswith(words)
