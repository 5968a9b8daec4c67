"""What still works for an attacker, undetected: one test for each, so that nobody believes otherwise.

Each of these is named in docs/threat-model.md. When one of them fails, something got better: say so there.
"""

import hashlib
import http.server
import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select, update

from recovery.canonical import canonical_json
from recovery.crypto import Signer, generate_signing_key
from recovery.errors import DigestError, SetError
from recovery.hosts.local import LocalHost
from recovery.hosts.services import open_service
from recovery.installation import Installation
from recovery.keys_rotation import rotate_signing
from recovery.own_records import back_up_records
from recovery.rebuild import rebuild
from recovery.records import approvals, backups, ledger, ledger_heads, officials, schema
from recovery.sets import open_set, put_set, set_prefix
from recovery.settings import ServiceSettings, StoreSettings
from recovery.stores import open_store
from tests.recovery.key_office import CONTENT, KeyOffice
from tests.recovery.records.approval_office import EXECUTOR, KABID, NOW, STRANGER, Office, code_of, office_in
from tests.recovery.sabotage.proving import dump_of, encrypted, judge_loaded, load
from tests.recovery.sabotage.sqlite_cases import spoil, write_database
from tests.recovery.sabotage.test_bad_sets import DATA, QUALITY, manifest_of
from tests.recovery.sources.sqlite_databases import source_of
from tests.testbed.small_office import open_office

SIGNER = Signer.from_pem(generate_signing_key(), "of the tests")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with office_in(tmp_path) as opened:
        yield opened


def _findings(office: Office) -> list[str]:
    with office.catalog.read() as connection:
        return ledger.verify(connection)


def _is_valid(office: Office) -> None:
    with office.catalog.read() as connection:
        approvals.still_valid(connection, "run-1", "restore.3", office.question().binding, office.key, now=NOW)


# --- root on the worker, and whoever runs code there ------------------------------------------------------------------


def test_the_enrolment_key_forges_an_approval_that_nothing_tells_from_a_real_one(office: Office) -> None:
    request = office.ask()
    with office.catalog.read() as connection:
        secret = officials.secret_of(connection, KABID, office.key)
    assert secret is not None
    decision = office.answer(request, nip=KABID, code=code_of(secret, NOW))
    assert (decision.nip, decision.method) == (KABID, "totp")
    _is_valid(office)
    assert _findings(office) == []


def test_the_signing_key_makes_a_set_that_is_believed_wherever_no_hash_is_recorded(tmp_path: Path) -> None:
    # Rebuilt from the store alone, an installation knows no hashes: only the catalog's record refuses the forged set.
    write_database(tmp_path / "asli.db")
    write_database(tmp_path / "palsu.db", person="Penyusup")
    real, forged = dump_of(source_of(tmp_path / "asli.db")), dump_of(source_of(tmp_path / "palsu.db"))
    (tmp_path / "disk").mkdir()
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    moment = "20261120t220003+0700"
    (tmp_path / QUALITY).write_bytes(b"{}")
    recorded = manifest_of(real, moment, encrypted(real.plain, tmp_path / "asli.age"), b"{}")
    manifest = manifest_of(forged, moment, encrypted(forged.plain, tmp_path / DATA), b"{}")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    put_set(store, prefix, {file: tmp_path / file for file in (DATA, QUALITY)}, manifest, SIGNER)
    known = {"application": "simpel", "component": "data"}
    assert open_set(store, prefix, SIGNER.public_pem, **known, manifest_sha256=None).manifest == manifest
    with pytest.raises(DigestError, match="is not the one that was recorded"):
        open_set(store, prefix, SIGNER.public_pem, **known, manifest_sha256=recorded.sha256)


def test_root_with_the_signing_key_rewrites_the_ledger_and_its_heads_in_a_directory_store(
    office: Office, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    office.answer(office.ask())
    ledger_heads.anchor(office.catalog, store, SIGNER)
    # An answer is turned into its contrary, the chain is computed anew, and the head is put again.
    with office.catalog.begin() as connection:
        _drop_triggers(connection)
        _rewrite_ledger(connection, "disetujui", "ditolak")
    shutil.rmtree(tmp_path / "disk" / "buku-besar")
    ledger_heads.anchor(office.catalog, store, SIGNER)
    with office.catalog.read() as connection:
        assert ledger.verify(connection, ledger_heads.read_heads(store, SIGNER.public_pem)) == []


def test_root_deletes_a_set_from_a_directory_store_and_only_looking_there_shows_it(tmp_path: Path) -> None:
    write_database(tmp_path / "asli.db")
    real = dump_of(source_of(tmp_path / "asli.db"))
    (tmp_path / "disk").mkdir()
    (tmp_path / QUALITY).write_bytes(b"{}")
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    manifest = manifest_of(real, "20261120t220003+0700", encrypted(real.plain, tmp_path / DATA), b"{}")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    put_set(store, prefix, {file: tmp_path / file for file in (DATA, QUALITY)}, manifest, SIGNER)
    shutil.rmtree(tmp_path / "disk" / prefix)
    store.check()
    assert list(store.list("")) == []
    with pytest.raises(SetError, match="has no signed manifest"):
        open_set(store, prefix, SIGNER.public_pem, application="simpel", component="data", manifest_sha256=None)


# --- whoever writes into the catalog, without any key -----------------------------------------------------------------


def test_a_role_given_by_hand_in_the_catalog_counts(office: Office) -> None:
    office.refused(office.ask(), nip=EXECUTOR)
    with office.catalog.begin() as connection:
        connection.execute(update(schema.officials).where(schema.officials.c.nip == EXECUTOR).values(roles='["kabid"]'))
    later = NOW + timedelta(minutes=1)
    assert office.answer(office.ask(), nip=EXECUTOR, at=later).nip == EXECUTOR
    assert _findings(office) == []


def test_rows_beside_the_ledger_are_changed_by_hand_without_a_finding(office: Office) -> None:
    with office.catalog.begin() as connection:
        for number, name in enumerate(("lama", "baru")):
            _record_backup(connection, name, (NOW + timedelta(days=number)).isoformat())
    with office.catalog.begin() as connection:
        assert _newest(connection) == "simpel_data_full_baru"
        # An older backup, genuine and signed, is passed off as the newest one.
        moved = (NOW + timedelta(days=9)).isoformat(timespec="microseconds")
        connection.execute(update(schema.backups).where(schema.backups.c.id == "lama").values(moment=moved))
        connection.execute(update(schema.officials).values(failures=0, locked_until=None))
    with office.catalog.read() as connection:
        assert _newest(connection) == "simpel_data_full_lama"
    assert _findings(office) == []


def test_what_was_written_after_the_last_head_is_cut_off_without_a_finding(office: Office, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    head = ledger_heads.anchor(office.catalog, store, SIGNER)
    office.refused(office.ask(), code=office.wrong_code(KABID))
    with office.catalog.begin() as connection:
        _drop_triggers(connection)
        connection.execute(delete(schema.ledger).where(schema.ledger.c.sequence > head.sequence))
    with office.catalog.read() as connection:
        assert ledger.verify(connection, ledger_heads.read_heads(store, SIGNER.public_pem)) == []


# --- anybody with access to Prefect's API -----------------------------------------------------------------------------


def test_an_answer_exchanged_within_the_first_second_counts(office: Office) -> None:
    # The code stands readable in Prefect from the sending until the run has burnt it. Whoever exchanges the input
    # within one second decides with the official's own code; after that second it is refused.
    request = office.ask()
    office.refused(request, input_created_at=NOW + timedelta(seconds=1.1))
    after = NOW + timedelta(minutes=1)
    exchanged = office.answer(
        office.ask(),
        at=after,
        decision="ditolak",
        note="bukan kata Kabid",
        input_created_at=after + timedelta(seconds=0.9),
    )
    assert exchanged.decision == "ditolak"


def test_a_code_read_in_prefect_decides_another_request_when_it_gets_there_first(office: Office) -> None:
    office.procedure("run-2")
    code = office.code(KABID)
    stolen = office.answer(office.ask(procedure_id="run-2"), nip=KABID, code=code)
    assert stolen.procedure_id == "run-2"
    # What gives it away: the official's own answer is refused, because his code is burnt.
    office.refused(office.ask(), nip=KABID, code=code)
    assert office.rules_broken() == ["one_time_code_is_new"]


def test_anybody_who_can_send_the_form_locks_an_official_out(office: Office) -> None:
    for minute in range(5):
        at = NOW + timedelta(minutes=minute)
        office.refused(office.ask(now=at), code=office.wrong_code(KABID, at), at=at)
    late = NOW + timedelta(minutes=18)
    office.refused(office.ask(now=late), at=late)
    assert office.rules_broken()[-1] == "official_is_not_locked"
    assert office.answer(office.ask(now=late), at=NOW + timedelta(minutes=20)).nip == KABID


# --- the source itself ------------------------------------------------------------------------------------------------


def test_what_ransomware_did_to_the_source_is_backed_up_faithfully(tmp_path: Path) -> None:
    # A backup proves that it equals the source. That the source makes sense only an owner's own rules can say.
    path = tmp_path / "simpel.db"
    write_database(path)
    spoil(path, "UPDATE pegawai SET nama = hex(randomblob(20)), gaji = randomblob(8)")
    original = dump_of(source_of(path))
    scratch, copy = load(original, tmp_path / "scratch")
    assert judge_loaded(scratch, copy, original.expected, tmp_path / "scratch").state == "pass"


class _Impostor(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_whatever_answers_at_the_health_address_is_taken_for_the_application() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Impostor) as impostor:
        threading.Thread(target=impostor.serve_forever, daemon=True).start()
        port = impostor.server_port
        settings = ServiceSettings(
            name="web", kind="command", start=["true"], stop=["true"], health_url=f"http://127.0.0.1:{port}/", port=port
        )
        assert open_service(LocalHost(), settings).healthy()
        impostor.shutdown()


# --- personal data ----------------------------------------------------------------------------------------------------


def test_the_ledger_keeps_the_nip_of_who_decided_for_ever(office: Office) -> None:
    office.answer(office.ask())
    office.appoint(STRANGER, "kabid")
    assert office.entries("approval.decided")[0]["nip"] == KABID
    with closing(sqlite3.connect(office.catalog.title)) as connection:
        recorded = [json.loads(facts) for (facts,) in connection.execute("SELECT facts FROM ledger")]
    assert STRANGER in {facts.get("nip") for facts in recorded}


def _drop_triggers(connection: Connection) -> None:
    # They keep accidents away; whoever owns the catalog drops them.
    for action in ("update", "delete"):
        connection.exec_driver_sql(f"DROP TRIGGER ledger_no_{action}")


def _record_backup(connection: Connection, name: str, moment: str) -> None:
    backups.insert_staged(
        connection,
        backup_id=name,
        procedure_id="run-1",
        application="simpel",
        component="data",
        unit="bkd",
        kind="sqlite",
        moment=moment,
        staging="",
        facts={},
    )
    backups.mark_verified(connection, name, {})
    backups.mark_named(connection, name, f"simpel_data_full_{name}")
    backups.mark_secured(connection, name, "ab" * 32, ["utama"], "2027-11-20T15:00:03.000000+00:00")


def _newest(connection: Connection) -> str | None:
    found = backups.newest_verified(connection, "simpel", "data")
    return found.name if found else None


def _rewrite_ledger(connection: Connection, old: str, new: str) -> None:
    previous = ledger.NOTHING_BEFORE
    names = ("sequence", "at", "kind", "procedure_id", "step_id", "component", "facts", "previous")
    for row in connection.execute(select(schema.ledger).order_by(schema.ledger.c.sequence)).mappings().all():
        facts = row["facts"].replace(f'"{old}"', f'"{new}"')
        entry = {**{name: row[name] for name in names}, "facts": json.loads(facts), "previous": previous}
        entry_hash = hashlib.sha256(canonical_json(entry)).hexdigest()
        connection.execute(
            update(schema.ledger)
            .where(schema.ledger.c.sequence == row["sequence"])
            .values(facts=facts, previous=previous, hash=entry_hash)
        )
        previous = entry_hash


# --- a store that a rebuild has to believe ----------------------------------------------------------------------------


@pytest.fixture
def key_office(tmp_path: Path) -> Iterator[KeyOffice]:
    built = open_office(tmp_path / "office", running=False)
    yield KeyOffice(built)
    built.installation.catalog.dispose()


def test_a_store_that_was_put_back_to_an_earlier_day_is_rebuilt_without_a_finding(
    key_office: KeyOffice, tmp_path: Path
) -> None:
    installation, store = key_office.fresh(), tmp_path / "office" / "store"
    _conclude(installation)
    shutil.copytree(store, tmp_path / "earlier")
    key_office.back_up()
    _conclude(installation)
    settings = StoreSettings(name="utama", path=str(tmp_path / "earlier"))
    escrow = tmp_path / "office" / "keys" / "escrow"
    rebuilt = rebuild(settings, tmp_path / "new", installation.signer.fingerprint, escrow)
    assert (0, []) == (rebuilt.sets, rebuilt.unproven)


def _conclude(installation: Installation) -> None:
    ledger_heads.anchor(installation.catalog, installation.store("utama"), installation.signer)
    back_up_records(installation, "run")


def test_a_stolen_signing_key_counts_after_its_rotation_wherever_no_hash_is_recorded(key_office: KeyOffice) -> None:
    stolen = key_office.fresh().signer
    rotate_signing(key_office.fresh())
    assert stolen.fingerprint != key_office.fresh().signer.fingerprint
    key_office.back_up(stolen)
    assert CONTENT == key_office.restored(key_office.names[-1])
