"""What every verb gets: the installation, opened when first needed, and one way to print for people or programs."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    # Only named here: help and usage errors must not cost the second that SQLAlchemy and pydantic take.
    from recovery.installation import Installation
    from recovery.inventory import Inventory

DEFAULT_INVENTORY = "/etc/pulih/inventory.yaml"


def default_inventory() -> Path:
    """Return the inventory's path when no option names one: $PULIH_INVENTORY, else the one of the system."""
    return Path(os.environ.get("PULIH_INVENTORY") or DEFAULT_INVENTORY)


@dataclass
class Output:
    """The context of a verb. The common options set its fields, before or after the verb's name."""

    inventory_path: Path = field(default_factory=default_inventory)
    as_json: bool = False
    verbose: bool = False

    @cached_property
    def inventory(self) -> "Inventory":
        """The inventory. Raises ConfigurationError that names every line that is wrong."""
        from recovery.inventory import load_inventory

        return load_inventory(self.inventory_path)

    @cached_property
    def installation(self) -> "Installation":
        """The installation, with a catalog of this release. Raises ConfigurationError and RecordsError."""
        installation = self.inventory.installation()
        installation.catalog.check()
        return installation

    def show(self, data: Any, lines: Iterable[str]) -> None:
        """Print `data` as one JSON document, or the lines for people."""
        if self.as_json:
            click.echo(json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True))
        else:
            for line in lines:
                click.echo(line)

    def say(self, lines: Iterable[str]) -> None:
        """Print lines for people before the result is known; programs get one document, at the end."""
        if not self.as_json:
            for line in lines:
                click.echo(line)

    def log_directory(self) -> Path | None:
        """Where a defect of this run is written down: the state directory's `log`, once the inventory is read."""
        inventory: Inventory | None = self.__dict__.get("inventory")
        return None if inventory is None else Path(inventory.office.state_directory) / "log"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Given a head and rows, return aligned lines."""
    widths = [max(len(str(row[column])) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
