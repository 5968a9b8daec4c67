"""The judge on real copies: a sound one passes, every kind of damage is told for what it is."""

import io
import json
import logging
import os
import shutil
import sqlite3
import time
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from recovery.errors import ConfigurationError
from recovery.hosts.local import LocalHost
from recovery.quality.judge import judge
from recovery.quality.results import DATABASE, DIRECTORY
from recovery.sources.base import Fingerprint
from recovery.sources.files import FilesSource
from tests.recovery.quality.copies import MOMENT, NIKS, Copy, measure, message_of, not_passed

PENDUDUK = "penduduk"
TOTALS = ("totals", DATABASE, "fail")
STRUCTURE = ("structure", DATABASE, "fail")


def suite_file(tmp_path: Path, *expectations: str, asset: str = PENDUDUK) -> Path:
    path = tmp_path / "aturan.yaml"
    path.write_text(f"name: s\nmeta: {{asset: {asset}}}\nexpectations:\n" + "".join(f"  - {e}\n" for e in expectations))
    return path


def test_a_sound_copy_passes_and_every_table_was_judged_for_structure_rows_and_content(copy: Copy):
    verdict = copy.judge()
    assert "pass" == verdict.state
    judged = {(check.name, check.object) for check in verdict.checks}
    for table in ("kecamatan", PENDUDUK, "Tabel Aneh; DROP", "catatan"):
        for name in ("structure", "row_count", "fingerprint", "orphans"):
            assert (name, table) in judged
    for name in ("tables", "indexes", "triggers", "views", "structure", "totals"):
        assert (name, DATABASE) in judged
    assert {"Great Expectations", "SQLAlchemy", "SQLite"} == set(verdict.engines)


def test_a_dollar_sign_in_a_path_is_no_variable(copy: Copy):
    assert "%24aneh" in copy.url
    assert "pass" == copy.judge(url=copy.url.replace("%24aneh", "$aneh")).state


def test_judging_leaves_the_copy_as_it_was(copy: Copy):
    before = (copy.path.read_bytes(), sorted(os.listdir(copy.path.parent)))
    copy.judge()
    assert before == (copy.path.read_bytes(), sorted(os.listdir(copy.path.parent)))


def test_one_changed_cell_fails_only_the_fingerprint(copy: Copy):
    copy.spoil('UPDATE "Tabel Aneh; DROP" SET "order" = \'dua\'')
    verdict = copy.judge()
    assert {("fingerprint", "Tabel Aneh; DROP", "fail")} == not_passed(verdict)
    expected = "isi berbeda dari data asal (yang berbeda: digest)"
    assert expected == message_of(verdict, "fingerprint", "Tabel Aneh; DROP")


def test_deleted_rows_fail_count_and_fingerprint(copy: Copy):
    copy.spoil(f"DELETE FROM penduduk WHERE nik IN ('{NIKS[0]}', '{NIKS[1]}', '{NIKS[2]}')")
    verdict = copy.judge()
    assert {("row_count", PENDUDUK, "fail"), ("fingerprint", PENDUDUK, "fail"), TOTALS} == not_passed(verdict)
    assert "37 baris ditemukan, seharusnya 40" == message_of(verdict, "row_count", PENDUDUK)
    assert "fail" == verdict.state


@pytest.mark.parametrize(
    ("statement", "check", "message"),
    [
        ("DROP INDEX penduduk_nama", "indexes", "tidak ada: penduduk_nama"),
        ("CREATE INDEX lain ON penduduk (lahir)", "indexes", "seharusnya tidak ada: lain"),
        ("DROP TRIGGER penduduk_diubah", "triggers", "tidak ada: penduduk_diubah"),
        ("DROP VIEW dewasa", "views", "tidak ada: dewasa"),
    ],
)
def test_what_lives_beside_the_tables_counts(copy: Copy, statement: str, check: str, message: str):
    copy.spoil(statement)
    verdict = copy.judge()
    assert {(check, DATABASE, "fail"), STRUCTURE} == not_passed(verdict) - {TOTALS}
    assert message == message_of(verdict, check, DATABASE)


def test_another_view_of_the_same_name_is_a_difference(copy: Copy):
    copy.spoil("DROP VIEW dewasa", "CREATE VIEW dewasa AS SELECT nik FROM penduduk")
    assert "berbeda: dewasa" == message_of(copy.judge(), "views", DATABASE)


def test_a_changed_column_fails_the_tables_structure(copy: Copy):
    copy.spoil("ALTER TABLE kecamatan ADD COLUMN kode TEXT")
    assert ("structure", "kecamatan", "fail") in not_passed(copy.judge())


def test_a_changed_setting_of_the_database_fails(copy: Copy):
    copy.spoil("PRAGMA user_version = 7")
    verdict = copy.judge()
    assert {STRUCTURE} == not_passed(verdict)
    assert "berbeda: user_version" == message_of(verdict, "structure", DATABASE)


def test_an_extra_table_fails(copy: Copy):
    copy.spoil("CREATE TABLE titipan (id INTEGER)")
    verdict = copy.judge()
    assert {("tables", DATABASE, "fail"), STRUCTURE, TOTALS} == not_passed(verdict)
    assert "seharusnya tidak ada: titipan" == message_of(verdict, "tables", DATABASE)


def test_a_missing_table_is_a_failure_and_not_an_error(copy: Copy):
    copy.spoil('DROP TABLE "Tabel Aneh; DROP"')
    verdict = copy.judge()
    assert "fail" == verdict.state
    assert 0 == verdict.counts["error"]
    missing = {(name, "Tabel Aneh; DROP", "fail") for name in ("structure", "row_count", "fingerprint")}
    others = {("tables", DATABASE, "fail"), STRUCTURE, ("orphans", "Tabel Aneh; DROP", "warning")}
    assert missing | others == not_passed(verdict) - {TOTALS}
    assert "tabel tidak ada; seharusnya berisi 1 baris" == message_of(verdict, "row_count", "Tabel Aneh; DROP")


def test_a_measurement_of_something_else_does_not_hide_the_copys_own_state(copy: Copy):
    sound = measure(copy.path)
    copy.spoil("DELETE FROM kecamatan WHERE id = 2", "DROP INDEX penduduk_nama")
    found = not_passed(copy.judge(measured=sound))
    assert {("row_count", "kecamatan", "fail"), ("indexes", DATABASE, "fail")} == found


def test_rows_without_a_parent_are_a_warning_about_the_source(tmp_path: Path, copy: Copy):
    copy.spoil("DELETE FROM kecamatan WHERE id = 1")
    verdict = Copy(copy.path, measure(copy.path)).judge()
    assert "pass" == verdict.state
    assert {("orphans", PENDUDUK, "warning")} == not_passed(verdict)
    assert "40 baris menunjuk induk yang tidak ada (mutu data asal)" == message_of(verdict, "orphans", PENDUDUK)


def test_a_foreign_key_that_sqlite_cannot_check_is_a_warning_too(copy: Copy):
    copy.spoil("CREATE TABLE anak (a TEXT REFERENCES penduduk (nama))", "INSERT INTO anak VALUES ('x')")
    verdict = Copy(copy.path, measure(copy.path)).judge()
    assert {("orphans", "anak", "warning")} == not_passed(verdict)
    assert "rancangan basis data asal" in message_of(verdict, "orphans", "anak")


def test_a_missing_copy_is_an_error_and_is_not_created(copy: Copy):
    measured = measure(copy.path)
    copy.path.unlink()
    verdict = copy.judge(measured=measured)
    assert "error" == verdict.state
    assert 0 == verdict.counts["fail"]
    assert not copy.path.exists()
    assert any("unable to open database file" in check.message for check in verdict.checks)


def test_a_directory_in_place_of_the_database_is_an_error(copy: Copy, tmp_path: Path):
    measured = measure(copy.path)
    verdict = copy.judge(url=f"sqlite:///file:{tmp_path}?mode=ro&uri=true", measured=measured)
    assert "error" == verdict.state
    assert 0 == verdict.counts["fail"]


def test_a_copy_that_somebody_keeps_locked_is_an_error(copy: Copy):
    measured = measure(copy.path)
    with closing(sqlite3.connect(copy.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        url = copy.url.replace("&immutable=1", "&timeout=0.1")
        verdict = copy.judge(url=url, measured=measured)
    assert "error" == verdict.state
    assert 0 == verdict.counts["fail"]
    assert any("database is locked" in check.message for check in verdict.checks)
    assert "selebihnya tidak diperiksa, karena salinan tidak dapat dibaca" == message_of(verdict, "rest", DATABASE)


def test_a_file_that_is_no_database_is_a_failure(copy: Copy):
    measured = measure(copy.path)
    copy.path.write_bytes(b"x" * 8192)
    verdict = copy.judge(measured=measured)
    assert "fail" == verdict.state
    assert "berkas basis data rusak, isinya tidak dapat dibaca" == message_of(verdict, "tables", DATABASE)


def test_a_truncated_file_never_passes(copy: Copy):
    measured = measure(copy.path)
    content = copy.path.read_bytes()
    for length in (0, 50, 100, 4096, len(content) - 4096):
        copy.path.write_bytes(content[:length])
        assert "fail" == copy.judge(measured=measured).state, length


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:////tmp/x.db", "a copy is judged through a read-only connection only"),
        ("sqlite:///file:/tmp/x.db?mode=rwc&uri=true", "a copy is judged through a read-only connection only"),
        ("oracle://localhost/x", "copies on oracle cannot be judged"),
        ("omong kosong", "the address of the copy is no SQLAlchemy URL"),
    ],
)
def test_a_wrong_url_is_refused_before_anything_is_judged(copy: Copy, url: str, message: str):
    with pytest.raises(ConfigurationError) as caught:
        copy.judge(url=url, measured=copy.expected)
    assert (message, "nothing was judged") == (caught.value.message, caught.value.state)


def test_fingerprints_of_an_unknown_kind_are_refused(copy: Copy):
    strange = Fingerprint("pita", {}, {}, {})
    with pytest.raises(ConfigurationError, match="copies of kind pita cannot be judged"):
        judge(copy.url, strange, strange, suite=None, moment=MOMENT)


def test_owners_rules_are_judged_with_their_own_severity(copy: Copy, tmp_path: Path):
    suite = suite_file(
        tmp_path,
        "{type: expect_column_values_to_match_regex, kwargs: {column: nik, regex: '^[0-9]{16}$'}}",
        "{type: expect_column_values_to_be_in_set, kwargs: {column: saldo, value_set: [1]}, severity: warning,"
        " notes: Saldo harus 1}",
        "{type: expect_column_values_to_be_null, kwargs: {column: nama}}",
    )
    verdict = copy.judge(suite)
    assert {
        ("expect_column_values_to_be_in_set (saldo)", PENDUDUK, "warning"),
        ("expect_column_values_to_be_null (nama)", PENDUDUK, "fail"),
    } == not_passed(verdict)
    assert "fail" == verdict.state
    said = message_of(verdict, "expect_column_values_to_be_in_set (saldo)", PENDUDUK)
    assert "Saldo harus 1 (40 dari 40 baris)" == said


def test_the_day_of_a_rule_is_the_backups_day_in_wib_and_not_today(copy: Copy, tmp_path: Path):
    copy.spoil("DROP TRIGGER penduduk_diubah", "UPDATE penduduk SET lahir = '2026-11-20'")
    rule = "{type: expect_column_values_to_be_between, kwargs: {column: lahir, %s: {$PARAMETER: hari_ini}}}"
    expected = measure(copy.path)
    for bound, moment, state in (
        ("max_value", "2026-11-19T16:59:59+00:00", "fail"),
        ("max_value", "2026-11-19T17:00:00+00:00", "pass"),
        ("min_value", "2026-11-20T16:59:59+00:00", "pass"),
        ("min_value", "2026-11-20T17:00:00+00:00", "fail"),
    ):
        suite = suite_file(tmp_path, rule % bound)
        verdict = judge(copy.url, expected, expected, suite=suite, moment=MOMENT.fromisoformat(moment))
        assert state == verdict.state, (bound, moment)


@pytest.mark.parametrize(
    "rule",
    [
        "{type: expect_column_values_to_be_unique, kwargs: {column: tidak_ada}}",
        '{type: unexpected_rows_expectation, kwargs: {unexpected_rows_query: "SELECT salah FROM {batch}"}}',
    ],
)
def test_a_rule_that_cannot_be_asked_is_an_error_and_not_a_failure(copy: Copy, tmp_path: Path, rule: str):
    sound = "{type: expect_column_values_to_be_unique, kwargs: {column: nik}}"
    verdict = copy.judge(suite_file(tmp_path, rule, sound))
    assert ("error", 0, 1) == (verdict.state, verdict.counts["fail"], verdict.counts["error"])
    assert "tidak dapat diperiksa: " in verdict.checks[0].message


def test_a_rule_on_a_table_that_is_not_there_is_an_error(copy: Copy, tmp_path: Path):
    rule = "{type: expect_column_values_to_be_unique, kwargs: {column: nik}}"
    verdict = copy.judge(suite_file(tmp_path, rule, asset="tidak_ada"))
    assert {("suite", "tidak_ada", "error")} == not_passed(verdict)


def test_rules_may_judge_views_and_tables_with_strange_names(copy: Copy, tmp_path: Path):
    view = "{type: expect_column_values_to_be_unique, kwargs: {column: nik}}"
    assert "pass" == copy.judge(suite_file(tmp_path, view, asset="dewasa")).state
    strange = "{type: expect_column_values_to_be_unique, kwargs: {column: ID}}"
    assert "pass" == copy.judge(suite_file(tmp_path, strange, asset='"Tabel Aneh; DROP"')).state


def test_a_wrong_suite_is_refused_before_anything_is_judged(copy: Copy, tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"aturan.yaml:4: expectations\[0\].type: there is no expectation"):
        copy.judge(suite_file(tmp_path, "{type: expect_nothing, kwargs: {}}"))


def test_a_rule_cannot_write(copy: Copy, tmp_path: Path):
    before = copy.path.read_bytes()
    query = "WITH x AS (SELECT 1) DELETE FROM penduduk -- {batch}"
    rule = f'{{type: unexpected_rows_expectation, kwargs: {{unexpected_rows_query: "{query}"}}}}'
    verdict = copy.judge(suite_file(tmp_path, rule))
    assert "error" == verdict.state
    assert before == copy.path.read_bytes()


PRYING_RULES = (
    "{type: expect_column_values_to_be_in_set, kwargs: {column: nik, value_set: ['1']}, severity: warning}",
    "{type: expect_column_values_to_match_regex, kwargs: {column: nama, regex: '^x$', result_format: COMPLETE}}",
    "{type: expect_column_max_to_be_between, kwargs: {column: nik, max_value: '1'}}",
    "{type: expect_column_min_to_be_between, kwargs: {column: nik, max_value: '1'}}",
    "{type: expect_column_distinct_values_to_be_in_set, kwargs: {column: nik, value_set: ['1']}}",
    "{type: expect_column_distinct_values_to_equal_set, kwargs: {column: nama, value_set: ['1']}}",
    "{type: expect_column_most_common_value_to_be_in_set, kwargs: {column: nik, value_set: ['1']}}",
    "{type: expect_column_value_lengths_to_equal, kwargs: {column: nik, value: 3}}",
    "{type: expect_column_pair_values_to_be_equal, kwargs: {column_A: nik, column_B: nama}}",
    "{type: expect_compound_columns_to_be_unique, kwargs: {column_list: [lahir, kecamatan_id]}}",
    '{type: unexpected_rows_expectation, kwargs: {unexpected_rows_query: "SELECT nik, nama FROM {batch}"}}',
    '{type: unexpected_rows_expectation, kwargs: {unexpected_rows_query: "SELECT json(nama) FROM {batch}"}}',
)


def test_no_personal_datum_reaches_result_page_log_or_terminal(copy: Copy, tmp_path: Path, capfd):
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        # Every kind of damage at once, so that every message is made.
        copy.spoil(f"DELETE FROM penduduk WHERE nik = '{NIKS[0]}'", "UPDATE penduduk SET saldo = -1")
        verdict = copy.judge(suite_file(tmp_path, *PRYING_RULES))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "fail" == verdict.state
    assert len(PRYING_RULES) - 1 <= sum(check.name.startswith(("expect_", "unexp")) for check in verdict.checks)
    output = capfd.readouterr()
    everything = json.dumps(verdict.to_json()) + verdict.markdown() + log.getvalue() + output.out + output.err
    assert not [nik for nik in NIKS if nik in everything]
    assert "Orang" not in everything
    assert ("", "") == (output.out, output.err)


def test_nothing_is_logged_or_warned_and_the_settings_of_the_process_come_back(copy: Copy, caplog):
    log = logging.getLogger("great_expectations")
    before = (log.level, log.propagate, log.handlers[:], list(warnings.filters))
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inner = list(warnings.filters)
        copy.judge()
        assert inner == list(warnings.filters)
    assert before == (log.level, log.propagate, log.handlers[:], list(warnings.filters))
    assert not caught
    assert ["recovery.quality.judge"] == [r.name for r in caplog.records if not r.name.startswith("asyncio")]


def tree_with_copy(tmp_path: Path) -> tuple[FilesSource, str, Fingerprint]:
    root = tmp_path / "unggahan"
    (root / "2026" / "dinkes").mkdir(parents=True)
    (root / "2026" / "dinkes" / "SK – André.txt").write_text("isi")
    (root / "2025").mkdir()
    (root / "2025" / "a.pdf").write_bytes(b"%PDF" + bytes(500))
    (root / "lepas.txt").write_text("lepas")
    (root / "tautan").symlink_to("2026")
    source = FilesSource(LocalHost(), str(root))
    expected = source.fingerprint()
    copy = source.beside("proof")
    shutil.copytree(root, copy, symlinks=True)
    for directory, names, files in os.walk(root):
        for name in (*names, *files):
            original = Path(directory, name)
            other = Path(copy, original.relative_to(root))
            shutil.copystat(original, other, follow_symlinks=False)
    shutil.copystat(root, copy)
    return source, copy, expected


def judge_tree(source: FilesSource, copy: str, expected: Fingerprint, tmp_path: Path, suite: Path | None = None):
    url = source.judge_url(copy, tmp_path)
    return judge(url, expected, source.fingerprint(copy), suite=suite, moment=MOMENT)


def test_a_sound_tree_passes_with_every_first_level_directory_judged(tmp_path: Path):
    source, copy, expected = tree_with_copy(tmp_path)
    suite = suite_file(
        tmp_path,
        "{type: expect_column_values_to_be_in_set, kwargs: {column: extension, value_set: ['', pdf, txt]}}",
        asset="berkas",
    )
    verdict = judge_tree(source, copy, expected, tmp_path, suite)
    assert set() == not_passed(verdict)
    judged = {(check.name, check.object) for check in verdict.checks}
    assert {("fingerprint", "2025"), ("fingerprint", "2026"), ("fingerprint", "."), ("row_count", DIRECTORY)} <= judged


def test_a_changed_a_missing_and_an_extra_file_fail(tmp_path: Path):
    source, copy, expected = tree_with_copy(tmp_path)
    Path(copy, "2025", "a.pdf").write_bytes(b"%PDF" + bytes(499) + b"x")
    Path(copy, "lepas.txt").unlink()
    Path(copy, "2027").mkdir()
    found = not_passed(judge_tree(source, copy, expected, tmp_path))
    assert {("fingerprint", "2025", "fail"), ("fingerprint", ".", "fail"), ("totals", DIRECTORY, "fail")} <= found
    assert ("fingerprint", "2026", "fail") not in found


def test_a_listing_that_lost_rows_fails_even_if_the_measurement_is_right(tmp_path: Path):
    source, copy, expected = tree_with_copy(tmp_path)
    url = source.judge_url(copy, tmp_path)
    with closing(sqlite3.connect(tmp_path / "listing.sqlite")) as connection, connection:
        connection.execute("DELETE FROM berkas WHERE path LIKE '%a.pdf'")
    verdict = judge(url, expected, expected, suite=None, moment=MOMENT)
    assert {("row_count", DIRECTORY, "fail"), ("size", DIRECTORY, "fail")} == not_passed(verdict)


def test_owners_that_only_root_could_measure_are_an_error_and_not_a_failure(tmp_path: Path):
    source, copy, expected = tree_with_copy(tmp_path)
    known = {name: {**entry, "owners": "0" * 32} for name, entry in expected.objects.items()}
    unknown = {name: {**entry, "owners": None} for name, entry in expected.objects.items()}
    by_root = Fingerprint("files", known, expected.structure, expected.totals)
    by_worker = Fingerprint("files", unknown, expected.structure, expected.totals)
    url = source.judge_url(copy, tmp_path)
    verdict = judge(url, by_root, by_worker, suite=None, moment=MOMENT)
    assert {("owners", name, "error") for name in known} == not_passed(verdict)
    assert "pass" == judge(url, by_worker, by_root, suite=None, moment=MOMENT).state


@pytest.mark.slow
def test_five_hundred_tables_are_judged_quickly(tmp_path: Path):
    path = tmp_path / "besar.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        for number in range(500):
            connection.execute(f"CREATE TABLE tabel_{number} (id INTEGER PRIMARY KEY, nama TEXT, nilai INTEGER)")
            connection.execute(f"INSERT INTO tabel_{number} (nama) VALUES ('a'), ('b')")
    copy = Copy(path, measure(path))
    measured = measure(path)
    begin = time.process_time()
    verdict = copy.judge(measured=measured)
    assert ("pass", 2006) == (verdict.state, verdict.counts["checks"])
    # Promised are 60 seconds; measured were 3, and 5 more for the import when this is the first test to run.
    assert 30 > time.process_time() - begin
