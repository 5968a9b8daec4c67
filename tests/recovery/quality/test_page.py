"""The page that officials read."""

import pytest

from recovery.quality.verdict import Check, Verdict
from tests.recovery.quality.copies import check
from tests.recovery.quality.test_verdict import JUDGED_AT, verdict_of


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("pass", "# Hasil pemeriksaan backup: LULUS"),
        ("fail", "# Hasil pemeriksaan backup: GAGAL – hasil backup tidak sama dengan data asal"),
        ("error", "# Hasil pemeriksaan backup: GALAT – pemeriksa tidak dapat melihat"),
    ],
)
def test_the_first_line_is_the_verdict(state, word):
    assert word == verdict_of(check(state)).markdown().splitlines()[0]


def test_the_page_says_when_and_with_what_was_judged():
    page = verdict_of(check()).markdown("Uji")
    assert "Diperiksa Jumat, 20 November 2026 pukul 22.00.03 WIB dengan Great Expectations 1.24.1." in page


def test_of_many_tables_fifty_are_shown_and_the_bad_one_first():
    checks = [check(object=f"tabel_{number:03d}") for number in range(500)]
    page = verdict_of(*checks, check("fail", object="tabel_499", name="fingerprint")).markdown()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert 50 == len(rows)
    assert "| `tabel_499` | ❌ gagal | 1 | 1 | 1 | 0 | 0 |" == rows[0]
    assert "… dan 450 objek lain; semuanya tercatat dalam quality.json." in page
    assert "| 500 | 501 | 500 | 1 | 0 | 0 |" in page


def test_failures_are_told_in_words_and_successes_are_not():
    page = verdict_of(check(), check("fail", name="fingerprint"), check("error", name="expect_x")).markdown()
    assert "- ❌ gagal `tabel` **Sidik jari isi**: keterangan" in page
    assert "- ⚠️ galat `tabel` **Aturan pemilik: expect_x**: keterangan" in page
    assert "Rincian" not in verdict_of(check()).markdown()


def test_many_failures_are_cut_and_counted():
    page = verdict_of(*(check("fail", object=f"t{number}") for number in range(130))).markdown()
    assert 100 == sum(line.startswith("- ❌") for line in page.splitlines())
    assert "- … dan 30 lainnya; semuanya tercatat dalam quality.json." in page


def test_names_and_messages_cannot_break_the_page():
    bad = Check("fingerprint", "a|b`c\nd", "fail", "critical", "", "x | *y* <b>\n# z")
    page = Verdict.of([bad], {}, JUDGED_AT).markdown()
    assert "| `a\\|b c d` |" in page
    assert "x \\| \\*y\\* \\<b\\> # z" in page
