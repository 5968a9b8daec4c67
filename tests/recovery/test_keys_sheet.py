"""The escrow sheet: everything that is needed in a disaster, and no private key unless somebody asked for it."""

import shlex
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.crypto import generate_identity
from recovery.errors import ConflictError, KeyMissingError
from recovery.installation import Installation
from recovery.keys_rotation import rotate_escrow, rotate_signing
from recovery.keys_sheet import PRINTED, rebuild_command, typed, write_sheet
from recovery.procedures.backup.begin import begin_backup
from recovery.records import ledger
from recovery.settings import StoreSettings
from tests.recovery.key_office import KeyOffice
from tests.testbed.small_office import open_office


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyOffice]:
    """An office whose signing key was changed once."""
    built = open_office(tmp_path_factory.mktemp("office") / "office", running=False)
    rotate_signing(built.installation)
    yield KeyOffice(built)
    built.installation.catalog.dispose()


def words(pdf: Path) -> str:
    """All text on the sheet, without the spaces and line ends between it."""
    text = subprocess.run(["pdftotext", "-raw", pdf, "-"], capture_output=True, text=True, check=True).stdout
    return "".join(text.replace("\u200b", "").split())


def secrets(installation: Installation, root: Path) -> list[str]:
    """A piece of every private key that no other text contains."""
    names = ("operations", "escrow", "signing", "enrolment")
    lines = [line for name in names for line in (root / "keys" / name).read_text().splitlines()]
    return [line[-30:] for line in lines if line and not line.startswith(("-", "#"))]


def test_it_tells_what_is_needed_and_no_private_key(office: KeyOffice, tmp_path: Path) -> None:
    installation = office.fresh()
    pdf = tmp_path / "lembar.pdf"
    assert installation.signer.fingerprint == write_sheet(installation, pdf)
    found = words(pdf)
    for wanted in (
        "LEMBARTITIPANKUNCI(ESCROW)",
        installation.signer.fingerprint,
        installation.keys.escrow_recipient,
        installation.keys.operations_recipient,
        str(office.office.root / "store"),
        rf"pulihrebuild\--from{office.office.root / 'store'}\--storeutama\--identityBERKAS-KUNCI-TITIPAN",
        "RESTORE.md",
        "Sebelumnya,diganti",
    ):
        assert wanted in found, wanted
    # Of every key that is trusted, so that old sets can be compared, too.
    assert 3 == found.count("SHA256:")
    for secret in secrets(installation, office.office.root):
        assert secret not in found
        assert secret.encode() not in pdf.read_bytes()
    assert "KUNCIPRIVAT" not in found
    assert "Mencapaibucket" not in found
    assert 0o600 == stat.S_IMODE(pdf.stat().st_mode)
    assert [False] == printed(installation)


def test_a_bucket_can_be_reached_by_what_the_sheet_says(office: KeyOffice, tmp_path: Path) -> None:
    """After the site is lost nobody knows where it was: its title leads nowhere. No secret of it is printed."""
    installation = office.fresh()
    (tmp_path / "akses").write_text("AKIAPULIHCADANGAN\n")
    installation.stores = {**installation.stores}
    installation.stores["awan"] = StoreSettings.model_validate(
        {
            "name": "awan",
            "kind": "s3",
            "title": "Pusat Data Provinsi",
            "endpoint": "https://s3.penyimpanan-cadangan.pusat-data.contoh.go.id:8443",
            "region": "id-jkt-1",
            "bucket": "cadangan-dinas-komunikasi-dan-informatika",
            "prefix": "pulih",
            "addressing": "virtual",
            "ca_file": "/etc/pulih/ca pusat data.pem",
            "access_key": f"file:{tmp_path / 'akses'}",
            "secret_key": "credential:awan-rahasia",
            "removal_access_key": "file:/etc/pulih/s3/pemusnahan.akses",
            "removal_secret_key": "file:/etc/pulih/s3/pemusnahan.rahasia",
        }
    )
    pdf = tmp_path / "lembar.pdf"
    write_sheet(installation, pdf)
    found = words(pdf)
    arguments = rebuild_command(installation, "awan")
    command = typed(arguments)
    assert arguments == shlex.split(command.replace("\\\n", ""))
    for wanted in (
        "MencapaibucketPusatDataProvinsi",
        "https://s3.penyimpanan-cadangan.pusat-data.contoh.go.id:8443",
        "s3://cadangan-dinas-komunikasi-dan-informatika/pulih",
        "id-jkt-1",
        "virtual(namabucketdinamahost)",
        "/etc/pulih/capusatdata.pem",
        f"file:{tmp_path / 'akses'}",
        "credential:awan-rahasia",
        "".join(command.split()),
    ):
        assert wanted in found, wanted
    for given in (
        "--store awan",
        "--setting region=id-jkt-1",
        "--setting addressing=virtual",
        "--setting 'ca_file=/etc/pulih/ca pusat data.pem'",
        f"--setting access_key=file:{tmp_path / 'akses'}",
        "--setting secret_key=file:/root/awan.secret_key",  # systemd loads no credential for who stands at a shell
    ):
        assert given in command, given
    assert "AKIAPULIHCADANGAN" not in found and "pemusnahan" not in found
    assert b"AKIAPULIHCADANGAN" not in pdf.read_bytes()


def printed(installation: Installation) -> list[bool]:
    with installation.catalog.read() as connection:
        return [entry.facts["with_private_key"] for entry in ledger.entries(connection, kind=PRINTED)][-1:]


def test_a_private_key_that_was_asked_for_is_printed_with_a_warning(office: KeyOffice, tmp_path: Path) -> None:
    installation = office.fresh()
    key = office.office.root / "keys" / "escrow"
    write_sheet(installation, tmp_path / "lembar.pdf", private_key=key)
    found = words(tmp_path / "lembar.pdf")
    assert "".join(key.read_text().split()) in found
    assert "PERHATIAN:LEMBARINIMEMUATKUNCIPRIVAT." in found
    assert [True] == printed(installation)


def test_no_other_private_key_is_ever_printed(office: KeyOffice, tmp_path: Path) -> None:
    (tmp_path / "stranger").write_text(generate_identity()[0])
    for path in (office.office.root / "keys" / "operations", tmp_path / "stranger"):
        with pytest.raises(
            KeyMissingError, match="holds no escrow identity of this installation; no sheet was written"
        ):
            write_sheet(office.fresh(), tmp_path / "lembar.pdf", private_key=path)
    assert not (tmp_path / "lembar.pdf").exists()


def test_a_sheet_is_never_written_over(office: KeyOffice, tmp_path: Path) -> None:
    (tmp_path / "lembar.pdf").write_bytes(b"another")
    with pytest.raises(ConflictError, match=r"lembar\.pdf already exists; it was left as it is"):
        write_sheet(office.fresh(), tmp_path / "lembar.pdf")


def test_an_earlier_escrow_key_that_is_still_needed_is_named(tmp_path: Path) -> None:
    """Whoever cleans the safe up must not throw it away."""
    built = open_office(tmp_path / "office", running=False)
    begin_backup(built.installation, "run", schedule_name="bulanan", routine=True)
    for number in (1, 2, 3, 4):
        built.step(f"backup.{number}", "run", "simpel/berkas")
    old = built.installation.keys.escrow_recipient
    rotation = rotate_escrow(built.installation, tmp_path / "escrow-2")
    built.installation.keys = built.installation.keys.model_copy(update={"escrow_recipient": rotation.new})
    write_sheet(built.installation, tmp_path / "lembar.pdf", private_key=built.root / "keys" / "escrow")
    found = words(tmp_path / "lembar.pdf")
    assert old in found and rotation.new in found
    assert "masihmembuka1cadangan" in found
    built.installation.catalog.dispose()
