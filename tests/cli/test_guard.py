"""pulih guard makes one round; what a round does is shown in tests/recovery/guard."""

import shutil

from tests.cli.conftest import Office, Pulih


def test_a_quiet_round_ends_with_0(pulih: Pulih, broken: Office) -> None:
    """Nothing died, and every component has a young proof."""
    ended = pulih("--inventory", broken.inventory, "guard")
    assert (0, "") == (ended.code, ended.err)
    assert ended.out.endswith(" 0 alarms\n")


def test_an_alarm_ends_with_30_and_names_what_to_do(pulih: Pulih, broken: Office) -> None:
    """systemd takes it for a failure, which tells people."""
    shutil.rmtree(broken.store)
    ended = pulih("--inventory", broken.inventory, "--json", "guard")
    assert 30 == ended.code
    assert ended.document["alarms"]
    assert all(alarm["message"] for alarm in ended.document["alarms"])
