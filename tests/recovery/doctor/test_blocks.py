"""What somebody changed in the blocks of a Prefect server, or forgot to apply, is found over plain HTTP."""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from blocks.installation import BLOCK_TYPES
from recovery.doctor.blocks import examine_blocks, wanted_blocks
from recovery.doctor.silence import listen
from recovery.installation import Installation
from recovery.prefect_api import PrefectApi
from tests.testbed.fake_api import fake_server

Document = dict[str, Any]
STRANGER = "age1orang-lain"


def documents(installation: Installation) -> list[Document]:
    """What `pulih apply` writes, as the server gives it back."""
    return [
        {"block_type": {"slug": slug}, "name": name, "data": settings.model_dump(mode="json")}
        for slug, blocks in wanted_blocks(installation).items()
        for name, settings in blocks.items()
    ]


def looked(installation: Installation, *pages: list[Document]) -> list[tuple[str, str, str]]:
    """What is said of a server that gives these pages, one after the other."""
    left = list(pages)
    with fake_server(lambda path, headers: (200, left.pop(0))) as url:
        findings = list(examine_blocks(installation, PrefectApi(url)))
    assert [] == left
    return [(finding.subject, finding.state, finding.message) for finding in findings]


def test_blocks_are_known_by_the_types_that_apply_writes(whole: Installation) -> None:
    """What has another name would never be looked at."""
    assert {block_type.get_block_type_slug() for block_type in BLOCK_TYPES} == set(wanted_blocks(whole))


def test_what_differs_is_named_without_its_values(whole: Installation) -> None:
    """The worker reads a recipient there that the office does not hold; or somebody edited the inventory alone."""
    right = documents(whole)
    assert [("Prefect blocks", "ok", "say what the inventory says")] == looked(whole, right)
    changed = deepcopy(right)
    keys = next(each for each in changed if each["block_type"]["slug"] == "pulih-kunci")
    keys["data"]["escrow_recipient"] = STRANGER
    told = ("block pulih-kunci/pulih", "problem", "is not what the inventory says: escrow_recipient")
    assert [told] == looked(whole, changed)
    fewer = [each for each in right if each["name"] != "bulanan"]
    assert [("block pulih-jadwal/bulanan", "problem", "is not on the server")] == looked(whole, fewer)
    more = {"block_type": {"slug": "pulih-jadwal"}, "name": "lama", "data": {}}
    left = ("block pulih-jadwal/lama", "warning", "is on the server and not in the inventory")
    assert [left] == looked(whole, [more] * 200, right)


def test_the_office_hears_of_it(whole: Installation) -> None:
    """`doctor --alarm` runs by a timer; nobody runs the rest every day."""
    changed = documents(whole)
    next(each for each in changed if each["name"] == "bulanan")["data"]["retention_days"] = 1

    def answer(path: str, headers: Any) -> tuple[int, Any]:
        return (200, changed) if path == "/api/block_documents/filter" else (404, {})

    with fake_server(answer) as url:
        alarms, _told = listen(replace(whole), PrefectApi(url), datetime.now(UTC))
    heard = [(alarm.kind, alarm.subject, alarm.message) for alarm in alarms if alarm.kind in ("blocks", "scheduler")]
    assert [
        ("scheduler", "schedule bulanan", "has no deployment on the Prefect server"),
        ("blocks", "block pulih-jadwal/bulanan", "is not what the inventory says: retention_days"),
    ] == heard
