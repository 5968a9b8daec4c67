"""What a stranger needs for a restore of his own: printed by `make up`, and the same in the README."""

import re
from pathlib import Path

import pytest

from demo.browsing import REQUEST
from demo.instructions import instructions
from demo.inventory import officials
from demo.site import LETTER_FILE, LETTER_NUMBER, Site, prepare
from recovery.sop import ROLE_TITLES

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def prepared(tmp_path: Path) -> Site:
    site = Site(tmp_path / "kantor")
    prepare(site)
    return site


@pytest.mark.slow
def test_make_up_names_the_letter_every_official_and_the_command_for_a_code(prepared: Site) -> None:
    text = "\n".join(instructions(prepared, "http://127.0.0.1:4200"))
    for known in ("http://127.0.0.1:4200", prepared.simpel_url, str(prepared.notices), LETTER_NUMBER, LETTER_FILE):
        assert known in text
    people = officials("")
    assert 4 == len(people)
    for person in people:
        (role,) = person["roles"]
        assert re.search(rf"{ROLE_TITLES[role]} +{person['nip']}  {re.escape(str(person['name']))} +\S", text)
    code = f".venv/bin/pulih --inventory {prepared.inventory} official code "
    assert re.search(rf"{re.escape(code)}[0-9]{{18}}$", text, re.MULTILINE)


def test_the_readme_names_every_official_as_the_demonstration_has_them() -> None:
    """In the order in which they are asked."""
    rows = re.findall(r"^ *\| .+ \| (.+), (.+?) \| `([0-9]{18})` \| .+ \|$", README, re.MULTILINE)
    people = {person["nip"]: (person["name"], person["roles"]) for person in officials("")}
    assert len(people) == len(rows)
    for name, title, nip in rows:
        assert people[nip][0] == name
        assert ROLE_TITLES[people[nip][1][0]].endswith(title)
    assert set(people) == set(re.findall(r"\b[0-9]{18}\b", README))


def test_the_readme_fills_in_the_form_as_the_demonstration_does() -> None:
    """Those fields that only one value fits; the others are named together."""
    rows = dict(
        re.findall(r"^ *\| (.+?) \| `(.+?)`.* \|$", README.partition("### A restore of your own")[2], re.MULTILINE)
    )
    for title in ("Nomor surat", "Berkas surat", "NIP pemohon", "Nama aplikasi"):
        assert REQUEST[title] == rows[title]


def test_the_readme_names_the_places_that_a_demonstration_has(tmp_path: Path) -> None:
    """Its commands are typed as they stand."""
    site = Site(tmp_path)

    def named(path: Path) -> str:
        return f"run/demo/{path.relative_to(tmp_path)}"

    code = rf"^ *\.venv/bin/pulih --inventory {named(site.inventory)} official code ([0-9]{{18}})$"
    assert re.findall(code, README, re.MULTILINE)
    damage = f"demo.simpel.damage --database {named(site.database)} --uploads {named(site.uploads)}\n"
    assert f"\n.venv/bin/python -m {damage}" in README
    for path in (site.notices, site.intake):
        assert f"`{named(path)}`" in README
