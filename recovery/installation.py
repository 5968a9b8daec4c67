"""What one installation consists of: the settings, and the adapters that they open.

The worker builds it from Prefect blocks, the command line from the inventory; everything below them takes it as given.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from recovery.crypto import Signer, identity_that_opens, read_identities
from recovery.durable import write_error
from recovery.errors import ConfigurationError, NotFoundError, StoreFullError, StoreReadOnlyError
from recovery.hosts import open_host
from recovery.hosts.base import Host
from recovery.hosts.services import Service, open_service
from recovery.keys import read_enrolment_key
from recovery.keys_succession import recorded_successions, trusted_keys
from recovery.records.catalog import Catalog, open_catalog
from recovery.secrets import resolve
from recovery.settings import (
    ApplicationSettings,
    ComponentSettings,
    HostSettings,
    KeySettings,
    OfficeSettings,
    ScheduleSettings,
    StoreSettings,
)
from recovery.sources import open_source
from recovery.sources.base import Source
from recovery.stores import open_store
from recovery.stores.base import Store

RELEASE = "0.1.0"

Setting = TypeVar("Setting")


@dataclass
class Installation:
    """Settings by name, and what they open. Adapters are opened when they are first asked for."""

    office: OfficeSettings
    keys: KeySettings
    hosts: dict[str, HostSettings]
    stores: dict[str, StoreSettings]
    applications: dict[str, ApplicationSettings]
    schedules: dict[str, ScheduleSettings]
    suites_directory: str = field(default="")

    # --- settings by name ---------------------------------------------------------------------------------------

    def application(self, name: str) -> ApplicationSettings:
        """Given an application's name, return its settings. Raises NotFoundError that lists the known names."""
        return _named(self.applications, name, "application")

    def schedule(self, name: str) -> ScheduleSettings:
        """Given a schedule's name, return its settings. Raises NotFoundError."""
        return _named(self.schedules, name, "schedule")

    def component(self, key: str) -> tuple[ApplicationSettings, ComponentSettings]:
        """Given "application/component", return both settings. Raises NotFoundError."""
        application_name, _, component_name = key.partition("/")
        application = self.application(application_name)
        components = {component.name: component for component in application.components}
        return application, _named(components, component_name, f"component of {application_name}")

    # --- adapters ----------------------------------------------------------------------------------------------

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog that the settings name; SQLite in the state directory by default."""
        return open_catalog(self.catalog_url)

    @property
    def catalog_url(self) -> str:
        """The catalog's SQLAlchemy URL; it may hold a password and is never printed."""
        if self.office.catalog:
            return resolve(self.office.catalog).decode()
        return f"sqlite:///{self.state_directory / 'catalog.sqlite'}"

    def store(self, name: str) -> Store:
        """Given a store's name, open it. Raises NotFoundError."""
        return open_store(_named(self.stores, name, "store"))

    def removal_store(self, name: str) -> Store:
        """Given a store's name, open it with the credentials that may remove. Only retention asks for it.

        Raises NotFoundError; what is done with it raises StoreError where those credentials are not kept.
        """
        return open_store(_named(self.stores, name, "store"), for_removal=True)

    def host_of(self, application: ApplicationSettings) -> Host:
        """Given an application, open the host on which it runs. Raises NotFoundError."""
        return open_host(_named(self.hosts, application.host, "host"))

    def source(self, key: str) -> Source:
        """Given "application/component", open its source. Raises NotFoundError."""
        application, component = self.component(key)
        return open_source(self.host_of(application), component)

    def services(self, application_name: str) -> list[Service]:
        """Given an application's name, open its services in the order in which they are stopped."""
        application = self.application(application_name)
        host = self.host_of(application)
        return [open_service(host, service) for service in application.services]

    # --- keys --------------------------------------------------------------------------------------------------

    @cached_property
    def signer(self) -> Signer:
        """The key that signs manifests and ledger heads, with the earlier keys that it vouches for.

        Raises KeyMissingError, and SignatureError for a damaged file of successions beside the key.
        """
        signer = Signer.from_pem(resolve(self.keys.signing_key), self.keys.signing_key)
        return signer.trusting(trusted_keys(signer.public_pem, recorded_successions(self.keys.signing_key)))

    def operations_identities(self) -> list[Any]:
        """The age identities that open backups in daily operation, newest first. Raises KeyMissingError."""
        return read_identities(resolve(self.keys.operations_identity), self.keys.operations_identity)

    def operations_identity(self, recipients: Sequence[str]) -> Any:
        """Given a set's recipients, return the identity that opens it; a set keeps the recipients of its day.

        Raises KeyMissingError when none is held.
        """
        return identity_that_opens(self.operations_identities(), recipients, self.keys.operations_identity)

    def enrolment_key(self) -> bytes:
        """The 32-byte key that encrypts officials' secrets. Raises KeyMissingError."""
        return read_enrolment_key(resolve(self.keys.enrolment_key), self.keys.enrolment_key)

    # --- directories -------------------------------------------------------------------------------------------

    @property
    def state_directory(self) -> Path:
        """Where the worker keeps staging, scratch, forms and, by default, the catalog."""
        return Path(self.office.state_directory)

    def staging(self, procedure_id: str, component: str) -> Path:
        """The private directory in which one component's backup waits until it is secured; created when missing."""
        return private_directory(self.state_directory / "staging" / procedure_id / component.replace("/", "_"))

    def scratch(self, procedure_id: str, component: str) -> Path:
        """A private directory for scratch copies of one component; emptied of what a killed try left."""
        directory = self.state_directory / "scratch" / procedure_id / component.replace("/", "_")
        remove_tree(directory)
        return private_directory(directory)

    def sweep(self, procedure_id: str) -> None:
        """Remove staging and scratch of one procedure; what is in them is secured by now or is of no use."""
        for kind in ("staging", "scratch"):
            remove_tree(self.state_directory / kind / procedure_id)

    @property
    def forms_directory(self) -> Path:
        """Where rendered forms lie."""
        return self.state_directory / "formulir"


def private_directory(directory: Path) -> Path:
    """Given a path, create it with mode 0700 (and its parents) and return it.

    Raises StoreFullError and StoreReadOnlyError where nothing can be written, and ConfigurationError for a bad path.
    """
    try:
        for part in [*reversed(directory.parents), directory]:
            if not part.exists():
                part.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        unwritable = write_error(error, str(directory), state="nothing was written")
        if isinstance(unwritable, StoreFullError | StoreReadOnlyError):
            raise unwritable from error
        raise ConfigurationError(
            f"the directory {directory} cannot be created ({error.strerror})",
            state="nothing was written",
            hint="correct state_directory in the inventory, or what stands in its way",
        ) from error
    return directory


def remove_tree(directory: Path) -> None:
    """Remove a directory tree of our own, if it is there. Restored trees may hold directories without permissions.

    Raises ConfigurationError when the system does not let it go.
    """
    if not directory.exists():
        return
    try:
        for folder, subfolders, _files in os.walk(directory):
            for subfolder in subfolders:
                path = Path(folder, subfolder)
                if not path.is_symlink():
                    path.chmod(0o700)
        shutil.rmtree(directory)
    except OSError as error:
        raise ConfigurationError(
            f"{directory} cannot be removed ({error.strerror})",
            state="what is left of it may be plain data; no backup and no live data is in it",
            hint="let the worker's account write there, and see that its file system is not mounted read-only",
        ) from error


def _named(settings: dict[str, Setting], name: str, what: str) -> Setting:
    try:
        return settings[name]
    except KeyError:
        raise NotFoundError(
            f"there is no {what} named {name!r}",
            state="nothing was touched",
            hint=f"choose one of: {', '.join(sorted(settings)) or '(none is configured)'}",
        ) from None
