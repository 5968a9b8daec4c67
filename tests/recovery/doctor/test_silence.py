"""What is missing although nothing failed is heard, with or without a Prefect server, and told to the office once."""

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recovery.doctor.silence import listen
from recovery.guard.report import Alarm
from recovery.installation import Installation
from recovery.prefect_api import PrefectApi
from tests.recovery.doctor.conftest import open_ledger_at

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
GUARD = ("guard", "guard", "no round of it has ever come to its end in this catalog")


def heard(installation: Installation, api: PrefectApi | None, now: datetime) -> list[Alarm]:
    """What is heard of backups. No guard is at work here, which is heard each time."""
    alarms, _told = listen(installation, api, now)
    (guard,) = [alarm for alarm in alarms if alarm.kind == "guard"]
    assert GUARD == (guard.kind, guard.subject, guard.message)
    return [alarm for alarm in alarms if alarm is not guard]


def test_a_fresh_installation_has_no_proof_and_no_missed_schedule(whole: Installation) -> None:
    """What was due before there was a catalog was nobody's to do."""
    alarms = heard(whole, None, datetime.now(UTC))
    assert [("never", "simpel/data"), ("never", "simpel/berkas")] == [(alarm.kind, alarm.subject) for alarm in alarms]


def test_a_schedule_whose_time_passed_without_a_run_is_heard_from_the_catalog_alone(whole: Installation) -> None:
    """The server may look well, or not be there at all."""
    open_ledger_at(whole, NOW - timedelta(days=60))
    alarms = heard(whole, None, NOW)
    (silent,) = [alarm for alarm in alarms if alarm.kind == "silent"]
    assert "bulanan" == silent.subject
    assert "was due Jumat, 20 November 2026 pukul 22.00.00 WIB, and no run of it has begun since" == silent.message
    assert "pulih doctor" in silent.mend


def test_a_run_may_begin_an_hour_late(whole: Installation) -> None:
    """A busy worker is no silence."""
    open_ledger_at(whole, NOW - timedelta(days=20))
    due = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    silent = [
        [alarm.subject for alarm in heard(whole, None, due + late) if alarm.kind == "silent"]
        for late in (timedelta(minutes=59), timedelta(minutes=61))
    ]
    assert [[], ["bulanan"]] == silent


def test_a_schedule_that_is_valid_only_since_then_was_not_due(whole: Installation) -> None:
    """The day on which it was put into force is not the day on which it failed."""
    open_ledger_at(whole, NOW - timedelta(days=60))
    later = whole.schedules["bulanan"].model_copy(update={"valid_from": "2026-11-21"})
    alarms = heard(replace(whole, schedules={"bulanan": later}), None, NOW)
    assert ["never", "never"] == [alarm.kind for alarm in alarms]


def test_a_server_that_does_not_answer_is_heard_and_hides_nothing(whole: Installation) -> None:
    """A dead server is itself a silence."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        api = PrefectApi(f"http://127.0.0.1:{closed.getsockname()[1]}/api")
        alarms = heard(whole, api, datetime.now(UTC))
    assert ["never", "never", "scheduler"] == [alarm.kind for alarm in alarms]


def test_the_office_is_told_once_of_each(whole: Installation, tmp_path: Path) -> None:
    """Every minute the same would be read by nobody."""
    (tmp_path / "keys" / "notices").write_text(f"file://{tmp_path / 'told.txt'}")
    whole.office = whole.office.model_copy(update={"notice_targets": [f"file:{tmp_path / 'keys' / 'notices'}"]})
    now = datetime.now(UTC)
    assert 3 == listen(whole, None, now)[1]
    text = (tmp_path / "told.txt").read_text()
    assert text.startswith("Pulih: 3 hal perlu ditangani\n")
    assert "Peringatan: Belum pernah ada cadangan yang terverifikasi\nPerihal: simpel/data\n" in text
    assert "Peringatan: Penjaga Pulih (pulih guard) tidak berjalan atau selalu terhenti\n" in text
    assert 0 == listen(whole, None, now + timedelta(days=1))[1]
    assert text == (tmp_path / "told.txt").read_text()


def test_an_approval_that_cannot_be_looked_at_is_no_reason_to_be_silent(whole: Installation) -> None:
    """Here the schedule names an application that is gone from the inventory."""
    open_ledger_at(whole, NOW - timedelta(days=60))
    alarms = heard(replace(whole, applications={}), None, NOW)
    assert ["silent"] == [alarm.kind for alarm in alarms]
