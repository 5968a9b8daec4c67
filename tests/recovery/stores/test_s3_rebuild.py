"""A bucket, an identity and the escrow sheet: rebuilt on a bare machine, by the command that the page for it names."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recovery.crypto import Signer, generate_signing_key
from recovery.inventory import load_inventory
from recovery.keys_sheet import rebuild_command
from recovery.own_records import back_up_records
from recovery.rebuild_sets import take_inventory
from recovery.rebuild_trust import find_trusted_keys
from recovery.records import ledger, ledger_heads
from recovery.restore_guide import lacks_restore_guide, put_restore_guide, restore_guide
from recovery.stores import open_store
from tests.recovery.key_office import CONTENT, KeyOffice
from tests.testbed.s3 import OWNER, S3Server
from tests.testbed.small_office import open_office

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_a_bucket_is_rebuilt_from(juicefs: S3Server, tmp_path: Path) -> None:
    """The sets that it holds are proven, open with the identity, and the ledger goes on there. The command is the one
    that the sheet in the safe has, printed while the site still was: nothing else is known."""
    built = open_office(tmp_path / "office", running=False)
    bucket = juicefs.make_bucket()
    for name, value in zip(("access", "secret"), OWNER, strict=True):
        (tmp_path / name).write_text(value)
    given = {
        "kind": "s3",
        "title": "Pusat Data Provinsi",
        "bucket": bucket,
        "prefix": "pulih",
        "endpoint": juicefs.endpoint,
        "access_key": f"file:{tmp_path / 'access'}",
        "secret_key": f"file:{tmp_path / 'secret'}",
    }
    built.installation.stores["utama"] = built.installation.stores["utama"].model_validate({"name": "utama", **given})
    office = KeyOffice(built)
    office.back_up()
    ledger_heads.anchor(built.installation.catalog, built.installation.store("utama"), built.installation.signer)
    back_up_records(built.installation, "run")
    built.installation.catalog.dispose()
    home = tmp_path / "home"
    home.mkdir()
    placed = {"BERKAS-KUNCI-TITIPAN": str(tmp_path / "office/keys/escrow"), "/var/lib/pulih-baru": str(home / "pulih")}
    program, *arguments = [placed.get(each, each) for each in rebuild_command(built.installation, "utama")]
    assert "pulih" == program
    command = [sys.executable, "-m", "cli.main", "--json", *arguments]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "" == ended.stderr
    told = json.loads(ended.stdout)
    assert (1, 1, []) == (told["sets"], told["added"], told["unproven"])
    installation = load_inventory(Path(told["inventory"])).installation()
    trusted = installation.signer.trusted_pem
    with installation.catalog.read() as connection:
        heads = ledger_heads.read_heads(installation.store("utama"), trusted)
        assert 2 == len(heads)
        assert [] == ledger.verify(connection, heads, trusted)
    office.office.installation = installation
    assert CONTENT == office.restored(office.names[0])


def test_objects_whose_names_no_store_takes_are_listed(ceph: S3Server, tmp_path: Path) -> None:
    """A bucket takes names that a directory cannot have; whoever may write to it could stop a rebuild by them."""
    signer = Signer.from_pem(generate_signing_key(), "it")
    settings = ceph.settings(tmp_path, ceph.make_bucket())
    store = open_store(settings)
    guide = restore_guide(signer.public_pem).encode()
    names = ["RESTORE//x", "kunci//x.json", "buku-besar//x.json", "formulir//x", "x//y", "bkd/b\\c/d/manifest.json"]
    names += ["bkd/b\\c/d/manifest.json.sig", "bkd//d/manifest.json", "bkd//d/manifest.json.sig", "sampah\nNOT PROVEN"]
    for name in names:
        key = f"{settings.prefix}/{name}" if settings.prefix else name
        ceph.client().put_object(Bucket=settings.bucket, Key=key, Body=guide)
    assert lacks_restore_guide(store, signer.public_pem)
    put_restore_guide(store, signer.public_pem)
    trusted, successions, complaints = find_trusted_keys(store, signer.fingerprint)
    assert (signer.public_pem, []) == (trusted, successions)
    found = take_inventory(store, trusted)
    assert ({}, [], [], set()) == (found.sets, found.records, found.heads, found.forms)
    assert {f"{name!r} cannot be the key of an object" for name in names} == {*found.unproven, *complaints}
