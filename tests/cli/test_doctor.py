"""pulih doctor ends by what it finds, and --alarm by what is missing; tests/recovery/doctor shows what is looked at."""

from sqlalchemy import update

from recovery.records import schema
from tests.cli.conftest import Office, Pulih


def test_a_problem_ends_with_1_and_says_how_to_mend_it(pulih: Pulih, office: Office) -> None:
    """Without a server's address there is one."""
    ended = pulih("--inventory", office.inventory, "doctor")
    assert (1, "") == (ended.code, ended.err)
    assert "PROBLEM Prefect server: no address is known\n        HINT: set PREFECT_API_URL\n" in ended.out


def test_no_alarm_ends_with_0(pulih: Pulih, broken: Office) -> None:
    """Every component has a fresh proof, no schedule was missed, and the guard makes its rounds."""
    assert 30 == pulih("--inventory", broken.inventory, "doctor", "--alarm").code
    assert 0 == pulih("--inventory", broken.inventory, "guard").code
    ended = pulih("--inventory", broken.inventory, "doctor", "--alarm")
    assert (0, "0 alarms; the office was told of 0 now\n", "") == (ended.code, ended.out, ended.err)


def test_an_alarm_ends_with_30_and_is_told_once(pulih: Pulih, broken: Office) -> None:
    """As the guard ends, so that one rule of systemd fits both."""
    assert 0 == pulih("--inventory", broken.inventory, "guard").code
    with broken.catalog.begin() as connection:
        data = schema.backups.c.component == "data"
        connection.execute(update(schema.backups).where(data).values(state="failed", verdict="fail"))
    told = [pulih("--inventory", broken.inventory, "--json", "doctor", "--alarm") for _ in range(2)]
    assert [(30, 1), (30, 0)] == [(ended.code, ended.document["told"]) for ended in told]
    (alarm,) = told[0].document["alarms"]
    assert ("never", "simpel/data") == (alarm["kind"], alarm["subject"])
    assert "ALARM never: simpel/data: " in pulih("--inventory", broken.inventory, "doctor", "--alarm").out
