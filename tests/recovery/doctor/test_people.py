"""Roles without anybody, officials without a device, and a catalog that cannot be used are found."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import update

from recovery.doctor import examine, people
from recovery.installation import Installation
from recovery.records import officials, schema
from recovery.settings import OfficialSettings
from tests.recovery.doctor.conftest import only
from tests.testbed.small_office import EXECUTOR, KABID, KADIS


def test_an_official_without_a_device_is_a_warning(installation: Installation) -> None:
    """The mend is the command to type."""
    officials.revoke(installation.catalog, EXECUTOR, reason="uji")
    trouble = only(installation, f"official {EXECUTOR}")
    assert ("warning", "has no enrolled device", f"pulih official enrol {EXECUTOR}") == (
        trouble.state,
        trouble.message,
        trouble.mend,
    )


def test_a_role_that_nobody_in_office_has_is_a_problem(installation: Installation) -> None:
    """Runs would wait for an answer that nobody can give."""
    with installation.catalog.begin() as connection:
        settings = OfficialSettings(
            nip=KABID, name="Siti", position="Kabid", unit="kominfo", roles=["kabid"], valid_until="2020-12-31"
        )
        officials.put(connection, settings)
    assert ("problem", "no official in office has it") == (
        (trouble := only(installation, "role kabid")).state,
        trouble.message,
    )
    assert "is not in office today" == only(installation, f"official {KABID}").message


def test_a_catalog_of_another_release_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    """Nothing is read from it, and the other looks still happen."""
    connection = sqlite3.connect(tmp_path / "state" / "catalog.sqlite")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "was written by a later release (schema 9999)" in only(installation, "catalog").message


def test_an_office_that_counts_all_days_needs_no_holidays(installation: Installation) -> None:
    """It would be warned of a table that nothing looks at."""
    installation.office = installation.office.model_copy(update={"working_days": "kalender"})
    assert "holidays" not in {each.subject for each in examine(installation, None)}


def test_a_year_without_a_holiday_table_is_a_warning(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deadlines would fall on holidays."""
    monkeypatch.setattr(people, "_today", lambda: "2030-01-02")
    trouble = only(installation, "holidays")
    assert trouble.message.startswith("there is no holiday table for 2030: ")
    assert "add one with `python -m recovery.holiday_tables.generate 2030`" == trouble.mend


def test_an_office_without_notice_targets_is_a_warning(installation: Installation) -> None:
    """The guard would raise alarms that nobody hears."""
    installation.office = installation.office.model_copy(update={"notice_targets": []})
    assert "the office has none, so nobody is told of an alarm" == only(installation, "notice targets").message


def test_a_notice_target_or_a_contact_that_cannot_be_read_is_a_problem(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its credential has no file, and the unit was given an empty one in its place."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for name, content in (
        ("dinas", "mailtos://contoh\n"),
        ("cadangan", "\n"),
        ("kadis", "\n"),
        ("kabid", "json://contoh"),
    ):
        (tmp_path / name).write_text(content)
    targets = ["credential:dinas", "credential:cadangan"]
    installation.office = installation.office.model_copy(update={"notice_targets": targets})
    with installation.catalog.begin() as connection:
        for nip, contact in ((KADIS, "credential:kadis"), (KABID, "credential:kabid")):
            connection.execute(update(schema.officials).where(schema.officials.c.nip == nip).values(contact=contact))
    missing = "is empty: its file is not there, or nothing is in it"
    for subject, reference in (
        ("notice target credential:cadangan", "credential:cadangan"),
        (f"contact of {KADIS}", "credential:kadis"),
    ):
        trouble = only(installation, subject)
        assert ("problem", f"the secret {reference} {missing}") == (trouble.state, trouble.message)
        assert "put the file where that says" in trouble.mend
    found = {finding.subject: finding.state for finding in examine(installation, None)}
    assert "ok" == found["notice target credential:dinas"]
    assert f"contact of {KABID}" not in found
