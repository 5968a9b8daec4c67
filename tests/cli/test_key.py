"""pulih key: what it makes is private, what it prints is not secret, and what is wrong ends with 15."""

import stat
from pathlib import Path

import yaml

from recovery.crypto import generate_identity
from tests.cli.conftest import Office, Pulih


def secrets_in(directory: Path) -> list[str]:
    """The lines of all private keys below a directory."""
    lines = [line for path in directory.iterdir() for line in path.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith(("-", "#"))]


def test_new_keys_need_no_inventory_and_show_no_secret(pulih: Pulih, tmp_path: Path) -> None:
    ended = pulih("key", "new", tmp_path / "kunci")
    assert 0 == ended.code
    assert {"operations.txt", "escrow.txt", "signing.pem", "enrolment.key"} == {
        path.name for path in (tmp_path / "kunci").iterdir()
    }
    for secret in secrets_in(tmp_path / "kunci"):
        assert secret not in ended.out
    assert f"  signing_key: file:{tmp_path}/kunci/signing.pem\n" in ended.out
    again = pulih("key", "new", tmp_path / "kunci", "--only", "signing")
    assert "signing.pem: was there already, left as it is, SHA256:" in again.out


def test_a_rotation_says_what_is_still_to_do(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    named = ("--inventory", broken.inventory)
    for arguments, told in (
        (("operations",), "write into the inventory, section keys: operations_recipient: age1"),
        (("escrow", "--to", tmp_path / "escrow-2"), "write into the inventory, section keys: escrow_recipient: age1"),
        (("signing",), "every store has the statement, and one at least records of the new key"),
    ):
        ended = pulih(*named, "key", "rotate", *arguments)
        assert 0 == ended.code, ended.err
        assert told in ended.out
    assert 0 == pulih(*named, "verify", broken.name).code
    assert 0 == pulih(*named, "ledger", "verify").code


def test_only_escrow_needs_a_file(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    for arguments in (("escrow",), ("signing", "--to", tmp_path / "x")):
        ended = pulih("--inventory", broken.inventory, "key", "rotate", *arguments)
        assert 2 == ended.code
        assert "--to names the file of a new escrow identity, and of no other key; nothing was changed" in ended.err


def test_keys_in_order_end_with_0_and_others_with_15(pulih: Pulih, broken: Office) -> None:
    for path in (broken.root / "keys").iterdir():
        path.chmod(0o600)
    good = pulih("--inventory", broken.inventory, "key", "check")
    assert (0, "") == (good.code, good.err)
    (broken.root / "keys" / "operations").write_text(generate_identity()[0])
    bad = pulih("--inventory", broken.inventory, "--json", "key", "check")
    assert 15 == bad.code
    assert {"operations identity", f"backup {broken.name}"} <= {
        finding["subject"] for finding in bad.document if finding["state"] == "problem"
    }
    assert "the keys have " in bad.error["error"]


def test_a_sheet_with_a_private_key_says_loudly_what_that_means(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    document = yaml.safe_load(broken.inventory.read_text(encoding="utf-8"))
    where = {"kind": "s3", "endpoint": "https://s3.contoh.go.id", "bucket": "cadangan", "ca_file": "/etc/pulih/ca.pem"}
    secrets = {"access_key": "file:/etc/pulih/akses", "secret_key": "file:/etc/pulih/rahasia"}
    document["stores"].append({"name": "awan", **where, **secrets})
    inventory = broken.inventory.with_name("bucket.yaml")
    inventory.write_text(yaml.safe_dump(document), encoding="utf-8")
    plain = pulih("--inventory", inventory, "key", "sheet", "--pdf", tmp_path / "a.pdf")
    assert 0 == plain.code and "WARNING" not in plain.out
    assert "leads to awan: file:/etc/pulih/akses, file:/etc/pulih/rahasia, /etc/pulih/ca.pem\n" in plain.out
    key = broken.root / "keys" / "escrow"
    pdf = tmp_path / "b.pdf"
    loud = pulih("--inventory", broken.inventory, "key", "sheet", "--pdf", pdf, "--with-private-key", key)
    assert 0 == loud.code
    assert "WARNING: A PRIVATE KEY IS ON THIS SHEET." in loud.out
    assert key.read_text().strip() not in loud.out
    assert 0o600 == stat.S_IMODE(pdf.stat().st_mode)
