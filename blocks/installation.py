"""The installation as the Prefect server knows it: all block documents, read in one request."""

from functools import cache
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL
from pydantic import ValidationError

from blocks.application import Application
from blocks.base import SettingsBlock
from blocks.host import Host
from blocks.keys import Keys
from blocks.office import Office
from blocks.schedule import Schedule
from blocks.store import Store
from recovery.errors import ConfigurationError

if TYPE_CHECKING:
    from recovery.installation import Installation

BLOCK_TYPES: tuple[type[SettingsBlock], ...] = (Office, Keys, Host, Store, Application, Schedule)
# There is one office and one set of keys; their documents carry this name.
SINGLE_NAME = "pulih"
_PAGE = 200


def load_installation() -> "Installation":
    """Return the installation of the current Prefect server, from its blocks; read once per process.

    Raises ConfigurationError when a block is missing, does not fit this release, or lies under another name than its
    own. A process is one run (or one command), so that a run sees one configuration from its first step to its last.
    """
    return _installation(str(PREFECT_API_URL.value()))


def forget_installation() -> None:
    """Forget what was read, so that the next call asks the server again."""
    _installation.cache_clear()


@cache
def _installation(_api_url: str) -> "Installation":
    from recovery.installation import Installation

    with get_client(sync_client=True) as client:
        documents = read_documents(client)
    settings: dict[str, dict[str, Any]] = {block_type.get_block_type_slug(): {} for block_type in BLOCK_TYPES}
    for block_type in BLOCK_TYPES:
        slug = block_type.get_block_type_slug()
        for name, document in documents[slug].items():
            settings[slug][name] = _settings(block_type, name, document["data"])
    return Installation(
        office=_single(Office, settings),
        keys=_single(Keys, settings),
        hosts=settings[Host.get_block_type_slug()],
        stores=settings[Store.get_block_type_slug()],
        applications=settings[Application.get_block_type_slug()],
        schedules=settings[Schedule.get_block_type_slug()],
    )


def read_documents(client: SyncPrefectClient) -> dict[str, dict[str, dict[str, Any]]]:
    """Given a client, return the server's documents of our block types: slug → document name → document."""
    slugs = [block_type.get_block_type_slug() for block_type in BLOCK_TYPES]
    found: dict[str, dict[str, dict[str, Any]]] = {slug: {} for slug in slugs}
    offset = 0
    while True:
        response = client.request(
            "POST",
            "/block_documents/filter",
            json={"block_types": {"slug": {"any_": slugs}}, "limit": _PAGE, "offset": offset},
        )
        page = response.raise_for_status().json()
        for document in page:
            found[document["block_type"]["slug"]][document["name"]] = document
        if len(page) < _PAGE:
            return found
        offset += _PAGE


def _settings(block_type: type[SettingsBlock], name: str, data: dict[str, Any]) -> Any:
    title = f"the block {block_type.get_block_type_name()!r} / {name!r}"
    try:
        settings = block_type.model_validate(data).plain()
    except ValidationError as error:
        fields = "; ".join(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors())
        raise ConfigurationError(
            f"{title} is not valid: {fields}",
            state="nothing was touched",
            hint="correct the inventory and: pulih apply",
        ) from error
    own_name = getattr(settings, "name", "") if block_type not in (Office, Keys) else SINGLE_NAME
    if own_name != name:
        raise ConfigurationError(
            f"{title} holds the settings of {own_name!r}",
            state="nothing was touched",
            hint="block and settings carry the same name; correct the inventory and: pulih apply",
        )
    return settings


def _single(block_type: type[SettingsBlock], settings: dict[str, dict[str, Any]]) -> Any:
    try:
        return settings[block_type.get_block_type_slug()][SINGLE_NAME]
    except KeyError:
        raise ConfigurationError(
            f"the Prefect server has no block {block_type.get_block_type_name()!r} / {SINGLE_NAME!r}",
            state="nothing was touched",
            hint="run: pulih apply",
        ) from None
