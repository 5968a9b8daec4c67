"""pulih guard makes one round; what a round does is shown in tests/recovery/guard."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import ColumnElement, Table, update

from recovery.guard.alive import LONGEST_PAUSE, LONGEST_ROUND
from recovery.records import leases, schema
from tests.cli.conftest import Office, Pulih
from tests.flows.waiting import wait_until


def test_a_quiet_round_ends_with_0(pulih: Pulih, broken: Office) -> None:
    """Nothing died, and every component has a young proof."""
    ended = pulih("--inventory", broken.inventory, "guard")
    assert (0, "") == (ended.code, ended.err)
    assert ended.out.endswith(" 0 alarms\n")


@pytest.mark.parametrize("verb", [["guard"], ["doctor", "--alarm"]])
def test_a_catalog_that_cannot_be_read_is_told_to_the_office(pulih: Pulih, broken: Office, verb: list[str]) -> None:
    """No round is made then, so no alarm could be raised."""
    (broken.root / "keys" / "notices").write_text(f"file://{broken.root / 'told.txt'}")
    for path in (broken.root / "state").glob("catalog.sqlite*"):
        path.unlink()  # the log beside it, too: the pages that it holds are whole
    (broken.root / "state" / "catalog.sqlite").write_bytes(b"nonsense" * 1000)
    ended = [pulih("--inventory", broken.inventory, *verb) for _ in range(2)]
    assert [18, 18] == [each.code for each in ended]
    text = (broken.root / "told.txt").read_text()
    assert 1 == text.count("Perihal: katalog")
    assert "is damaged or its disk fails (file is not a database)" in text


def test_an_alarm_ends_with_30_and_names_what_to_do(pulih: Pulih, broken: Office) -> None:
    """systemd takes it for a failure, which tells people."""
    shutil.rmtree(broken.store)
    ended = pulih("--inventory", broken.inventory, "--json", "guard")
    assert 30 == ended.code
    assert ended.document["alarms"]
    assert all(alarm["message"] for alarm in ended.document["alarms"])


def test_rounds_that_begin_and_die_are_no_sign_of_life(pulih: Pulih, broken: Office) -> None:
    """Two are killed and one ends with an error, each after it has taken the lease and given signs of life by it."""
    assert 0 == pulih("--inventory", broken.inventory, "guard").code
    assert [] == guard_alarms(pulih, broken)
    notices, told = broken.root / "keys" / "notices", broken.root / "told.txt"
    # Something to tell, and a place at which whoever tells it stands still.
    set_rows(broken, schema.backups, schema.backups.c.component == "data", state="failed", verdict="fail")
    os.mkfifo(broken.root / "nobody-reads")
    notices.write_text(f"file://{broken.root / 'nobody-reads'}")
    pass_time(broken, LONGEST_PAUSE)
    for _ in range(2):
        kill_a_round(broken)
        assert ["alarms", "guard"] == held(broken), "the round had begun"
        pass_time(broken, timedelta(minutes=3))
    notices.write_text(f"file://{told}")
    with broken.catalog.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE approval_requests RENAME TO taken_away")
    assert 18 == pulih("--inventory", broken.inventory, "guard").code
    with broken.catalog.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE taken_away RENAME TO approval_requests")
    assert [] == held(broken), "the round had begun, and gave its lease back"
    (message,) = guard_alarms(pulih, broken)
    assert message.startswith("its last whole round ended ")
    assert "Peringatan: Penjaga Pulih (pulih guard) tidak berjalan atau selalu terhenti\n" in told.read_text()
    # Ends with what it was to tell: that is a whole round.
    assert 30 == pulih("--inventory", broken.inventory, "guard").code
    assert [] == guard_alarms(pulih, broken)


def test_a_long_round_is_given_its_time_when_the_one_before_it_was_whole(pulih: Pulih, broken: Office) -> None:
    """It may have to stop and start services that take their time. A dead one before it, and it is not believed."""
    assert 0 == pulih("--inventory", broken.inventory, "guard").code
    for begun_after, passed, alarms in (
        (timedelta(minutes=1), LONGEST_ROUND, 0),
        (timedelta(minutes=1), LONGEST_PAUSE + LONGEST_ROUND + timedelta(minutes=1), 1),
        (LONGEST_PAUSE + timedelta(minutes=1), LONGEST_ROUND, 1),
    ):
        last, now = datetime.now(UTC) - passed, datetime.now(UTC)
        set_rows(broken, schema.leases, schema.leases.c.resource == "guard.round", expires_at=schema.timestamp(last))
        values = {"taken_at": schema.timestamp(last + begun_after), "expires_at": schema.timestamp(now + LONGEST_ROUND)}
        set_rows(broken, schema.leases, schema.leases.c.resource == "guard", holder="guard-1", **values)
        assert alarms == len(guard_alarms(pulih, broken))


def guard_alarms(pulih: Pulih, broken: Office) -> list[str]:
    found = pulih("--inventory", broken.inventory, "--json", "doctor", "--alarm").document["alarms"]
    return [alarm["message"] for alarm in found if alarm["kind"] == "guard"]


def kill_a_round(broken: Office) -> None:
    """Begin a round in a process of its own, and kill that when it stands still."""
    command = [sys.executable, "-m", "cli.main", "--inventory", str(broken.inventory), "guard"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as process:
        try:
            wait_until(lambda: "alarms" in held(broken), "the round tells of its alarms", every=0.05)
        finally:
            process.kill()


def held(broken: Office) -> list[str]:
    with broken.catalog.read() as connection:
        return [lease["resource"] for lease in leases.list_leases(connection) if not lease["expired"]]


def pass_time(broken: Office, passed: timedelta) -> None:
    """Let every lease have been taken and have ended that much earlier."""
    with broken.catalog.begin() as connection:
        for row in connection.execute(schema.leases.select()).all():
            earlier = {
                name: schema.timestamp(datetime.fromisoformat(getattr(row, name)) - passed)
                for name in ("taken_at", "expires_at")
            }
            connection.execute(
                update(schema.leases).where(schema.leases.c.resource == row.resource).values(**earlier),
            )


def set_rows(broken: Office, table: Table, which: ColumnElement[bool], **values: str) -> None:
    with broken.catalog.begin() as connection:
        connection.execute(update(table).where(which).values(**values))
