"""What a real systemd does with the guard's unit when a round ends with alarms, with an error, or is killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployments.test_systemd import PROGRAM, UNITS
from tests.flows.waiting import wait_until
from tests.testbed.systemd_host import SystemdHost, run_systemd_host

pytestmark = [pytest.mark.root, pytest.mark.endurance, pytest.mark.timeout(900)]

SAID = "/srv/said"
FAKE_PULIH = f"""\
#!/bin/sh
echo "$*" >>{SAID}
echo "$STATE_DIRECTORY" >>{SAID}-known
test "$*" = guard || {{ echo "ERROR: the inventory cannot be read" >&2; exit 2; }}
test -e /srv/die && kill -9 $$
exit $(cat /srv/status)
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SystemdHost]:
    with run_systemd_host(tmp_path) as booted:
        yield booted


def test_a_round_that_dies_is_followed_by_a_look_and_one_that_ends_with_alarms_is_not(machine: SystemdHost) -> None:
    """30 is how a whole round ends that has told its alarms itself."""
    for unit in ("pulih-guard.service", "pulih-guard-failed.service"):
        machine.write(f"/etc/systemd/system/{unit}", (UNITS / unit).read_text())
    machine.systemctl("daemon-reload")
    machine.write(PROGRAM, FAKE_PULIH, mode=0o755)
    for path in (SAID, f"{SAID}-known"):
        machine.inside(path).touch(mode=0o666)
        machine.inside(path).chmod(0o666)

    def after_a_round(status: int) -> list[str]:
        machine.inside("/srv/status").write_text(str(status))
        machine.inside(SAID).write_text("")
        machine.systemctl("reset-failed")
        before = entered(machine)
        machine.systemctl("start", "pulih-guard.service", ok=(0, 1))
        if status:
            wait_until(lambda: entered(machine) != before, "the look has ended, or was left out", every=0.05)
        return machine.inside(SAID).read_text().splitlines()

    assert ["guard"] == after_a_round(0)
    assert ["guard", "doctor --alarm"] == after_a_round(18)
    assert ["guard"] == after_a_round(30)
    machine.inside("/srv/die").touch()
    assert ["guard", "doctor --alarm"] == after_a_round(1)
    assert {"/var/lib/pulih"} == set(machine.inside(f"{SAID}-known").read_text().split())
    assert "failed" == machine.systemctl("is-failed", "pulih-guard-failed.service").strip()
    errors = machine.run("journalctl", "--priority=err", "--unit=pulih-guard-failed.service", "--output=cat")
    assert "ERROR: the inventory cannot be read" in str(errors)


def entered(machine: SystemdHost) -> str:
    """When the unit that follows a failure was last done, by the machine's own clock."""
    return machine.systemctl(
        "show", "pulih-guard-failed.service", "--property=InactiveEnterTimestampMonotonic", "--value"
    )
