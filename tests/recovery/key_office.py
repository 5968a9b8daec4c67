"""An office without people or services, and small sets in its store: what a rotation must not lose."""

import io
import itertools
from dataclasses import dataclass, field
from pathlib import Path

from recovery.crypto import Signer
from recovery.installation import Installation
from recovery.manifest import Manifest, Part
from recovery.sets import open_set, put_set, set_prefix
from recovery.stream import encrypt
from tests.testbed.small_office import SmallOffice, attach

CONTENT = b"isi cadangan" * 1000


@dataclass
class KeyOffice:
    """An office and the names of the sets that were put into its store."""

    office: SmallOffice
    names: list[str] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def fresh(self) -> Installation:
        """The installation as a new process opens it, with the keys and stores that the inventory has by now."""
        installation = attach(self.office.root).installation
        installation.keys, installation.stores = self.office.installation.keys, self.office.installation.stores
        return installation

    def back_up(self, signer: Signer | None = None) -> None:
        """Put a small set for the inventory's recipients, signed with the key of now, or by another signer."""
        installation = self.fresh()
        name = f"simpel_data_full_{next(self._numbers):08d}t000000+0700"
        staging = self.office.root / "staging" / name
        staging.mkdir(parents=True)
        recipients = [installation.keys.operations_recipient, installation.keys.escrow_recipient]
        data, quality = staging / "data.sqlite.zst.age", staging / "quality.json"
        digests = encrypt(io.BytesIO(CONTENT).readinto, data, recipients)
        quality.write_bytes(b"{}")
        parts = (Part.encrypted(data.name, "data", digests), Part.plain(quality.name, "quality", b"{}"))
        manifest = small_manifest(name, parts, recipients)
        staged = {path.name: path for path in (data, quality)}
        store = installation.store("utama")
        put_set(store, set_prefix("bkd", "simpel", name), staged, manifest, signer or installation.signer)
        self.names.append(name)

    def restored(self, name: str, identity: object = None) -> bytes:
        """The content of a set, with the keys of now; or with another identity."""
        installation = self.fresh()
        found = open_set(
            installation.store("utama"),
            set_prefix("bkd", "simpel", name),
            installation.signer.trusted_pem,
            application="simpel",
            component="data",
            manifest_sha256=None,
        )
        target = bytearray()
        opens = identity or installation.operations_identity(found.manifest.recipients)
        found.restore("data", opens, target.extend)
        return bytes(target)


def reopened(root: Path) -> KeyOffice:
    """The office in a directory, as another process finds it."""
    names = sorted(path.name for path in (root / "store" / "bkd" / "simpel").iterdir())
    return KeyOffice(attach(root), names, itertools.count(len(names)))


def small_manifest(name: str, parts: tuple[Part, ...], recipients: list[str]) -> Manifest:
    """A manifest of a component that nobody backed up."""
    return Manifest(
        backup_id=name,
        name=name,
        application="simpel",
        component="data",
        kind="sqlite",
        unit="bkd",
        moment="2026-11-20T15:00:03.000000+00:00",
        procedure_id="run-1",
        schedule_number="",
        release="0.1.0",
        parts=parts,
        tools={},
        target={},
        snapshot={},
        fingerprint={"kind": "sqlite", "objects": {}, "structure": {}, "totals": {}},
        verdict="pass",
        recipients=recipients,
        retention_until="2027-11-20T15:00:03.000000+00:00",
        warnings=[],
    )


def files_below(directory: Path) -> dict[str, bytes]:
    """Every file below a directory with its content."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
