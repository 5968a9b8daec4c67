"""From which copy of the records a rebuild is made where somebody with a stolen signing key has put his own, too."""

import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recovery import points
from recovery.crypto import Signer, generate_identity, read_identities, recipient_of
from recovery.errors import RecordsError, SetError
from recovery.inventory import load_inventory
from recovery.keys_rotation import RECORDS_OF, ROTATED, rotate_signing
from recovery.own_records import back_up_records
from recovery.rebuild import Rebuilt, rebuild
from recovery.rebuild_records import _extract
from recovery.records import backups, ledger, ledger_heads
from recovery.records.backups import Backup
from recovery.records.ledger import Head
from tests.recovery.key_office import KeyOffice
from tests.testbed.old_backups import old_backup, old_records
from tests.testbed.small_office import open_office

FAR = 999_999


@dataclass
class Robbed:
    """An office with one backup and its records, whose signing key was stolen and then changed; and the thief."""

    office: KeyOffice
    backup: Backup
    genuine: str
    stolen: Signer
    root: Path

    def conclude(self) -> str:
        """As at the end of a procedure: a head and a set of the records, with the key of now. Return the set's name."""
        installation = self.office.fresh()
        with installation.catalog.begin() as connection:
            ledger.append(connection, "test", {})
        ledger_heads.anchor(installation.catalog, installation.store("utama"), installation.signer)
        return back_up_records(installation, "run")

    def forge(self, *, after: int) -> str:
        """Put what the thief makes of his own into the store: records of a ledger whose last entry is the one behind
        `after`, encrypted to the public recipients, and its head. Return the name of his records."""
        his = open_office(self.root / f"thief-{after}", running=False).installation
        his.keys = his.keys.model_copy(
            update={
                "operations_recipient": self.office.office.installation.keys.operations_recipient,
                "escrow_recipient": self.office.office.installation.keys.escrow_recipient,
            }
        )
        vars(his)["signer"] = self.stolen
        with his.catalog.begin() as connection:
            # He declares as lost whatever he does not know.
            ledger.resume(connection, Head(after, "a" * 64), 0, {}, self.stolen)
        ledger_heads.anchor(his.catalog, his.store("utama"), self.stolen)
        name = back_up_records(his, "run")
        his.catalog.dispose()
        for folder in ("pulih", "buku-besar"):
            shutil.copytree(
                self.root / f"thief-{after}" / "store" / folder, self.root / "office/store" / folder, dirs_exist_ok=True
            )
        return name

    def forget_the_rotations_records(self) -> None:
        """As if the rotation had died before it put them."""
        for folder in (self.root / "office/store/pulih/pulih").iterdir():
            if f'"procedure_id":"{RECORDS_OF}"' in (folder / "manifest.json").read_text():
                shutil.rmtree(folder)

    def rebuild(self) -> Rebuilt:
        installation = self.office.fresh()
        fingerprint = installation.signer.fingerprint
        escrow = self.root / "office" / "keys" / "escrow"
        return rebuild(installation.stores["utama"], self.root / "new", fingerprint, escrow)


@pytest.fixture
def robbed(tmp_path: Path) -> Iterator[Robbed]:
    built = open_office(tmp_path / "office", running=False)
    made = Robbed(KeyOffice(built), old_backup(built, datetime.now(UTC)), "", built.installation.signer, tmp_path)
    made.conclude()
    made.genuine = made.conclude()
    rotate_signing(built.installation)
    yield made
    built.installation.catalog.dispose()


def recorded(done: Rebuilt) -> tuple[list[Backup], list[ledger.Entry]]:
    """The backups in the rebuilt catalog, and the entries of its ledger; which is whole but for the thief's heads."""
    assert done.inventory is not None
    installation = load_inventory(done.inventory).installation()
    with installation.catalog.read() as connection:
        found = backups.list_backups(connection), ledger.entries(connection)
        assert [] == ledger.verify(connection, [], installation.signer.trusted_pem)
    installation.catalog.dispose()
    return found


def test_right_after_a_rotation_what_the_stolen_key_makes_is_not_used(robbed: Robbed) -> None:
    """No procedure has ended since. The catalog that is rebuilt knows of the rotation, and its keys go on from it."""
    his = robbed.forge(after=FAR - 1)
    now = robbed.office.fresh().signer
    done = robbed.rebuild()
    rotated = f"the records {his} are not used: their signature is of a key that was changed before {done.source} was"
    assert any(each.startswith(rotated) for each in done.unproven)
    found, entries = recorded(done)
    assert [robbed.backup.id] == [each.id for each in found]
    assert [now.fingerprint] == [entry.facts["new"] for entry in entries if entry.kind == ROTATED]
    assert done.inventory is not None
    rebuilt = load_inventory(done.inventory).installation()
    assert now.public_pem in rebuilt.signer.trusted_pem
    rebuilt.catalog.dispose()


def test_what_a_changed_key_signs_afterwards_is_not_used_and_named(robbed: Robbed) -> None:
    """However far ahead it says that it is."""
    newest = robbed.conclude()
    robbed.office.back_up(robbed.stolen)
    his = robbed.forge(after=FAR - 1)
    done = robbed.rebuild()
    assert newest == done.source
    found, entries = recorded(done)
    assert [robbed.backup.id] == [each.id for each in found]
    assert entries[-1].sequence == done.ledger_sequence < 100
    assert {
        f"the records {his} are not used: their signature is of a key that was changed before {newest} was signed",
        f"buku-besar/000000{FAR}.json: its signature is of a key that was changed before entry "
        f"{done.ledger_sequence - 1} was signed; it is not used",
        f"backup {robbed.office.names[0]}: a signing key signed it that was changed before the records {newest} were "
        "made, and they do not know it; it is not offered",
    } == set(done.unproven)


@pytest.mark.parametrize("after", [FAR - 1, 1], ids=["far ahead", "far behind"])
def test_where_one_key_signed_both_the_one_that_fits_the_rest_is_used(robbed: Robbed, after: int) -> None:
    """Before the new key has signed any: his contradict what was signed before, or what is behind contradicts them."""
    robbed.forget_the_rotations_records()
    his = robbed.forge(after=after)
    done = robbed.rebuild()
    assert robbed.genuine == done.source
    found, _entries = recorded(done)
    assert [robbed.backup.id] == [each.id for each in found]
    told = "\n".join(done.unproven)
    assert re.search(rf"^the records {his} are not used: (entry \d+|less of what is signed)", told, re.MULTILINE)


def test_with_an_earlier_identity_the_newest_records_that_it_opens_are_used_and_the_others_are_named(
    robbed: Robbed,
) -> None:
    """Both keys were changed, and only the medium of before is at hand. With that of now nothing is missed: what is
    older is not named, but for the backups that only the earlier one opens."""
    office = robbed.office
    before, (escrow,) = robbed.conclude(), read_identities((robbed.root / "office/keys/escrow").read_bytes(), "it")
    keys = office.office.installation.keys
    (new, recipient), (_other, operations) = generate_identity(), generate_identity()
    office.office.installation.keys = keys.model_copy(
        update={"escrow_recipient": recipient, "operations_recipient": operations}
    )
    after = robbed.conclude()
    office.back_up()
    done = robbed.rebuild()
    assert before == done.source
    who = f"the identity file {robbed.root / 'office/keys/escrow'} (of {recipient_of(escrow)})"
    (records, sets) = [each for each in done.unproven if who in each][::-1]
    last = int(before.split("_")[1])
    assert f"the records {after}, up to entry {last + 1} of the ledger, are for {operations}, {recipient}, " in records
    assert records.endswith(f"which {who} does not open: what happened after entry {last} is not in the catalog")
    assert f"backups for {operations}, {recipient}, which {who} does not open: {office.names[0]}" == sets
    shutil.rmtree(robbed.root / "new")
    (robbed.root / "safe").write_text(new)
    installation = office.fresh()
    done = rebuild(
        installation.stores["utama"], robbed.root / "new", installation.signer.fingerprint, robbed.root / "safe"
    )
    assert after == done.source
    (sets,) = [each for each in done.unproven if "does not open" in each]
    assert robbed.backup.name is not None and sets.endswith(robbed.backup.name)


def test_records_that_are_of_no_use_give_way_to_those_of_the_key_before(robbed: Robbed) -> None:
    """One names no entry of the ledger, of the other a bit was flipped."""
    robbed.forget_the_rotations_records()
    nameless = old_records(robbed.office.office, datetime.now(UTC), "nought")
    damaged = robbed.conclude()
    path = robbed.root / "office/store/pulih/pulih" / damaged / "data.tar.zst.age"
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    done = robbed.rebuild()
    assert robbed.genuine == done.source
    assert f"pulih/pulih/{nameless}: its manifest names no entry of the ledger" in done.unproven
    assert any(each.startswith(f"the records {damaged}: ") for each in done.unproven)


def test_a_disk_that_does_not_give_the_records_back_is_said(robbed: Robbed) -> None:
    """Every read of what was just written fails; on a good disk the same command succeeds."""
    archive = robbed.root / "new" / "records" / "data.tar"

    def break_it(name: str) -> None:
        if name == "new file: written" and archive.exists():
            archive.unlink()
            archive.symlink_to("/proc/self/mem")

    with points.observe(break_it), pytest.raises(RecordsError) as caught:
        robbed.rebuild()
    assert caught.value.message.endswith(f" cannot be unpacked in {archive.parent} (Input/output error)")
    assert "no catalog was made" == caught.value.state
    assert caught.value.hint.startswith("look at that disk and the space on it, or rebuild into a directory on another")
    assert robbed.genuine != robbed.rebuild().source


@pytest.mark.parametrize("what", ["no archive", "no catalog", "a link"])
def test_signed_records_that_are_none_give_way_to_older_ones(
    robbed: Robbed, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Whoever has the key can sign anything; it is named, and keeps nobody from a rebuild."""
    whole, add = robbed.conclude(), tarfile.TarFile.add

    def spoilt(tar: tarfile.TarFile, name: Path, arcname: str, *more: Any, **options: Any) -> None:
        if arcname == "." and what == "a link":
            (name / "inventory-2.yaml").symlink_to("/etc/passwd")
        elif arcname == "." and what == "no catalog":
            (name / "catalog.sqlite").unlink()
        if arcname == "." and what == "no archive":
            tar.fileobj.write(b"x" * 4096)  # type: ignore[union-attr]
        else:
            add(tar, name, arcname, *more, **options)

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "add", spoilt)
        his = robbed.conclude()
    done = robbed.rebuild()
    assert whole == done.source
    (told,) = [each for each in done.unproven if his in each]
    reason = {
        "no archive": r"they are no archive \(.+\)",
        "no catalog": "they hold no catalog.sqlite",
        "a link": "they hold ./inventory-2.yaml, which is no plain file of theirs",
    }[what]
    assert re.fullmatch(f"the records {his}: {reason}; an older set was taken", told)


@pytest.mark.parametrize(
    ("name", "kind", "times"),
    [
        ("../catalog.sqlite", tarfile.REGTYPE, 1),
        ("/tmp/catalog.sqlite", tarfile.REGTYPE, 1),
        ("../records", tarfile.DIRTYPE, 1),
        ("catalog.sqlite", tarfile.SYMTYPE, 1),
        ("catalog.sqlite", tarfile.LNKTYPE, 1),
        ("catalog.sqlite", tarfile.FIFOTYPE, 1),
        ("catalog.sqlite", tarfile.REGTYPE, 2),
    ],
)
def test_records_that_hold_anything_but_files_of_their_own_are_refused(
    name: str, kind: bytes, times: int, tmp_path: Path
) -> None:
    """Also by the Python of Debian 12, whose tarfile refuses nothing by itself."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    archive, into = tmp_path / "data.tar", tmp_path / "unpacked"
    with tarfile.open(archive, "w") as tar:
        for _ in range(times):
            tar.addfile(member)
    into.mkdir()
    with pytest.raises(SetError, match=f"they hold {name}, which is no plain file of theirs"):
        _extract(archive, into)
    assert [archive, into] == sorted(tmp_path.iterdir())
    assert times - 1 == len([*into.iterdir()])
