"""What the approving official of a schedule is asked, and whose answer counts."""

import pytest

from recovery.procedures.approval_text import approval_markdown
from recovery.procedures.questions import question_of
from recovery.procedures.schedule_begin import begin_schedule, draw_up
from recovery.records.approval_requests import latest_request
from recovery.records.approvals import RefusedError
from tests.testbed.small_office import EXECUTOR, KABID, KADIS, SmallOffice

# Nothing here looks at the service.
WITHOUT_SERVICE = True


def test_the_document_is_shown_whole_and_only_the_named_official_decides(office: SmallOffice) -> None:
    """Whatever other officials' roles; and who rejects says why."""
    begin_schedule(office.installation, "run", "bulanan")
    drawn_up = draw_up(office.installation, "run")
    for nip, decision, complaint in (
        (KABID, "disahkan", "Permintaan ini hanya dapat diputuskan oleh pejabat yang ditetapkan untuknya."),
        (KADIS, "ditolak", "Catatan wajib diisi untuk keputusan ditolak."),
        (KADIS, "setuju", "Keputusan harus salah satu dari: disahkan, ditolak."),
    ):
        with pytest.raises(RefusedError) as refused:
            office.decide("schedule.approve", "run", nip, decision)
        assert complaint == refused.value.complaint
    with office.installation.catalog.read() as connection:
        asked = latest_request(connection, "run", "schedule.approve")
    assert asked is not None
    assert ("schedule-approve-percobaan-4", "open") == (asked.key, asked.state)
    text = approval_markdown(asked)
    for expected in (
        "## Jadwal Back Up",
        "**Pengesahan Jadwal Back Up**",
        "### Aplikasi 1: SIMPEL",
        "- **Komponen:** data; berkas",
        "- **Frekuensi dan waktu (WIB):** Bulanan; Pengaturan penjadwal (cron): 0 22 20 \\* \\*",
        "- **Retensi:** paling sedikit 365 hari",
        "- **Pelaksana:** Agus Teladan",
        f"- **Nomor dan versi:** {drawn_up.number} versi 1",
        "- **Menggantikan:** – (belum ada jadwal yang disahkan)",
        drawn_up.pdf_sha256[:16],
    ):
        assert expected in text
    question = question_of(office.installation, "run", "schedule.approve")
    assert {EXECUTOR} == question.excluded.keys()
    assert drawn_up.pdf_sha256 == question.binding["form_sha256"]


def test_the_next_version_says_what_it_replaces(office: SmallOffice) -> None:
    office.approve_schedule()
    schedules = office.installation.schedules
    schedules["bulanan"] = schedules["bulanan"].model_copy(update={"retention_days": 30})
    begin_schedule(office.installation, "run", "bulanan")
    drawn_up = draw_up(office.installation, "run")
    rows = dict(question_of(office.installation, "run", "schedule.approve").document["bagian"][-1]["baris"])
    assert f"{drawn_up.number} versi 2" == rows["Menggantikan"]
    assert f"{drawn_up.number} versi 3" == rows["Nomor dan versi"]
