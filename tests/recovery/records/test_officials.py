"""Officials: their records, their period of office, and the secret of their device."""

import os
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from recovery.errors import ConfigurationError, ConflictError, KeyMissingError, NotFoundError
from recovery.records import officials, schema
from tests.recovery.records.approval_office import KABID, KADIS, NOW, STRANGER, Office, code_of, office_in


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with office_in(tmp_path) as office:
        yield office


def test_an_official_is_recorded_once_and_a_change_is_a_ledger_entry(office: Office) -> None:
    before = len(office.entries("official.recorded"))

    office.appoint(KABID, "kabid", name="Siti Contoh")
    assert len(office.entries("official.recorded")) == before

    office.appoint(KABID, "kabid", "kadis", name="Siti Contoh", acting="Plt.")
    assert office.official(KABID).roles == ("kabid", "kadis")
    assert office.official(KABID).title == "Plt. Jabatan Contoh"
    assert office.entries("official.recorded")[-1]["changed"] == ["acting", "roles"]


def test_names_and_contacts_stay_out_of_the_ledger_because_nothing_is_erased_from_it(office: Office) -> None:
    office.appoint(STRANGER, "kabid", name="Nama Rahasia", contact="env:KONTAK_RAHASIA")

    assert "Rahasia" not in str(office.entries("official.recorded"))
    assert "RAHASIA" not in str(office.entries("official.recorded"))


def test_recording_an_official_again_keeps_the_enrolment(office: Office) -> None:
    office.appoint(KABID, "kabid", name="Siti Contoh, S.Kom.")

    assert office.official(KABID).is_enrolled()
    assert officials.code_now(office.catalog, KABID, office.key, now=NOW) == office.code(KABID)


@pytest.mark.parametrize("day", ["20260101", "2026-13-01", "1 Januari 2026", "2026-W01-1"])
def test_a_period_of_office_that_is_no_plain_date_is_refused(office: Office, day: str) -> None:
    with pytest.raises(ConfigurationError, match=f"valid_until of the official {STRANGER} is '{day}', which is not a"):
        office.appoint(STRANGER, "kabid", valid_until=day)
    with pytest.raises(NotFoundError):
        office.official(STRANGER)


def test_both_ends_of_the_period_belong_to_it(office: Office) -> None:
    office.appoint(STRANGER, "kabid", valid_from="2026-11-01", valid_until="2026-11-30")
    official = office.official(STRANGER)

    assert [official.is_in_office(day) for day in ("2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01")] == [
        False,
        True,
        True,
        False,
    ]


def test_an_unknown_official_is_named_with_what_to_do(office: Office) -> None:
    with pytest.raises(NotFoundError, match=f"no official has the NIP {STRANGER}; nothing was changed\nHINT: add the"):
        office.official(STRANGER)
    with pytest.raises(NotFoundError):
        officials.enrol(office.catalog, STRANGER, office.key)
    with pytest.raises(NotFoundError):
        officials.revoke(office.catalog, STRANGER)


def test_officials_are_listed_by_nip(office: Office) -> None:
    with office.catalog.read() as connection:
        listed = [official.nip for official in officials.list_all(connection)]

    assert listed == sorted(listed)
    assert len(listed) == 4


def test_an_enrolment_is_shown_once_and_a_device_reads_it(office: Office) -> None:
    office.appoint(STRANGER, "kabid")
    enrolment = officials.enrol(office.catalog, STRANGER, office.key, now=NOW)

    assert enrolment.uri == f"otpauth://totp/Pulih:{STRANGER}?secret={enrolment.secret}&issuer=Pulih"
    assert officials.code_now(office.catalog, STRANGER, office.key, now=NOW) == code_of(enrolment.secret, NOW)
    assert enrolment.secret not in repr(enrolment)
    assert office.entries("official.enrolled")[-1] == {"nip": STRANGER, "renewed": False}


def test_no_secret_is_readable_in_the_catalog_or_the_ledger(office: Office) -> None:
    office.catalog.dispose()
    path = Path(str(office.catalog._url.database))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = path.read_bytes()
    database.close()

    assert KABID.encode() in content
    for secret in office.secrets.values():
        assert secret.encode() not in content


def test_a_second_enrolment_is_refused_because_somebody_else_would_hold_the_first_device(office: Office) -> None:
    with pytest.raises(ConflictError, match=f"the official {KABID} is already enrolled; the enrolment is as it was"):
        officials.enrol(office.catalog, KABID, office.key)

    assert officials.code_now(office.catalog, KABID, office.key, now=NOW) == office.code(KABID)


def test_a_renewed_enrolment_replaces_the_device_and_ends_a_revocation_and_a_lock(office: Office) -> None:
    old = office.secrets[KABID]
    officials.revoke(office.catalog, KABID, reason="mutasi", now=NOW)
    with pytest.raises(ConflictError, match=f"the official {KABID} was revoked"):
        officials.enrol(office.catalog, KABID, office.key)

    office.enrol(KABID, renew=True)

    assert old != office.secrets[KABID]
    assert office.official(KABID).is_enrolled()
    assert office.entries("official.enrolled")[-1] == {"nip": KABID, "renewed": True}


def test_a_revocation_destroys_the_secret_and_is_recorded_once(office: Office) -> None:
    officials.revoke(office.catalog, KABID, reason="mutasi", now=NOW)
    officials.revoke(office.catalog, KABID, reason="mutasi", now=NOW + timedelta(days=1))

    assert office.entries("official.revoked") == [{"nip": KABID, "reason": "mutasi"}]
    assert not office.official(KABID).is_enrolled()
    with office.catalog.read() as connection:
        query = select(schema.officials.c.secret).where(schema.officials.c.nip == KABID)
        assert connection.execute(query).scalar() is None
    with pytest.raises(NotFoundError, match=f"the official {KABID} is not enrolled"):
        officials.code_now(office.catalog, KABID, office.key)


def test_a_secret_is_bound_to_its_owner_and_cannot_be_moved_to_another_row(office: Office) -> None:
    table = schema.officials
    with office.catalog.begin() as connection:
        stolen = connection.execute(select(table.c.secret).where(table.c.nip == KADIS)).scalar()
        connection.execute(update(table).where(table.c.nip == KABID).values(secret=stolen))

    with pytest.raises(KeyMissingError, match=f"does not open the secret of the official {KABID}"):
        officials.code_now(office.catalog, KABID, office.key)


def test_another_key_opens_nothing_and_a_short_one_is_named(office: Office) -> None:
    with pytest.raises(KeyMissingError, match=f"the enrolment key does not open the secret of the official {KABID}"):
        officials.code_now(office.catalog, KABID, os.urandom(32))
    with pytest.raises(KeyMissingError, match="the enrolment key has 16 bytes, not 32"):
        officials.code_now(office.catalog, KABID, os.urandom(16))


def test_two_seals_of_one_secret_differ(office: Office) -> None:
    first, second = (officials.seal_secret("JBSWY3DPEHPK3PXP", KABID, office.key) for _ in range(2))

    assert first != second
    assert officials.open_secret(first, KABID, office.key) == officials.open_secret(second, KABID, office.key)


def test_the_enrolment_is_drawn_for_a_terminal_and_for_a_page() -> None:
    uri = f"otpauth://totp/Pulih:{KABID}?secret=JBSWY3DPEHPK3PXP&issuer=Pulih"
    lines = officials.qr_terminal(uri).splitlines()

    assert len(lines) > 15
    assert any(block in lines[5] for block in "▀▄█")
    assert officials.qr_svg(uri).startswith("<svg")
    assert "JBSWY3DPEHPK3PXP" not in officials.qr_svg(uri)
