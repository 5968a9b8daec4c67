"""pulih show tells all that the catalog knows of one backup or procedure."""

from recovery import sop
from tests.cli.conftest import Office, Pulih
from tests.testbed.small_office import KABID


def test_a_backup_is_shown_by_name_and_by_id(pulih: Pulih, office: Office) -> None:
    """Before step 3 a backup has only its id."""
    by_name = pulih("--inventory", office.inventory, "--json", "show", office.name)
    by_id = pulih("--inventory", office.inventory, "--json", "show", by_name.document["backup"]["id"])
    assert (0, 0) == (by_name.code, by_id.code)
    assert by_name.document == by_id.document
    assert office.procedure_id == by_name.document["backup"]["procedure_id"]


def test_people_see_what_identifies_a_backup(pulih: Pulih, office: Office) -> None:
    """Name, proof and place on one screen."""
    lines = dict(
        line.split(maxsplit=1) for line in pulih("--inventory", office.inventory, "show", office.name).out.splitlines()
    )
    assert (office.name, "simpel/data", "secured", "pass", "utama") == (
        lines["name"],
        lines["component"],
        lines["state"],
        lines["verdict"],
        lines["stores"],
    )


def test_a_procedure_is_shown_by_id_and_by_form_number(pulih: Pulih, office: Office) -> None:
    """The number stands on the paper in the auditor's hand."""
    by_id = pulih("--inventory", office.inventory, "--json", "show", office.procedure_id)
    number = by_id.document["forms"][0]["number"]
    by_form = pulih("--inventory", office.inventory, "--json", "show", number)
    assert by_id.document == by_form.document
    assert {"procedure", "steps", "decisions", "waiting", "forms", "notices"} == by_id.document.keys()


def test_every_step_of_the_sop_and_the_decision_is_shown(pulih: Pulih, office: Office) -> None:
    """What is shown reads as the SOP."""
    ended = pulih("--inventory", office.inventory, "show", office.procedure_id)
    assert 0 == ended.code
    for step in sop.steps_of("backup"):
        assert f"done      {step.title}" in ended.out
    assert f"sesuai by {KABID}" in ended.out


def test_what_nobody_recorded_ends_with_3(pulih: Pulih, office: Office) -> None:
    """A mistyped name is told how to find the right one."""
    ended = pulih("--inventory", office.inventory, "show", "nothing")
    assert 3 == ended.code
    assert "nothing is called 'nothing'" in ended.err
    assert "`pulih backups` lists names" in ended.err
