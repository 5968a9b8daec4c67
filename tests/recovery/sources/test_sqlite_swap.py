"""Making a SQLite copy live and undoing it, from every state in which a killed call may have left the disk."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from recovery.errors import ConfigurationError, SourceLockedError, SwapError
from recovery.sources.sqlite import SqliteSource
from tests.recovery.sources.sqlite_databases import make, query, source_of

SIDES = ("-wal", "-shm", "-journal")


@pytest.fixture
def live(tmp_path):
    return tmp_path / "data.db"


def fill(path: Path, word: str, mode: str = "WAL") -> SqliteSource:
    return make(
        path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, isi TEXT)",
        f"INSERT INTO t (isi) SELECT '{word}' FROM (VALUES (1), (2), (3))",
        mode=mode,
    )


def words(path: str | Path) -> set[str]:
    return {row[0] for row in query(path, "SELECT isi FROM t")}


def crash_after(path: Path, *statements: str) -> None:
    """Be an application that crashes after these statements, and leaves its side files."""
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "[c.execute(s).fetchall() for s in sys.argv[2:]]; os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, path, *statements])


def names(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


def with_copy(live: Path, mode: str = "WAL") -> tuple[SqliteSource, str]:
    """Live data says "lama"; the copy beside it says "baru"."""
    source = fill(live, "baru", mode)
    # A dump is an exact copy of the file; test_sqlite.py shows that, so here a plain copy will do.
    copy = source.beside("uji")
    shutil.copy(live, copy)
    os.chmod(copy, 0o600)
    with closing(sqlite3.connect(live)) as connection, connection:
        connection.execute("UPDATE t SET isi = 'lama'")
    return source, copy


def test_without_the_settling_an_exchange_shows_the_old_rows_and_calls_them_sound(live):
    # Why a swap is more than an exchange of names.
    source, copy = with_copy(live)
    crash_after(live, "UPDATE t SET isi = 'lama, di WAL'")
    source.host.call("system", "exchange", str(live), copy)
    assert words(live) == {"lama, di WAL"}
    assert query(live, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("mode", ["WAL", "DELETE", "TRUNCATE", "PERSIST"])
def test_a_swap_over_the_side_files_of_a_crashed_application_shows_the_new_rows(live, mode):
    source, copy = with_copy(live, mode)
    crash_after(live, f"PRAGMA journal_mode={mode}", "UPDATE t SET isi = 'lama, di WAL'")
    receipt = source.prepare_swap(copy)
    assert source.live_is(receipt) == "old"
    source.swap(receipt)
    assert names(live) == [Path(copy).name, "data.db"]
    assert words(live) == {"baru"}
    assert source.live_is(receipt) == "new"
    # The old data is whole in its safety copy, with what was only in its WAL.
    assert words(source.safety_copy(receipt)) == {"lama, di WAL"}
    source.swap_back(receipt)
    assert words(live) == {"lama, di WAL"}
    assert source.live_is(receipt) == "old"
    assert words(copy) == {"baru"}
    expected = "wal" if mode == "WAL" else "delete"
    assert query(live, "PRAGMA journal_mode") == [(expected,)]


def test_a_hot_journal_of_the_old_data_is_rolled_back_and_not_applied_to_the_new(live):
    source, copy = with_copy(live, "DELETE")
    crash_after(
        live,
        "PRAGMA cache_size=1",
        "BEGIN",
        "UPDATE t SET isi = 'setengah'",
        "CREATE TABLE besar (a)",
        "INSERT INTO besar WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 99)"
        " SELECT randomblob(1000) FROM n",
    )
    assert "data.db-journal" in names(live)
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    assert words(live) == {"baru"}
    assert words(copy) == {"lama"}


def test_the_new_data_gets_the_owner_mode_and_attributes_of_the_old(live):
    source, copy = with_copy(live)
    live.chmod(0o664)
    if os.getuid() == 0:
        os.chown(live, 12345, 23456)
    with contextlib.suppress(OSError):
        os.setxattr(live, b"user.label", b"nilai")
    attributes = os.listxattr(live)
    source.swap(source.prepare_swap(copy))
    found = live.stat()
    assert found.st_mode & 0o777 == 0o664
    assert os.getuid() != 0 or (found.st_uid, found.st_gid) == (12345, 23456)
    assert os.listxattr(live) == attributes


def test_swapping_and_swapping_back_twice_is_as_once(live):
    source, copy = with_copy(live)
    receipt = json.loads(json.dumps(source.prepare_swap(copy)))
    for _ in range(2):
        source.swap(receipt)
        assert words(live) == {"baru"}
    for _ in range(2):
        source.swap_back(receipt)
        assert words(live) == {"lama"}
    source.swap(receipt)
    assert words(live) == {"baru"}


def test_swapping_again_leaves_what_the_application_wrote_since_alone(live):
    source, copy = with_copy(live)
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    crash_after(live, "UPDATE t SET isi = 'ditulis kemudian'")
    assert "data.db-wal" in names(live)
    source.swap(receipt)
    assert "data.db-wal" in names(live)
    assert words(live) == {"ditulis kemudian"}


def test_swapping_back_over_side_files_of_the_new_data_shows_the_old_rows(live):
    source, copy = with_copy(live)
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    crash_after(live, "UPDATE t SET isi = 'ditulis kemudian'")
    source.swap_back(receipt)
    assert words(live) == {"lama"}
    assert words(copy) == {"ditulis kemudian"}


# Each state in which a kill may leave the disk: the next call finishes, and undoing works as well.


def settle(live: Path, mode: str) -> None:
    with closing(sqlite3.connect(live)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}").fetchone()


def interrupted(live: Path, copy: str, after: str) -> None:
    """Put the disk into the state in which a swap that was killed after this step leaves it."""
    if after == "nothing":
        return
    if after == "checkpoint":
        with closing(sqlite3.connect(live)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return
    settle(live, "DELETE")
    if after == "leaving WAL mode":
        return
    shutil.copystat(live, copy)
    if after == "adopting the mode":
        return
    assert after == "exchange"
    subprocess.run(["mv", live, f"{live}.x"], check=True)
    subprocess.run(["mv", copy, live], check=True)
    subprocess.run(["mv", f"{live}.x", copy], check=True)


STEPS = ("nothing", "checkpoint", "leaving WAL mode", "adopting the mode", "exchange")


@pytest.mark.parametrize("after", STEPS)
def test_a_swap_killed_after_any_step_is_finished_by_calling_again(live, after):
    source, copy = with_copy(live)
    receipt = source.prepare_swap(copy)
    interrupted(live, copy, after)
    source.swap(receipt)
    assert (words(live), words(copy)) == ({"baru"}, {"lama"})
    source.swap_back(receipt)
    assert (words(live), words(copy)) == ({"lama"}, {"baru"})


@pytest.mark.parametrize("after", STEPS)
def test_a_swap_killed_after_any_step_can_be_undone_with_the_old_journal_mode(live, after):
    source, copy = with_copy(live)
    receipt = source.prepare_swap(copy)
    interrupted(live, copy, after)
    source.swap_back(receipt)
    assert words(live) == {"lama"}
    assert query(live, "PRAGMA journal_mode") == [("wal",)]
    assert names(live) == [Path(copy).name, "data.db"]


def test_an_undoing_killed_between_the_exchange_and_the_journal_mode_is_finished_by_calling_again(live):
    source, copy = with_copy(live)
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    source.host.call("system", "exchange", str(live), copy)
    assert query(live, "PRAGMA journal_mode") == [("delete",)]
    source.swap_back(receipt)
    assert query(live, "PRAGMA journal_mode") == [("wal",)]
    assert words(live) == {"lama"}


def damaged(live: Path) -> tuple[SqliteSource, str, dict[str, bytes]]:
    """A live database that cannot be opened, with all three side files; returns what stands there."""
    source, copy = with_copy(live)
    content = {"": b"rusak" * 1000, "-wal": b"wal lama", "-shm": b"shm lama", "-journal": b"jurnal lama"}
    with live.open("r+b") as file:
        file.truncate()
        file.write(content[""])
    for side in SIDES:
        Path(f"{live}{side}").write_bytes(content[side])
    return source, copy, content


def standing(live: Path) -> dict[str, bytes]:
    return {side: Path(f"{live}{side}").read_bytes() for side in ("", *SIDES) if Path(f"{live}{side}").exists()}


@pytest.mark.parametrize("moved", range(4))
@pytest.mark.parametrize("exchanged", [False, True])
def test_the_side_files_of_a_damaged_database_wait_beside_it_and_come_back(live, moved, exchanged):
    # Killed after so many of the three were moved, and perhaps after the exchange.
    source, copy, content = damaged(live)
    receipt = source.prepare_swap(copy)
    for side in SIDES[: 3 if exchanged else moved]:
        os.rename(f"{live}{side}", f"{copy}.aside{side}")
    if exchanged:
        source.host.call("system", "exchange", str(live), copy)
    source.swap(receipt)
    assert standing(live).keys() == {""}
    assert words(live) == {"baru"}
    source.swap_back(receipt)
    assert standing(live) == content
    assert source.live_is(receipt) == "old"
    assert words(copy) == {"baru"}


@pytest.mark.parametrize("moved", range(4))
def test_moving_side_files_aside_can_be_undone_at_any_point(live, moved):
    source, copy, content = damaged(live)
    receipt = source.prepare_swap(copy)
    for side in SIDES[:moved]:
        os.rename(f"{live}{side}", f"{copy}.aside{side}")
    source.swap_back(receipt)
    assert standing(live) == content


def test_a_damaged_page_in_an_openable_database_does_not_hinder_a_swap(live):
    source, copy = with_copy(live)
    with live.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    assert words(live) == {"baru"}


def test_an_empty_live_file_keeps_its_wal_which_sqlite_would_delete(live):
    source, copy = with_copy(live)
    os.truncate(live, 0)
    Path(f"{live}-wal").write_bytes(b"satu-satunya yang tersisa")
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    assert words(live) == {"baru"}
    source.swap_back(receipt)
    assert standing(live) == {"": b"", "-wal": b"satu-satunya yang tersisa"}


@pytest.mark.parametrize("killed", [False, True])
def test_a_missing_live_file_is_replaced_and_is_missing_again_when_undone(live, killed):
    source, copy = with_copy(live)
    live.unlink()
    receipt = source.prepare_swap(copy)
    assert source.safety_copy(receipt) == ""
    assert source.live_is(receipt) == "old"
    if killed:
        os.rename(copy, live)
    source.swap(receipt)
    assert source.live_is(receipt) == "new"
    assert words(live) == {"baru"}
    source.swap_back(receipt)
    assert not live.exists()
    assert words(copy) == {"baru"}
    source.swap_back(receipt)
    source.swap(receipt)
    assert words(live) == {"baru"}


# What a swap refuses.


def test_a_database_in_use_is_not_swapped(live):
    source, copy = with_copy(live)
    receipt = source.prepare_swap(copy)
    with closing(sqlite3.connect(live)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM t").fetchone()
        with pytest.raises(SourceLockedError, match="is kept locked by another program; nothing was changed"):
            source.swap(receipt)
        assert source.live_is(receipt) == "old"
    source.swap(receipt)


def test_a_live_file_that_somebody_replaced_is_left_alone(live):
    source, copy = with_copy(live)
    receipt = source.prepare_swap(copy)
    replacement = live.with_name("pengganti")
    shutil.copy(live, replacement)
    os.rename(replacement, live)
    before = live.stat()
    for call in (source.swap, source.swap_back):
        with pytest.raises(SwapError, match="are not the files of the receipt; nothing was moved"):
            call(receipt)
    assert source.live_is(receipt) == "unknown"
    assert (live.stat().st_ino, live.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_lost_copy_cannot_be_swapped_in_and_a_lost_safety_copy_cannot_be_swapped_back(live):
    source, copy = with_copy(live)
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    source.discard(copy)
    with pytest.raises(SwapError, match="are not the files of the receipt"):
        source.swap_back(receipt)
    assert words(live) == {"baru"}


def test_a_copy_that_somebody_opened_is_not_swapped_in_with_its_side_files(live):
    source, copy = with_copy(live)
    receipt = source.prepare_swap(copy)
    crash_after(Path(copy), "UPDATE t SET isi = 'diubah orang'")
    with pytest.raises(SwapError, match=r"-shm would be taken for a part of another database; nothing was exchanged"):
        source.swap(receipt)
    assert words(live) == {"lama"}


def test_preparing_refuses_what_a_swap_cannot_do(live):
    source, copy = with_copy(live)
    with pytest.raises(SwapError, match="there is no copy at"):
        source.prepare_swap(source.beside("lain"))
    with pytest.raises(ConfigurationError, match="is no copy of"):
        source.prepare_swap(str(live))
    os.link(live, live.with_name("nama-lain"))
    with pytest.raises(SwapError, match="is a link or has other names"):
        source.prepare_swap(copy)


def test_a_receipt_of_another_database_is_refused(live):
    source, copy = with_copy(live)
    receipt = source.prepare_swap(copy)
    with pytest.raises(ConfigurationError, match="the receipt is not one of"):
        source_of(live.with_name("lain.db")).swap(receipt)
    with pytest.raises(ConfigurationError, match="is no copy of"):
        source.swap({**receipt, "copy": str(live.with_name("lain.db"))})


def test_discarding_a_safety_copy_takes_what_waits_beside_it_along(live):
    source, copy, _ = damaged(live)
    source.swap(source.prepare_swap(copy))
    assert len(names(live)) == 5
    assert source.copies() == [copy]
    source.discard(copy)
    assert names(live) == ["data.db"]
