"""Choosing the copy of the records from which to rebuild: what the newest key signed and nothing contradicts."""

import shutil
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recovery.crypto import identity_that_opens, recipient_of
from recovery.durable import NewFile
from recovery.errors import KeyMissingError, ObjectMissingError, RecordsError, SetError
from recovery.installation import private_directory, remove_tree
from recovery.own_records import CATALOG
from recovery.rebuild_catalog import begin_catalog
from recovery.rebuild_sets import Inventoried, recorded_head
from recovery.records import ledger, ledger_heads
from recovery.sets import BackupSet

NOT_USED = "they are not used"


@dataclass(frozen=True)
class Chooser:
    """What is needed to choose: what the store holds, identities and their file, trusted keys (the newest first), the
    directory into which the copy is unpacked, a place for a catalog that is looked at, and where all is said that
    cannot be proven."""

    found: Inventoried
    identities: list[Any]
    identity_file: Path
    trusted_pem: bytes
    directory: Path
    unfinished: Path
    unproven: list[str]

    def unpack(self) -> BackupSet | None:
        """Unpack the copy of the records to rebuild from, and return its set; None when there is none that opens.

        What a later key signed comes first, however new the others say that they are: an earlier key may have been
        stolen before it was changed. What no identity opens is named, and the next one is taken: whoever has only an
        earlier key goes on with what it opens. Raises KeyMissingError when nothing is chosen and another identity would
        open one: a catalog out of manifests would be less than what is there.
        """
        closed = self._closed()
        for age in sorted({self._age(each) for each in self.found.records}):
            chosen = self._unpack_of(age)
            if chosen is not None:
                self._say_passed_over(chosen)
                self._say_unopened(closed, chosen)
                return chosen
        remove_tree(self.directory)
        if closed:
            raise KeyMissingError(
                f"nothing could be rebuilt from the records in the store: {self._unopened(closed[0])}",
                state="no catalog was made",
                hint="bring the identity of one of these recipients: that of an earlier key, or the one in escrow",
            )
        return None

    def _closed(self) -> list[BackupSet]:
        """The records that no identity opens, the newest first."""
        return _unopened_of(reversed(self.found.records), self.identities)

    def _age(self, backup_set: BackupSet) -> int:
        return self.found.ages[backup_set.prefix]

    def _unpack_of(self, age: int) -> BackupSet | None:
        """Unpack, of the sets of one key, the newest that nothing contradicts. Where each is contradicted by another,
        somebody else had the key: then the one with which most of what is signed agrees."""
        looked: list[tuple[int, BackupSet, list[str]]] = []
        closed = {each.prefix for each in self._closed()}
        opened = [each for each in self.found.records if self._age(each) == age and each.prefix not in closed]
        for backup_set in reversed(opened):
            if self._unpack(backup_set):
                agreeing, findings = self._examine(backup_set)
                looked.append((agreeing, backup_set, findings))
                if not findings:
                    break
        if not looked:
            return None
        _, chosen, findings = max(looked, key=lambda each: each[0])  # the newest of those that are equally good
        for _, other, against in looked:
            if other is not chosen:
                reason = against[0] if against else "less of what is signed agrees with them"
                self.unproven.append(f"the records {other.manifest.name} are not used: {reason}")
        self.unproven.extend(f"ledger: {finding}" for finding in findings)
        if chosen is not looked[-1][1]:
            self._unpack(chosen)
        return chosen

    def _say_passed_over(self, chosen: BackupSet) -> None:
        last = recorded_head(chosen).sequence
        self.unproven.extend(
            f"the records {each.manifest.name} are not used: their signature is of a key that was changed before "
            f"{chosen.manifest.name} was signed"
            for each in self.found.records
            if self._age(each) > self._age(chosen) and recorded_head(each).sequence > last
        )

    def _say_unopened(self, closed: list[BackupSet], chosen: BackupSet) -> None:
        """Name those that would have been taken before it; what is older is not missed."""
        last = recorded_head(chosen).sequence
        self.unproven.extend(
            f"{self._unopened(each)}: what happened after entry {last} is not in the catalog"
            for each in closed
            if self._age(each) < self._age(chosen)
            or (self._age(each) == self._age(chosen) and recorded_head(each).sequence > last)
        )

    def _unopened(self, records: BackupSet) -> str:
        manifest, last = records.manifest, recorded_head(records).sequence
        return (
            f"the records {manifest.name}, up to entry {last} of the ledger, are for {', '.join(manifest.recipients)}, "
            f"which {_held(self.identity_file, self.identities)} does not open"
        )

    def _unpack(self, backup_set: BackupSet) -> bool:
        manifest = backup_set.manifest
        identity = identity_that_opens(self.identities, manifest.recipients, str(self.identity_file))
        remove_tree(self.directory)
        private_directory(self.directory)
        archive = self.directory / "data.tar"
        try:
            with NewFile(archive) as file:
                backup_set.restore("data", identity, file.write)
            _extract(archive, self.directory)
            archive.unlink()
        except (SetError, KeyMissingError, ObjectMissingError) as error:
            self.unproven.append(f"the records {manifest.name}: {error.message}; an older set was taken")
            return False
        except OSError as error:
            raise RecordsError(
                f"the records {manifest.name} cannot be unpacked in {self.directory} ({error.strerror})",
                state="no catalog was made",
                hint="look at that disk and the space on it, or rebuild into a directory on another one",
            ) from error
        return True

    def _examine(self, backup_set: BackupSet) -> tuple[int, list[str]]:
        """Compare the ledger in the unpacked copy with all that it must contain, going by what a key signed that is not
        earlier than its own: return with how much of it it agrees, and what contradicts it."""
        age, last = self._age(backup_set), recorded_head(backup_set).sequence
        copies = {
            recorded_head(each): each.manifest.name
            for each in self.found.records
            if self._age(each) <= age and recorded_head(each).sequence <= last
        }
        heads = {
            head
            for head in self.found.heads
            if self.found.ages[ledger_heads.head_key(head.sequence)] <= age and head.sequence <= last
        }
        catalog = begin_catalog(self.unfinished, self.directory / CATALOG)
        try:
            with catalog.read() as connection:
                damage = ledger.verify(connection, (), self.trusted_pem)  # is kept as it is, and said later
                findings = [each for each in ledger.verify(connection, heads, self.trusted_pem) if each not in damage]
                agreeing = {each for each in heads | set(copies) if ledger.holds(connection, each)}
        finally:
            catalog.dispose()
        # A rebuild declares entries as lost that no copy has; who has a key can declare any.
        findings += [
            f"entry {head.sequence} is in the records {name} and not in these"
            for head, name in sorted(copies.items(), key=lambda each: each[0].sequence)
            if head not in agreeing
        ]
        return len(agreeing), findings


def unopened_backups(found: Inventoried, identity_file: Path, identities: list[Any]) -> list[str]:
    """Given what a store holds and the identities of a file, return a sentence for all backups of the same recipients
    that none of them opens: they are listed, and whoever restores them needs another key."""
    closed: dict[tuple[str, ...], list[str]] = {}
    for each in _unopened_of(found.sets.values(), identities):
        closed.setdefault(tuple(each.manifest.recipients), []).append(each.manifest.name)
    who = _held(identity_file, identities)
    return [
        f"backups for {', '.join(recipients)}, which {who} does not open: {', '.join(sorted(names))}"
        for recipients, names in closed.items()
    ]


def _unopened_of(sets: Iterable[BackupSet], identities: list[Any]) -> list[BackupSet]:
    held = {recipient_of(identity) for identity in identities}
    return [each for each in sets if not held & set(each.manifest.recipients)]


def _held(identity_file: Path, identities: list[Any]) -> str:
    return f"the identity file {identity_file} (of {', '.join(recipient_of(each) for each in identities)})"


def _extract(archive: Path, directory: Path) -> None:
    """Write the files of an archive of records below a directory, and nothing else that an archive may hold. Raises
    SetError: who has the signing key can sign anything.

    By hand: of the Python of Debian 12, 3.11.2, tarfile knows no filters.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                _extract_member(tar, member, directory)
    except tarfile.TarError as error:
        raise SetError(f"they are no archive ({error})", state=NOT_USED) from error
    if not (directory / CATALOG).is_file():
        raise SetError(f"they hold no {CATALOG}", state=NOT_USED)


def _extract_member(tar: tarfile.TarFile, member: tarfile.TarInfo, directory: Path) -> None:
    target = directory / member.name
    inside = target.resolve().is_relative_to(directory.resolve())
    if inside and member.isdir():
        target.mkdir(mode=0o700, exist_ok=True)
        return
    source = tar.extractfile(member) if member.isfile() else None
    if not inside or source is None or target.exists():
        raise SetError(f"they hold {member.name}, which is no plain file of theirs", state=NOT_USED)
    with source, target.open("xb") as file:
        shutil.copyfileobj(source, file)
