"""What every verb gets: the inventory's path, and one way to print for people or for programs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from recovery.installation import Installation
from recovery.inventory import Inventory, load_inventory


@dataclass
class Output:
    """The context of a verb."""

    inventory_path: Path
    as_json: bool

    @cached_property
    def inventory(self) -> Inventory:
        """The inventory. Raises ConfigurationError."""
        return load_inventory(self.inventory_path)

    @cached_property
    def installation(self) -> Installation:
        """The installation, with a catalog of this release. Raises ConfigurationError and RecordsError."""
        installation = self.inventory.installation()
        installation.catalog.check()
        return installation

    def show(self, data: Any, lines: Iterable[str]) -> None:
        """Print `data` as JSON, or the lines for people."""
        if self.as_json:
            click.echo(json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True))
        else:
            for line in lines:
                click.echo(line)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Given a head and rows, return aligned lines."""
    widths = [max(len(str(row[column])) for row in (head, *rows)) for column in range(len(head))]
    return ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)]
