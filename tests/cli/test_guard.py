"""pulih guard makes one round; what a round does is shown in tests/recovery/guard."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
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


VERBS = pytest.mark.parametrize("verb", [["guard"], ["doctor", "--alarm"]])


@pytest.fixture
def told(broken: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the office is told; and the directory that systemd gives to the units."""
    (tmp_path / "known").mkdir()
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "known"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (broken.root / "keys" / "notices").write_text(f"file://{broken.root / 'told.txt'}")
    return broken.root / "told.txt"


@VERBS
def test_an_inventory_with_a_mistake_is_told_to_the_office_that_it_names(
    pulih: Pulih, broken: Office, told: Path, verb: list[str]
) -> None:
    """Once in an hour, by whoever comes by; each ends with 2 and says so."""
    broken.change_inventory(lambda data: data.update(stores=["nonsense"]))
    for _ in range(2):
        ended = pulih("--inventory", broken.inventory, *verb)
        assert 2 == ended.code
        assert (
            "nothing is watched, and nothing that died is ended; the office is told of it once in an hour" in ended.err
        )
    text = told.read_text()
    assert 1 == text.count("Peringatan: Inventaris Pulih tidak dapat dipakai: penjagaan tidak berjalan\n")
    assert f"Perihal: {broken.inventory}\n" in text
    assert "stores[0]" in text


@VERBS
@pytest.mark.parametrize("content", ["office: [", None])
def test_of_one_that_says_nothing_those_are_told_whom_the_last_whole_one_named(
    pulih: Pulih, broken: Office, told: Path, tmp_path: Path, content: str | None, verb: list[str]
) -> None:
    """No YAML, or no file. Remembered are references, and nothing secret."""
    assert 0 == pulih("--inventory", broken.inventory, "guard").code
    remembered = tmp_path / "known" / "notice-targets.json"
    assert [f"file:{broken.root / 'keys' / 'notices'}"] == json.loads(remembered.read_text())
    before = remembered.stat().st_mtime_ns
    assert 0 == pulih("--inventory", broken.inventory, "guard").code
    assert before == remembered.stat().st_mtime_ns, "written when it changes"
    assert ["notice-targets.json"] == [path.name for path in remembered.parent.iterdir()]
    broken.inventory.unlink()
    if content is not None:
        broken.inventory.write_text(content)
    ended = pulih("--inventory", broken.inventory, *verb)
    assert 2 == ended.code
    assert "the office is told of it once in an hour" in ended.err
    assert 1 == told.read_text().count("Peringatan: Inventaris Pulih tidak dapat dipakai")


@pytest.mark.parametrize(
    ("remembered", "lacking"),
    [
        (None, ""),
        ("[]", ""),
        ("no JSON", " ({} is no list of references)"),
        ('{"a": 1}', " ({} is no list of references)"),
        ("[1]", " ({} is no list of references)"),
        ("a directory", " ({}: Is a directory)"),
    ],
)
def test_where_nobody_is_known_the_error_says_that_nobody_was_told(
    pulih: Pulih, broken: Office, told: Path, tmp_path: Path, remembered: str | None, lacking: str
) -> None:
    """It ends as an error all the same: the journal has it, and systemd shows a unit that failed."""
    place = tmp_path / "known" / "notice-targets.json"
    if remembered == "a directory":
        place.mkdir()
    elif remembered is not None:
        place.write_text(remembered)
    broken.inventory.write_text("office: [")
    ended = pulih("--inventory", broken.inventory, "guard")
    assert 2 == ended.code
    known = f"no notice target is known{lacking.format(place)}"
    assert f"; nobody could be told of it, since {known}\nHINT: correct the YAML\n" in ended.err
    assert not told.exists()


def test_a_target_that_does_not_take_it_is_said_and_tried_again(pulih: Pulih, broken: Office, told: Path) -> None:
    target = broken.root / "keys" / "notices"
    right = target.read_text()
    broken.change_inventory(lambda data: data.update(stores=["nonsense"]))
    target.write_text("file:///proc/no/such/place")
    ended = pulih("--inventory", broken.inventory, "guard")
    assert "; the office could not be told of it (a notice could not be written to a file (No such file" in ended.err
    target.write_text(right)
    pulih("--inventory", broken.inventory, "guard")
    assert 1 == told.read_text().count("Peringatan: Inventaris Pulih")


def test_a_round_is_made_although_nothing_can_be_remembered(
    pulih: Pulih, broken: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The directory is gone; or, outside of systemd, there is none."""
    monkeypatch.setenv("STATE_DIRECTORY", "/proc/no/such/place")
    assert 0 == pulih("--inventory", broken.inventory, "guard").code
    assert "is not remembered in /proc/no/such/place (No such file or directory)" in caplog.text
    monkeypatch.delenv("STATE_DIRECTORY")
    assert 0 == pulih("--inventory", broken.inventory, "guard").code
    broken.inventory.write_text("office: [")
    assert "no notice target is known" in pulih("--inventory", broken.inventory, "guard").err
