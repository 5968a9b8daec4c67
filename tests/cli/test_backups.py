"""pulih backups lists what the catalog knows, for people and for programs."""

from tests.cli.conftest import Office, Pulih


def test_every_backup_is_listed_with_its_state_and_name(pulih: Pulih, office: Office) -> None:
    """An administrator finds the name that verify, show and the request form want."""
    ended = pulih("--inventory", office.inventory, "backups")
    assert 0 == ended.code
    head, *rows = ended.out.splitlines()
    assert ["COMPONENT", "MOMENT", "STATE", "VERDICT", "SIZE", "NAME"] == head.split()
    assert {"simpel/data", "simpel/berkas"} == {row.split()[0] for row in rows}
    assert all("secured  pass" in row for row in rows)
    assert any(row.endswith(office.name) for row in rows)


def test_programs_get_one_document(pulih: Pulih, office: Office) -> None:
    """The common options may stand behind the verb."""
    ended = pulih("backups", "simpel", "--json", "--inventory", office.inventory)
    assert 0 == ended.code
    (found,) = [backup for backup in ended.document if backup["component"] == "data"]
    assert (office.name, "secured", "pass", ["utama"]) == (
        found["name"],
        found["state"],
        found["verdict"],
        found["stores"],
    )
    assert (office.set / "data.sqlite.zst.age").stat().st_size == found["bytes"]


def test_an_unknown_application_ends_with_3_and_names_the_known_ones(pulih: Pulih, office: Office) -> None:
    """A mistyped name is not an empty list."""
    ended = pulih("--inventory", office.inventory, "backups", "simpeg")
    assert 3 == ended.code
    assert "" == ended.out
    assert (
        "ERROR: there is no application named 'simpeg'; nothing was touched\nHINT: choose one of: simpel\n" == ended.err
    )


def test_no_backups_yet_is_said(pulih: Pulih, broken: Office) -> None:
    """An empty table would look like an error."""
    (broken.root / "state" / "catalog.sqlite").unlink()
    for rest in (broken.root / "state").glob("catalog.sqlite-*"):
        rest.unlink()
    broken.catalog.upgrade()
    ended = pulih("--inventory", broken.inventory, "backups")
    assert (0, "no backups yet\n") == (ended.code, ended.out)
