"""The demonstration ends well only when it has proven something."""

import argparse
from pathlib import Path
from typing import Any

import pytest

import demo.story
from demo import __main__ as demonstration
from demo.report import Proof
from demo.site import Site


def measured(*digests: str) -> dict[str, dict[str, Any]]:
    return {f"simpel/{number}": {"totals": None, "digest": digest} for number, digest in enumerate(digests)}


@pytest.mark.parametrize(
    ("proof", "status", "told"),
    [
        (Proof(measured("a", "b"), measured("x", "y"), measured("a", "b"), []), 0, ""),
        (Proof(measured("a", "b"), measured("x", "y"), measured("a", "c"), []), 1, "simpel/1: data berbeda"),
        (Proof(measured("a", "b"), measured("x", "b"), measured("a", "b"), []), 1, "simpel/1: kerusakan tidak"),
        (Proof(measured("a"), measured("x"), measured("a"), ["entry 3 is gone"]), 1, "buku besar: entry 3 is gone"),
        (Proof({}, {}, {}, []), 1, "tidak ada komponen"),
    ],
    ids=["all is back", "other data", "nothing was damaged", "a broken ledger", "nothing was measured"],
)
def test_a_story_ends_with_the_status_of_its_proof(
    proof: Proof,
    status: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demonstration, "start", lambda *_given, **_named: None)
    monkeypatch.setattr(demo.story, "tell", lambda *_given: proof)
    given = argparse.Namespace(engine="", host="", store="", port=0)
    assert status == demonstration._story(Site(tmp_path / "peragaan"), given)
    assert capsys.readouterr().err.startswith(told)
    assert bool(told) == bool(status)
