"""Whether the Prefect server's blocks say what the inventory says: the worker takes recipients and places from them."""

from collections.abc import Iterator, Mapping
from typing import Any

from recovery.doctor.finding import Finding
from recovery.installation import Installation
from recovery.prefect_api import PrefectApi
from recovery.settings import Settings

SUBJECT = "Prefect blocks"
# There is one office and one set of keys; their documents carry this name.
SINGLE_NAME = "pulih"
_PAGE = 200
_MEND = "find out who changed what; then `pulih apply` writes what the inventory says"


def examine_blocks(installation: Installation, api: PrefectApi) -> Iterator[Finding]:
    """Yield each block of the server that is not what the inventory says. Raises HostError.

    Values are not told: only the names of fields.
    """
    wanted = wanted_blocks(installation)
    there = _documents(api, list(wanted))
    right = True
    for slug, blocks in wanted.items():
        for name, settings in blocks.items():
            message = _difference(settings, there.pop((slug, name), None))
            if message:
                right = False
                yield Finding(f"block {slug}/{name}", "problem", message, _MEND)
    for slug, name in sorted(there):
        right = False
        mend = "`pulih apply --prune` removes it"
        yield Finding(f"block {slug}/{name}", "warning", "is on the server and not in the inventory", mend)
    if right:
        yield Finding(SUBJECT, "ok", "say what the inventory says")


def wanted_blocks(installation: Installation) -> dict[str, Mapping[str, Settings]]:
    """Given an installation as the inventory has it, return its settings by block type and name."""
    return {
        "pulih-instansi": {SINGLE_NAME: installation.office},
        "pulih-kunci": {SINGLE_NAME: installation.keys},
        "pulih-server": installation.hosts,
        "pulih-penyimpanan": installation.stores,
        "pulih-aplikasi": installation.applications,
        "pulih-jadwal": installation.schedules,
    }


def _difference(settings: Settings, data: dict[str, Any] | None) -> str:
    if data is None:
        return "is not on the server"
    wanted = settings.model_dump(mode="json")
    other = sorted(field for field in wanted if data.get(field) != wanted[field])
    return f"is not what the inventory says: {', '.join(other)}" if other else ""


def _documents(api: PrefectApi, slugs: list[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """The server's documents of our block types, by type and name."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    offset = 0
    while True:
        wanted = {"block_types": {"slug": {"any_": slugs}}, "limit": _PAGE, "offset": offset}
        page = api.ask("/block_documents/filter", wanted) or []
        for document in page:
            found[document["block_type"]["slug"], document["name"]] = document["data"]
        if len(page) < _PAGE:
            return found
        offset += _PAGE
