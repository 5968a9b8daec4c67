"""A component that fails: the other goes on, the form names both, and the rerun takes only what failed."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow


def test_a_failing_component_is_on_the_form_and_a_rerun_takes_it_alone(office: "WorkingOffice") -> None:
    away = office.small.uploads.with_name("unggahan-hilang")
    office.small.uploads.rename(away)
    try:
        run = office.back_up()
        text = office.wait_for_question(run, "backup.6")
    finally:
        away.rename(office.small.uploads)
    steps = office.steps(run)
    form = steps["backup.5", ""].evidence["form_number"]
    assert "done" == steps["backup.4", "simpel/data"].state
    assert "failed" == steps["backup.1", "simpel/berkas"].state
    assert "simpel/data" in text and "Berhasil" in text
    assert "simpel/berkas" in text and "GAGAL" in text
    state = office.review(run)
    assert ("FAILED", "Gagal") == (state["type"], state["name"])
    # What follows is how its schedule stood.
    assert state["message"].startswith(f"Gagal untuk simpel/berkas; lihat formulir {form}.")

    again = office.back_up(reason="", mengulang=form)
    office.wait_for_question(again, "backup.6")
    steps = office.steps(again)
    assert {"simpel/berkas", ""} == {component for _step_id, component in steps}
    assert "done" == steps["backup.4", "simpel/berkas"].state
    state = office.review(again)
    assert "COMPLETED" == state["type"]
    assert state["message"].startswith("1 komponen dicadangkan, diverifikasi, dan diamankan.")


def test_a_rerun_of_an_unknown_form_is_refused_with_a_sentence(office: "WorkingOffice") -> None:
    run = office.back_up(reason="", mengulang="999/BU/KOMINFO/I/2020")
    state = office.wait_for_end(run)
    assert "FAILED" == state["type"]
    assert "no backup form has the number '999/BU/KOMINFO/I/2020'" in state["message"]
