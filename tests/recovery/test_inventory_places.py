"""Places in the inventory: nothing that a restore depends on can be a restore target."""

from pathlib import Path

import pytest

from recovery.errors import ConfigurationError
from recovery.inventory import load_inventory
from recovery.inventory_places import protected_places

EXAMPLE = Path(__file__).parents[2] / "deployments" / "inventory.example.yaml"
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


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/simpeg/data/simpeg.sqlite", "is the same place as applications[0].components[0].path"),
        ("/srv/simpeg/../simpeg/data", "holds applications[0].components[0].path"),
        ("/srv/simpeg/berkas/perizinan.sqlite", "lies in applications[0].components[1].path"),
        (
            "/var/lib/pulih/catalog.sqlite",
            "lies in the state directory (/var/lib/pulih); it can never be a restore target",
        ),
        ("/var/lib", "holds the state directory (/var/lib/pulih); it can never be a restore target"),
        ("/srv/cadangan/pulih", "lies in the store 'utama' (/srv/cadangan); it can never be a restore target"),
        ("/opt/prefect/prefect.db", "lies in Prefect's home (/opt/prefect); it can never be a restore target"),
        (
            "/data/prefect.db",
            "is the same place as Prefect's database (/data/prefect.db); it can never be a restore target",
        ),
        ("/etc", "holds the key file of signing_key (/etc/pulih/kunci.pem); it can never be a restore target"),
        (
            "/data/katalog.db",
            "is the same place as the catalog and ledger (/data/katalog.db); it can never be a restore target",
        ),
    ],
)
def test_a_component_that_overlaps_with_something_vital_is_refused(tmp_path: Path, path: str, expected: str) -> None:
    reference = tmp_path / "katalog-url"
    reference.write_text("sqlite:////data/katalog.db\n")
    errors = _errors(
        tmp_path,
        ("credential:signing-key", "file:/etc/pulih/kunci.pem"),
        ("working_days: kerja", f"catalog: file:{reference}"),
        ("path: /srv/perizinan/perizinan.sqlite", f"path: {path}"),
        environment={
            "PREFECT_HOME": "/opt/prefect",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:////data/prefect.db",
        },
    )
    line = _line("/srv/perizinan")
    assert f"inventory.yaml:{line}: applications[1].components[0].path: {expected}" in errors


@pytest.mark.parametrize("url", ["", "postgresql://pulih@/pulih\n"])
def test_a_catalog_that_is_no_file_here_overlaps_with_nothing(tmp_path: Path, url: str) -> None:
    """Its reference may name a file of the worker alone; elsewhere the inventory can still be reviewed."""
    reference = tmp_path / "katalog-url"
    if url:
        reference.write_text(url)
    text = EXAMPLE_TEXT.replace("working_days: kerja", f"catalog: file:{reference}", 1)
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    office = load_inventory(tmp_path / "inventory.yaml", environment={}).office
    assert "the catalog and ledger" not in protected_places(office, None, {})


def test_a_symbolic_link_does_not_hide_an_overlap(tmp_path: Path) -> None:
    (tmp_path / "tautan").symlink_to("/var/lib/pulih")
    errors = _errors(tmp_path, ("path: /srv/perizinan/perizinan.sqlite", f"path: {tmp_path}/tautan/catalog.sqlite"))
    assert [error.split(": ")[2].split(" (")[0] for error in errors] == ["lies in the state directory"]


def test_two_folders_of_one_directory_are_no_two_places(tmp_path: Path) -> None:
    errors = _errors(
        tmp_path, ("path: /mnt/cadangan-terpisah\n    prefix: pulih", "path: /srv/cadangan\n    prefix: lain")
    )
    assert [error.split(": ", 1)[1] for error in errors] == [
        "schedules[0].offsite_store: lies in the same directory as the main store",
        "schedules[1].offsite_store: lies in the same directory as the main store",
    ]
    errors = _errors(
        tmp_path, ("path: /mnt/cadangan-terpisah\n    prefix: pulih", "path: /srv/cadangan/luar\n    prefix: lain")
    )
    assert [error.split(": ", 1)[1] for error in errors] == [
        "schedules[0].offsite_store: lies in the directory of the main store",
        "schedules[1].offsite_store: lies in the directory of the main store",
    ]


def test_the_hours_of_a_drill_are_read_like_those_of_a_schedule(tmp_path: Path) -> None:
    (error,) = _errors(tmp_path, ('cron: "0 9 15 * *"', 'cron: "0 25 15 * *"'))
    assert "schedules[1].drill.cron: the hour '25' of the cron expression is not valid" in error


def test_prefects_database_that_is_backed_up_is_no_restore_target(tmp_path: Path) -> None:
    """Of whatever kind; and neither is a database of a server that has its name."""
    reference = tmp_path / "prefect-url"
    reference.write_text("sqlite+aiosqlite:////data/prefect.db\n")
    named = ("credential:prefect-database", f"file:{reference}")
    (error,) = _errors(tmp_path, named, ("path: /srv/perizinan/perizinan.sqlite", "path: /data/prefect.db"))
    assert error.endswith(
        "is the same place as Prefect's database (/data/prefect.db); it can never be a restore target"
    )
    reference.write_text("postgresql+asyncpg://prefect:x@db:5432/prefect")
    server = "kind: postgresql\n        database: prefect"
    (error,) = _errors(tmp_path, named, ("kind: sqlite\n        path: /srv/perizinan/perizinan.sqlite", server))
    assert error.endswith("has name and port of Prefect's database; it can never be a restore target")


@pytest.mark.parametrize("name", ["pulih", "formulir", "buku-besar", "kunci"])
def test_folders_of_a_store_are_no_names_of_units_or_applications(tmp_path: Path, name: str) -> None:
    """The set of an application could lie where the records lie."""
    (error,) = _errors(tmp_path, ("owner_unit: dpmptsp", f"owner_unit: {name}"))
    assert error.endswith(f"applications[1].owner_unit: {name!r} is reserved: stores use that folder")
