"""What the installation is told, as files that a rebuilt one reads: inventory, owners' rules, pinned keys, public keys.

Secrets are references in it, as everywhere.
"""

import shutil
from pathlib import Path
from typing import Any

import yaml

from recovery.errors import RecordsError
from recovery.installation import Installation
from recovery.keys_succession import recorded_successions
from recovery.own_records_databases import NOT_PUT
from recovery.records import officials
from recovery.settings import OfficialSettings

INVENTORY = "inventory.yaml"
SUITES = "suites"
PINNED = "host-keys"
PUBLIC_KEYS = "public-keys.pem"
SUCCESSIONS = "successions"


def write_configuration(installation: Installation, directory: Path) -> None:
    """Given an installation, write its configuration into a directory. Raises RecordsError for what cannot be read.

    Suites and pinned keys lie beside the inventory, which names them by relative paths; `resolved` undoes that.
    """
    document = _document(installation)
    for application in document["applications"]:
        for component in application["components"]:
            if component["suite"]:
                name = f"{application['name']}_{component['name']}.yaml"
                component["suite"] = _copied(Path(component["suite"]), directory / SUITES / name)
    for host in document["hosts"]:
        if host["host_keys"]:
            host["host_keys"] = _copied(Path(host["host_keys"]), directory / PINNED / host["name"])
    (directory / INVENTORY).write_text(as_text(document), encoding="utf-8")
    (directory / PUBLIC_KEYS).write_bytes(installation.signer.trusted_pem)
    statements = recorded_successions(installation.keys.signing_key)
    (directory / SUCCESSIONS).write_bytes(b"".join(each.to_bytes() + b"\n" for each in statements))


def as_text(document: dict[str, Any]) -> str:
    """Given an inventory as plain data, return it as YAML."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def resolved(document: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Given an inventory as write_configuration left it, and where it lies, return it with absolute paths."""
    for application in document["applications"]:
        for component in application["components"]:
            if component["suite"]:
                component["suite"] = str(directory / component["suite"])
    for host in document["hosts"]:
        if host["host_keys"]:
            host["host_keys"] = str(directory / host["host_keys"])
    return document


def _document(installation: Installation) -> dict[str, Any]:
    fields = OfficialSettings.model_fields
    with installation.catalog.read() as connection:
        people = [
            {name: value for name, value in vars(official).items() if name in fields}
            for official in officials.list_all(connection)
        ]
    return {
        "office": installation.office.model_dump(mode="json"),
        "keys": installation.keys.model_dump(mode="json"),
        "hosts": [each.model_dump(mode="json") for each in installation.hosts.values()],
        "stores": [each.model_dump(mode="json") for each in installation.stores.values()],
        "applications": [each.model_dump(mode="json") for each in installation.applications.values()],
        "schedules": [each.model_dump(mode="json") for each in installation.schedules.values()],
        "officials": [OfficialSettings.model_validate(each).model_dump(mode="json") for each in people],
    }


def _copied(path: Path, copy: Path) -> str:
    copy.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        shutil.copyfile(path, copy)
    except OSError as error:
        raise RecordsError(
            f"{path} cannot be read ({error.strerror})",
            state=NOT_PUT,
            hint="put back the file that the inventory names, then retry the run",
        ) from error
    return f"{copy.parent.name}/{copy.name}"
