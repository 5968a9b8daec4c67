"""Fingerprints: of one kind only, and read back only when they are of this release."""

import pytest

from recovery.errors import SetError
from recovery.sources.base import Fingerprint

PRINT = Fingerprint("sqlite", {"a": {"rows": 1, "digest": "0"}}, {}, {"objects": 1, "rows": 1, "bytes": 1})


def test_fingerprints_of_two_kinds_are_never_equal() -> None:
    """A tree that was put where a database belongs."""
    assert PRINT.differences(Fingerprint("files", PRINT.objects, {}, PRINT.totals)) == [
        "the kind is files and not sqlite"
    ]


@pytest.mark.parametrize("change", [{"kind": 1}, {"objects": []}, {"totals": None}])
def test_what_is_no_fingerprint_is_not_compared(change: dict[str, object]) -> None:
    """A set of a later release, or one that somebody wrote."""
    assert Fingerprint.from_json(PRINT.to_json()) == PRINT
    with pytest.raises(SetError) as caught:
        Fingerprint.from_json({**PRINT.to_json(), **change})
    assert str(caught.value) == (
        "the fingerprint is not one that this release wrote; nothing was compared with it\n"
        "HINT: restore with the release that the manifest names"
    )
