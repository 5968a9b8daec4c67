"""An inventory whose places lie in a temporary directory, and a small release whose flows do nothing."""

import base64
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyrage
import pytest
from prefect.client.orchestration import get_client

from recovery.crypto import generate_signing_key
from recovery.inventory import Inventory, load_inventory

if TYPE_CHECKING:
    from deployments.change import Change
    from deployments.server import LocalServer

EXAMPLE = Path(__file__).parents[2] / "deployments" / "inventory.example.yaml"

MakeInventory = Callable[..., Inventory]

SMALL_FLOWS = {
    "backup.py": '''
        import logging

        from prefect import flow


        @flow(name="Back Up Data")
        def backup(jadwal: str, alasan_di_luar_jadwal: str = "", mengulang: str = "") -> str:
            """Small.

            Args:
                jadwal: Nama jadwal back up.
            """
            logging.getLogger("recovery.sources").warning("domain speaks")
            return jadwal
        ''',
    "restore.py": """
        from prefect import flow
        from pydantic import BaseModel, ConfigDict, Field


        class RestoreRequest(BaseModel):
            model_config = ConfigDict(extra="forbid", title="Formulir Permintaan Restore Data")
            nomor_surat: str = Field(title="Nomor surat")
            aplikasi: str = Field(title="Nama aplikasi", description="Aplikasi yang diminta.")


        @flow(name="Restore Data")
        def restore(formulir: RestoreRequest) -> None:
            pass
        """,
    "schedule.py": """
        from prefect import flow


        @flow(name="Jadwal Back Up")
        def schedule(jadwal: str) -> None:
            pass
        """,
    "retention.py": """
        from prefect import flow


        @flow(name="Pemusnahan Cadangan")
        def retention() -> None:
            pass
        """,
    "drill.py": """
        from prefect import flow


        @flow(name="Gladi Restore")
        def drill(jadwal: str, komponen: str = "", penyimpanan: str = "", pilihan: str = "") -> None:
            pass
        """,
    "notify.py": """
        from typing import Literal

        from prefect import flow


        @flow(name="Pemberitahuan")
        def notify(perihal: Literal["gagal"], run: str, peristiwa: str) -> None:
            pass
        """,
}


def inventory_maker(tmp_path: Path) -> MakeInventory:
    """Given a directory, return a function that makes the example inventory with all its places in there."""
    for folder in ("kunci", "utama", "terpisah"):
        (tmp_path / folder).mkdir()
    identity, escrow = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    (tmp_path / "kunci" / "operasional").write_text(str(identity))
    (tmp_path / "kunci" / "tanda-tangan").write_bytes(generate_signing_key())
    (tmp_path / "kunci" / "pendaftaran").write_text(base64.b64encode(bytes(32)).decode())
    text = EXAMPLE.read_text(encoding="utf-8")
    example = load_inventory(EXAMPLE)
    for old, new in (
        ("/var/lib/pulih", f"{tmp_path}/keadaan"),
        ("path: /srv/cadangan", f"path: {tmp_path}/utama"),
        ("path: /mnt/cadangan-terpisah", f"path: {tmp_path}/terpisah"),
        ("credential:operations-identity", f"file:{tmp_path}/kunci/operasional"),
        ("credential:signing-key", f"file:{tmp_path}/kunci/tanda-tangan"),
        ("credential:enrolment-key", f"file:{tmp_path}/kunci/pendaftaran"),
        (example.keys.operations_recipient, str(identity.to_public())),
        (example.keys.escrow_recipient, str(escrow.to_public())),
    ):
        assert old in text
        text = text.replace(old, new)

    def make(*replacements: tuple[str, str]) -> Inventory:
        changed = text
        for old, new in replacements:
            assert old in changed
            changed = changed.replace(old, new, 1)
        path = tmp_path / "inventory.yaml"
        path.write_text(changed, encoding="utf-8")
        return load_inventory(path)

    return make


def write_small_release(tmp_path: Path) -> Path:
    """Given a directory, write a release into it whose flows have the right signatures and do nothing."""
    release = tmp_path / "rilis"
    (release / "flows").mkdir(parents=True)
    for name, text in SMALL_FLOWS.items():
        (release / "flows" / name).write_text(textwrap.dedent(text))
    return release


@pytest.fixture
def make_inventory(tmp_path: Path) -> MakeInventory:
    """Return a function that makes the example inventory with the given replacements."""
    return inventory_maker(tmp_path)


@pytest.fixture
def small_release(tmp_path: Path) -> Path:
    """A release directory with flows of the right signatures that do nothing."""
    return write_small_release(tmp_path)


@pytest.fixture
def bare_server(prefect_server: "LocalServer") -> "Iterator[LocalServer]":
    """The session's server without deployments and blocks of ours, before and after."""
    from tests.testbed.prefect_server import empty_server

    empty_server()
    yield prefect_server
    empty_server()


@dataclass(frozen=True)
class Applied:
    """A server to which an inventory was applied once, for tests that only look."""

    server: "LocalServer"
    inventory: Inventory
    release: Path
    directory: Path
    changes: list["Change"]
    make: MakeInventory


@pytest.fixture(scope="module")
def applied(prefect_server: "LocalServer", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    """The session's server with the example inventory, applied once for the module."""
    from deployments.apply import apply
    from tests.testbed.prefect_server import empty_server

    directory = tmp_path_factory.mktemp("instalasi")
    make, release = inventory_maker(directory), write_small_release(directory)
    empty_server()
    inventory = make()
    yield Applied(prefect_server, inventory, release, directory, apply(inventory, release=release), make)
    empty_server()


@pytest.fixture
def api(prefect_server: "LocalServer") -> Iterator[Callable[..., Any]]:
    """A function that asks the server's API as any client would."""

    # Prefect's client repeats what a busy SQLite answers with 503.
    with get_client(sync_client=True) as client:

        def ask(method: str, path: str, body: Any = None) -> Any:
            response = client.request(method, path, json=body)
            response.raise_for_status()
            return response.json() if response.content else None

        yield ask
