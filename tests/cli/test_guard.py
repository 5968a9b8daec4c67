"""pulih guard makes one round; what a round does is shown in tests/recovery/guard."""

import shutil

import pytest

from tests.cli.conftest import Office, Pulih


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
