"""Jadwal Back Up from the installation's settings."""

import json
from datetime import UTC, datetime

import pytest

from recovery.errors import NotFoundError
from recovery.procedures.schedule_document import render_schedule, schedule_facts
from tests.testbed.small_office import SmallOffice

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_the_schedule_names_applications_people_and_places(office: SmallOffice) -> None:
    """Everything that an approving official signs for."""
    text = json.dumps(schedule_facts(office.installation, "bulanan", NOW).to_json(), ensure_ascii=False)
    for expected in ("001/JBU/KOMINFO/I/2026", "SIMPEL", "Agus Teladan", "Siti Contoh", "paling sedikit 365 hari"):
        assert expected in text


def test_the_same_schedule_gives_the_same_bytes(office: SmallOffice) -> None:
    """One document, whenever it is printed."""
    first = render_schedule(office.installation, "bulanan", now=NOW)
    assert first.pdf == render_schedule(office.installation, "bulanan", now=NOW).pdf
    assert first.pdf.startswith(b"%PDF")


def test_an_unknown_schedule_is_named(office: SmallOffice) -> None:
    """With what there is."""
    with pytest.raises(NotFoundError, match="choose one of: bulanan"):
        render_schedule(office.installation, "tahunan")
