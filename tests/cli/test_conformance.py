"""pulih conformance prints its verdict and ends by it; tests/recovery/test_conformance.py shows what is judged."""

from recovery import sop
from tests.cli.conftest import Office, Pulih


def test_a_conformant_procedure_ends_with_0(pulih: Pulih, office: Office) -> None:
    """The verdict is the SOP's own word."""
    ended = pulih("--inventory", office.inventory, "conformance", office.procedure_id)
    assert (0, "") == (ended.code, ended.err)
    assert "SESUAI" == ended.out.splitlines()[-1]
    for step in sop.steps_of("backup"):
        assert step.title in ended.out


def test_one_that_is_not_ends_with_16_and_says_why(pulih: Pulih, broken: Office) -> None:
    """Text and document both hold the reasons."""
    with broken.catalog.begin() as connection:
        connection.exec_driver_sql("UPDATE steps SET state = 'failed', error = 'x' WHERE step_id = 'backup.5'")
    reason = "5. Mengisi formulir pelaksanaan back up: is failed (x)"
    ended = pulih("--inventory", broken.inventory, "conformance", broken.procedure_id)
    assert 16 == ended.code
    assert [f"  reason: {reason}", "TIDAK SESUAI"] == ended.out.splitlines()[-2:]
    assert f"ERROR: the procedure {broken.procedure_id} is tidak sesuai, for 1 reason" in ended.err
    document = pulih("--inventory", broken.inventory, "--json", "conformance", broken.procedure_id).document
    assert ("tidak sesuai", [reason]) == (document["verdict"], document["reasons"])


def test_an_unknown_procedure_ends_with_3(pulih: Pulih, office: Office) -> None:
    """Nothing is judged that was not found."""
    assert 3 == pulih("--inventory", office.inventory, "conformance", "nothing").code
