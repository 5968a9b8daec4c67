"""Berita Acara Gladi Restore: the three verdicts are told apart, and nothing is drilled without a component."""

import json
from typing import Any

import pytest

from recovery.errors import FormError
from recovery.forms.drill import DrilledComponent, DrillForm, build
from recovery.forms.model import Document, Letterhead, Official

DOCUMENT = Document(
    number="001/BAG/KOMINFO/XI/2026",
    created_at="2026-11-22T15:00:00+00:00",
    letterhead=Letterhead(government="PEMERINTAH KABUPATEN TRENGGALEK", office="DINAS KOMINFO"),
)


def form(*verdicts: str) -> DrillForm:
    moment = "2026-11-22T15:00:00+00:00"
    entry: dict[str, Any] = {"application": "SIMPEL", "component": "data", "begun_at": moment, "ended_at": moment}
    return DrillForm(
        basis="Jadwal bulanan",
        started_at=moment,
        ended_at=moment,
        execution_id="one",
        components=tuple(DrilledComponent(**entry, verdict=verdict) for verdict in verdicts),
        executor=Official(name="Agus Teladan"),
        reviewer=Official(name="Siti Contoh"),
    )


def test_each_verdict_has_its_word_and_its_follow_up() -> None:
    text = json.dumps(build(DOCUMENT, form("pass", "fail", "error")).to_json(), ensure_ascii=False)
    assert "1 dari 3 komponen LULUS\\nSIMPEL – data: GAGAL\\nSIMPEL – data: TIDAK DAPAT DIPERIKSA" in text
    assert "dibuat cadangan baru" in text and "lalu gladi restore diulang" in text
    text = json.dumps(build(DOCUMENT, form("pass")).to_json(), ensure_ascii=False)
    assert "dibuat cadangan baru" not in text and "lalu gladi restore diulang" not in text


def test_a_drill_of_nothing_or_with_an_unknown_verdict_is_no_form() -> None:
    with pytest.raises(FormError, match="a drill needs at least one component"):
        build(DOCUMENT, form())
    with pytest.raises(FormError, match="'lulus' is not the verdict of a drill"):
        build(DOCUMENT, form("lulus"))
