"""The inventory: the example is valid, and every mistake is named by file, line and field, all at once."""

import textwrap
from pathlib import Path

import pytest

from recovery.errors import ConfigurationError
from recovery.inventory import Inventory, load_inventory

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deployments" / "inventory.example.yaml"
EXAMPLE_TEXT = EXAMPLE.read_text(encoding="utf-8")


def _errors(tmp_path: Path, *replacements: tuple[str, str], environment: dict[str, str] | None = None) -> list[str]:
    """Put mistakes into the example and return what is said about them, without the closing line."""
    text = EXAMPLE_TEXT
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "inventory.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_inventory(path, environment={} if environment is None else environment)
    lines = caught.value.message.splitlines()
    total = "1 error" if len(lines) == 2 else f"{len(lines) - 1} errors"
    assert f"{total} in {path}" == lines[-1]
    return lines[:-1]


def _line(text: str, occurrence: int = 1) -> int:
    return [number for number, line in enumerate(EXAMPLE_TEXT.splitlines(), 1) if text in line][occurrence - 1]


def test_the_example_is_valid() -> None:
    inventory = load_inventory(EXAMPLE, environment={})
    assert [each.name for each in inventory.applications] == ["simpeg", "perizinan"]
    assert inventory.schedules[0].cron == "0 22 * * *"


def test_the_example_documents_only_fields_that_exist_and_describes_a_whole_installation() -> None:
    installation = load_inventory(EXAMPLE, environment={}).installation()
    assert installation.application("simpeg").title == "Sistem Informasi Manajemen Kepegawaian"
    assert installation.schedule("bulanan").retention_days == 730
    assert sorted(installation.stores) == ["terpisah", "utama"]


def test_an_unknown_key_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    line = _line("retention_days")
    assert [
        f"inventory.yaml:{line}: schedules[0].retention_dayz: unknown key; did you mean 'retention_days'?"
    ] == _errors(tmp_path, ("retention_days", "retention_dayz"))


def test_a_duplicate_key_is_refused(tmp_path: Path) -> None:
    line = _line("kind: local")
    assert [f"inventory.yaml:{line}: hosts[0].kind: is written twice, in line {line} and {line + 1}"] == _errors(
        tmp_path, ("    kind: local\n", "    kind: local\n    kind: local\n")
    )


def test_all_errors_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    errors = _errors(
        tmp_path,
        ("state_directory: /var/lib/pulih", "state_directory: var/lib/pulih"),
        ("host: aplikasi", "host: apliksi"),
        ("path: /srv/simpeg/berkas", "path: srv/simpeg/berkas"),
        ("category: tinggi", "category: tingi"),
        ('cron: "0 22 * * *"', 'cron: "0 25 * * *"'),
        ('executor: "199001012015011001"', "executor: 199001012015011001"),
        ("    roles: [kadis]\n", ""),
    )
    assert [
        f"inventory.yaml:{_line('state_directory')}: office.state_directory: must be an absolute path",
        f"inventory.yaml:{_line('category')}: applications[0].category: "
        "must be one of 'strategis', 'tinggi' or 'rendah'; did you mean 'tinggi'?",
        f"inventory.yaml:{_line('/srv/simpeg/berkas')}: applications[0].components[1].path: must be an absolute path",
        f"inventory.yaml:{_line('executor')}: schedules[0].executor: must be text; put it in quotes",
        f"inventory.yaml:{_line('197003031995031003', 3)}: officials[0].roles: is missing",
    ] == errors


def test_a_mistake_in_one_application_does_not_hide_broken_rules_in_others(tmp_path: Path) -> None:
    errors = _errors(
        tmp_path,
        ("category: tinggi", "category: tingi"),
        ("store: utama\n", "store: uttama\n"),
        ("path: /srv/perizinan/perizinan.sqlite", "path: /var/lib/pulih/perizinan.sqlite"),
    )
    assert [
        f"inventory.yaml:{_line('category')}: applications[0].category: "
        "must be one of 'strategis', 'tinggi' or 'rendah'; did you mean 'tinggi'?",
        f"inventory.yaml:{_line('/srv/perizinan')}: applications[1].components[0].path: lies in the state directory "
        "(/var/lib/pulih); it can never be a restore target",
        f"inventory.yaml:{_line('store: utama')}: schedules[0].store: there is no store 'uttama'; "
        "known are terpisah, utama",
    ] == errors


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("host: aplikasi", "host: lain", "applications[0].host: there is no host 'lain'; known are aplikasi"),
        (
            "applications: [simpeg, perizinan]",
            "applications: [simpeg, perizinan, hilang]",
            "schedules[1].applications[2]: there is no application 'hilang'; known are perizinan, simpeg",
        ),
        (
            "applications: [simpeg, perizinan]",
            "applications: [simpeg, perizinan, simpeg]",
            "schedules[1].applications[2]: 'simpeg' is named twice",
        ),
        (
            "offsite_store: terpisah",
            "offsite_store: utama",
            "schedules[0].offsite_store: is the main store; a copy beside the first is no second copy",
        ),
        (
            'reviewer: "198002022005012002"',
            'reviewer: "198002022005012003"',
            "schedules[0].reviewer: there is no official with the NIP '198002022005012003'",
        ),
        (
            'reviewer: "198002022005012002"',
            'reviewer: "197003031995031003"',
            "schedules[0].reviewer: the official '197003031995031003' does not have the role 'kabid'",
        ),
        ("name: bulanan", "name: harian", "schedules[1].name: the name 'harian' is taken by schedules[0]"),
        (
            "name: bulanan",
            "name: di-luar-jadwal",
            "schedules[1].name: 'di-luar-jadwal' is reserved for backups out of schedule",
        ),
        (
            'approved_by: "197003031995031003"',
            'approved_by: "199001012015011001"',
            "schedules[0].approved_by: must not be the executor; nobody approves his own schedule",
        ),
        ("name: perizinan", "name: simpeg", "applications[1].name: the name 'simpeg' is taken by applications[0]"),
        (
            "- name: berkas",
            "- name: basis-data",
            "applications[0].components[1].name: the name 'basis-data' is taken by components[0]",
        ),
        (
            '- nip: "198002022005012002"',
            '- nip: "197003031995031003"',
            "officials[1].nip: the NIP '197003031995031003' is taken by officials[0]",
        ),
        (
            'cron: "0 22 * * *"',
            'cron: "0 25 * * *"',
            "schedules[0].cron: the hour '25' of the cron expression is not valid: 25 is not between 0 and 23",
        ),
        (
            'valid_from: "2026-01-05"',
            'valid_from: "5 Januari 2026"',
            "schedules[0].valid_from: must be a date such as 2026-11-20",
        ),
        (
            'valid_from: "2026-01-05"',
            'valid_from: "20260105"',
            "schedules[0].valid_from: must be a date such as 2026-11-20",
        ),
        (
            "    roles: [pemohon]",
            '    roles: [pemohon]\n    valid_from: "2026-02-01"\n    valid_until: "2026-01-31"',
            "officials[3].valid_until: lies before valid_from",
        ),
        (
            "        port: 8081\n",
            "        port: 8081\n        maintenance: {flag: /a, url: 'http://a/', texts: x}\n",
            "applications[0].services[0].maintenance.texts: unknown key; did you mean 'text'?",
        ),
        ("kind: local", "kind: jauh", "hosts[0].kind: must be one of 'local' or 'ssh'; known are local, ssh"),
        (
            "        port: 8081\n",
            "        port: 808100\n",
            "applications[0].services[0].port: must be between 1 and 65535",
        ),
        (
            "start: [/opt/perizinan/kendali, nyala]",
            "start: []",
            "applications[1].services[0].start: is missing; a service of kind 'command' needs it",
        ),
        (
            "health_url: http://127.0.0.1:8081/sehat",
            "health_url: 127.0.0.1:8081",
            "applications[0].services[0].health_url: must begin with http:// or https://",
        ),
        (
            "data_kind: Data kepegawaian",
            "suite: suites/hilang.yaml",
            "applications[0].components[0].suite: there is no file {folder}/suites/hilang.yaml",
        ),
        ("path: /srv/cadangan", "path: cadangan", "stores[0].path: must be an absolute path"),
        ("prefix: pulih", "prefix: ../pulih", "stores[0].prefix: must be a relative folder without '..'"),
        ("path: /mnt/cadangan-terpisah", "path: /srv/cadangan", "stores[1].path: is the same place as stores[0].path"),
        (
            "credential:signing-key",
            "rahasia-sekali",
            "keys.signing_key: must be a reference to a secret: file:/path, env:NAME or credential:NAME",
        ),
        ("credential:signing-key", "file:kunci.pem", "keys.signing_key: must name an absolute path: file:/…"),
        (
            "    roles: [pemohon]",
            "    roles: [pemohon]\n    contact: mailto://rahasia@contoh",
            "officials[3].contact: must be a reference to a secret: file:/path, env:NAME or credential:NAME",
        ),
        ("  working_days: kerja", "  backup_name: '{application}_{moment}'", "office.backup_name: "),
        (
            "  working_days: kerja",
            "  numbers: {backup: '{sequence}/FPB'}",
            "office.numbers.backup: must contain {{sequence}} and {{year}}, or numbers would repeat",
        ),
        (
            "  working_days: kerja",
            "  numbers: {backup: '{nomor}/{year}'}",
            "office.numbers.backup: is no valid pattern ('nomor'); fields: sequence, month_roman, month, year",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    errors = [error.split(": ", 1)[1] for error in _errors(tmp_path, (old, new))]
    assert any(error.startswith(expected.format(folder=tmp_path)) for error in errors), errors


def test_nobody_reviews_his_own_work(tmp_path: Path) -> None:
    assert "schedules[0].reviewer: must not be the executor; nobody reviews his own work" in [
        error.split(": ", 1)[1]
        for error in _errors(tmp_path, ('reviewer: "198002022005012002"', 'reviewer: "199001012015011001"'))
    ]


def test_a_month_without_a_backup_is_refused_because_the_sop_asks_for_one(tmp_path: Path) -> None:
    errors = _errors(tmp_path, ('cron: "0 23 1 * *"', 'cron: "0 23 31 * *"'))
    assert [
        f"inventory.yaml:{_line('name: perizinan')}: applications[1].name: no schedule backs 'perizinan' up "
        "in month 2, 4, 6, 9, 11; the SOP asks for one backup a month"
    ] == errors


def test_an_application_without_a_schedule_is_refused(tmp_path: Path) -> None:
    errors = _errors(tmp_path, ("applications: [simpeg, perizinan]", "applications: [simpeg]"))
    assert [error.split(": ", 2)[2] for error in errors] == [
        "no schedule backs 'perizinan' up in any month; the SOP asks for one backup a month"
    ]


def test_recipients_are_checked_and_escrow_is_a_second_key(tmp_path: Path) -> None:
    inventory = load_inventory(EXAMPLE, environment={})
    broken = inventory.keys.operations_recipient.replace("age1", "age1q")
    assert [error.split(": ", 1)[1] for error in _errors(tmp_path, (inventory.keys.operations_recipient, broken))] == [
        "keys.operations_recipient: is no age recipient (age1…)"
    ]
    assert [
        error.split(": ", 1)[1]
        for error in _errors(tmp_path, (inventory.keys.escrow_recipient, inventory.keys.operations_recipient))
    ] == ["keys.escrow_recipient: must not be the operations recipient; escrow is a second key"]


def test_a_value_in_the_place_of_a_secret_reference_is_never_repeated(tmp_path: Path) -> None:
    assert "rahasia-sekali" not in str(_errors(tmp_path, ("credential:enrolment-key", "rahasia-sekali")))


def test_paths_of_suites_are_relative_to_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "simpeg.yaml").write_text("expectations: []\n")
    text = EXAMPLE_TEXT.replace("data_kind: Data kepegawaian", "suite: suites/simpeg.yaml", 1)
    path = tmp_path / "inventory.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_inventory(path, environment={}).applications[0].components[0].suite == f"{tmp_path}/suites/simpeg.yaml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "inventory.yaml:1: the file is empty"),
        ("- 1\n", "inventory.yaml:1: must be a section with keys"),
        ("office: 1\n", "inventory.yaml:1: office: must be a section with keys"),
        ("hosts: aplikasi\n", "inventory.yaml:1: hosts: must be a list; write each entry with a dash"),
        ("hosts: []\n", "inventory.yaml:1: hosts: must have at least one entry"),
        ("offise: {}\n", "inventory.yaml:1: offise: unknown key; did you mean 'office'?"),
    ],
)
def test_a_file_that_is_no_inventory_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_inventory(path, environment={})
    assert expected in caught.value.message.splitlines()


def test_an_error_ends_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(EXAMPLE_TEXT.replace("host: aplikasi", "host: lain", 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_inventory(path, environment={})
    expected = f"""\
        inventory.yaml:{_line("host: aplikasi")}: applications[0].host: there is no host 'lain'; known are aplikasi
        1 error in {path}; nothing was changed
        HINT: correct the lines named above and run the command again"""
    assert textwrap.dedent(expected) == str(caught.value)


def test_the_inventory_refuses_fields_that_settings_do_not_have() -> None:
    assert Inventory.model_config["extra"] == "forbid"


def test_a_schedule_with_a_mistake_is_not_also_reported_as_missing(tmp_path: Path) -> None:
    errors = _errors(tmp_path, ("retention_days: 730", "retention_days: 0"))
    assert errors == [
        f"inventory.yaml:{_line('retention_days: 730')}: schedules[1].retention_days: "
        "should be greater than or equal to 1"
    ]


def test_a_retention_that_keeps_no_verified_set_is_refused(tmp_path: Path) -> None:
    """And a misspelt period is not a silent default."""
    errors = _errors(tmp_path, ("verified: 3", "verified: 0"), ("weekly: 4", "weeekly: 4"))
    assert errors == [
        f"inventory.yaml:{_line('verified: 3')}: schedules[0].retention.verified: should be greater than or equal to 1",
        f"inventory.yaml:{_line('weekly: 4')}: schedules[0].retention.weeekly: unknown key; did you mean 'weekly'?",
    ]


def test_the_time_at_which_destruction_is_drawn_up_is_a_cron_line(tmp_path: Path) -> None:
    """A wrong one would never run, or every minute."""
    (error,) = _errors(tmp_path, ('destruction_cron: "0 9 * * 1"', 'destruction_cron: "jam 9"'))
    assert error.startswith(f"inventory.yaml:{_line('destruction_cron')}: office.destruction_cron: ")
