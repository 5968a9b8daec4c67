"""Threads that pass buffers to each other: bounded, and stopped together."""

import sys
import threading

import pytest

from recovery.channels import TURN, Channel, Line


def test_a_writer_waits_while_the_channel_is_full() -> None:
    """However fast it is, memory stays what it was."""
    channel: Channel[str] = Channel(1)
    channel.put("a")
    writer = threading.Thread(target=channel.put, args=("b",), daemon=True)
    writer.start()
    writer.join(0.05)
    assert writer.is_alive()
    assert channel.get() == "a"
    writer.join()
    assert channel.get() == "b"


def test_an_error_after_the_last_item_is_raised_at_the_end() -> None:
    """A disk that is full at the last byte: the caller has nothing to pass on any more, and must not think it done."""

    def fail() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"), Line() as line:
        line.start("store", fail)
        line.finish()


@pytest.mark.parametrize("error", [None, OSError("the disk is full")])
def test_threads_take_shorter_turns_as_long_as_any_pass_lasts(error: Exception | None) -> None:
    """Two components are backed up at once: the one that ends last gives the turns back."""
    before = sys.getswitchinterval()
    first = Line()
    with first:
        second = Line()
        second.__enter__()
    assert TURN == pytest.approx(sys.getswitchinterval())
    try:
        second.__exit__(type(error) if error else None, error, None)
    finally:
        assert before == sys.getswitchinterval()
