"""pulih request: a letter from paper is held against the form and the procedure's own rules before anything is sent.

That a run is created from it on a real server is shown in test_apply.py, where the deployment is there anyway.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import update

from recovery.inventory import load_inventory
from recovery.procedures.restore.letter import read_letter
from recovery.records import procedures, schema
from tests.cli.conftest import Office, Pulih
from tests.testbed.small_office import REQUESTER, restore_request

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deployments" / "letter.example.yaml"


def write_letter(folder: Path, **fields: Any) -> Path:
    """Write a letter that is right but for these fields; None leaves a field out."""
    form = {**restore_request().model_dump(mode="json"), "waktu_kejadian": "2026-11-20 09:00", **fields}
    path = folder / "surat.yaml"
    kept = {name: value for name, value in form.items() if value is not None}
    path.write_text(yaml.safe_dump(kept, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def test_the_example_letter_is_right_and_fits_the_example_inventory() -> None:
    """What people copy must not be wrong."""
    request = read_letter(EXAMPLE)
    inventory = load_inventory(ROOT / "deployments" / "inventory.example.yaml")
    assert request.aplikasi in {application.name for application in inventory.applications}
    assert request.nip_pemohon in {official.nip for official in inventory.officials if "pemohon" in official.roles}
    shown = {line.split(":")[0] for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line[:1].isalpha()}
    assert set(type(request).model_fields) == shown


def test_a_dry_run_checks_and_sends_nothing(pulih: Pulih, office: Office, tmp_path: Path) -> None:
    """No server is needed for it."""
    ended = pulih("--inventory", office.inventory, "--json", "request", write_letter(tmp_path), "--dry-run")
    assert (0, "") == (ended.code, ended.err)
    assert {
        "application": "simpel",
        "letter": "800/045/BKD/2026",
        "requester": REQUESTER,
        "dry_run": True,
        "flow_run_id": "",
        "address": "",
    } == ended.document
    with office.catalog.read() as connection:
        assert [] == procedures.list_open(connection)


def test_without_a_server_nothing_is_sent(pulih: Pulih, office: Office, tmp_path: Path) -> None:
    """After the checks, which need none."""
    ended = pulih("--inventory", office.inventory, "request", write_letter(tmp_path))
    assert (2, "") == (ended.code, ended.out)
    assert "no Prefect server is configured; nothing was changed\nHINT: set PREFECT_API_URL" in ended.err


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"nip_pemohon": "123"}, "nip_pemohon: must be 18 digits"),
        ({"nip_pemohon": 198505052010012005}, "nip_pemohon: must be text; put it in quotes"),
        ({"urgensi": "segra"}, "urgensi: must be one of 'biasa', 'segera' or 'amat segera'; did you mean 'segera'?"),
        ({"tanggal_surat": "20 November 2026"}, "tanggal_surat: "),
        ({"tanggal_surat": 20261120}, "tanggal_surat: must be a date like 2026-11-20"),
        ({"waktu_kejadian": "20261120"}, "waktu_kejadian: must be a time like 2026-11-20 09:00 (WIB)"),
        ({"uraian_kerusakan": "NIK 3503012345678901"}, "uraian_kerusakan: holds a 16-digit number (a NIK?)"),
        ({"titik_pulih": "2026-11-20 08:00"}, "alasan_titik_pulih: titik pulih selain cadangan terbaru perlu alasan"),
        ({"waktu_henti": None}, "waktu_henti: is missing"),
        ({"nomor_sura": "1"}, "nomor_sura: unknown key; did you mean 'nomor_surat'?"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_field(
    pulih: Pulih, office: Office, tmp_path: Path, fields: dict[str, Any], expected: str
) -> None:
    """As the inventory's errors are."""
    letter = write_letter(tmp_path, **fields)
    ended = pulih("--inventory", office.inventory, "request", letter, "--dry-run")
    assert (2, "") == (ended.code, ended.out)
    found = re.search(r"^(?:ERROR: )?surat\.yaml:(\d+): (.+)$", ended.err, re.MULTILINE)
    assert found is not None
    assert found.group(2).startswith(expected)
    field = expected.split(":")[0]
    lines = letter.read_text(encoding="utf-8").splitlines()
    if any(line.startswith(f"{field}:") for line in lines):
        assert lines[int(found.group(1)) - 1].startswith(f"{field}:")
    assert "1 error in " in ended.err


def test_all_errors_are_told_at_once(pulih: Pulih, office: Office, tmp_path: Path) -> None:
    """One round of corrections, not one per error."""
    letter = write_letter(tmp_path, nip_pemohon="1", urgensi="x", tanggal_surat=5)
    ended = pulih("--inventory", office.inventory, "request", letter)
    assert "3 errors in " in ended.err


@pytest.mark.parametrize(
    ("fields", "code", "expected"),
    [
        ({"aplikasi": "lain"}, 3, "there is no application named 'lain'"),
        ({"nip_pemohon": "1" * 18}, 3, "no requester has the NIP 111111111111111111"),
        ({"berkas_surat": "tidak-ada.pdf"}, 3, "there is no letter 'tidak-ada.pdf' in the intake folder"),
    ],
)
def test_the_rules_of_the_procedure_s_opening_are_asked_first(
    pulih: Pulih, office: Office, tmp_path: Path, fields: dict[str, Any], code: int, expected: str
) -> None:
    """A run that fails at once would only stand in the officials' way."""
    ended = pulih("--inventory", office.inventory, "request", write_letter(tmp_path, **fields))
    assert (code, "") == (ended.code, ended.out)
    assert f"ERROR: {expected}" in ended.err


def test_a_request_that_cannot_come_true_or_is_open_already_is_refused(
    pulih: Pulih, broken: Office, tmp_path: Path
) -> None:
    """One restore of an application at a time, and none without a verified backup."""
    letter = write_letter(tmp_path)
    opened = {"parameters": {}, "release": "0", "application": "simpel"}
    procedures.open_procedure(broken.catalog, "another", "restore", **opened)
    ended = pulih("--inventory", broken.inventory, "request", letter)
    assert 4 == ended.code
    assert "a restore of simpel is open already: procedure another" in ended.err
    with broken.catalog.begin() as connection:
        connection.execute(update(schema.procedures).where(schema.procedures.c.id == "another").values(state="closed"))
        connection.execute(update(schema.backups).values(moment="2099-11-20T15:00:03.000000+00:00"))
    ended = pulih("--inventory", broken.inventory, "request", letter)
    assert 3 == ended.code
    assert "has no verified backup whose moment can be believed" in ended.err
    with broken.catalog.begin() as connection:
        connection.execute(update(schema.backups).values(verdict="fail"))
    for named in ({}, {"titik_pulih": "2026-11-20 08:00", "alasan_titik_pulih": "Data salah sejak hari itu."}):
        ended = pulih("--inventory", broken.inventory, "request", write_letter(tmp_path, **named))
        assert 3 == ended.code
        assert "has no verified backup; nothing was touched\n" in ended.err
