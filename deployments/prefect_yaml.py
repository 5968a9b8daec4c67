"""prefect.yaml: the deployments of the example inventory, for people who read or use Prefect's own command.

`python -m deployments.prefect_yaml` writes it anew. `pulih apply` does not read it, and only apply writes the
drop-downs: `prefect deploy` makes the parameter schema from the flow's signature again.
"""

from pathlib import Path
from typing import Any

import yaml

from deployments.wanted import engine_command, wanted_deployments
from recovery.inventory import Inventory, load_inventory

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "deployments" / "inventory.example.yaml"
_HEADER = """\
# The deployments of deployments/inventory.example.yaml. Written by `python -m deployments.prefect_yaml`; do not edit.
# Use `pulih apply inventory.yaml`: it also writes blocks, officials and the drop-downs of the forms, which
# `prefect deploy` cannot. PULIH_RELEASE is the directory of the installed release.
"""


def prefect_yaml(inventory: Inventory) -> dict[str, Any]:
    """Given an inventory, return the content of its prefect.yaml."""
    return {
        "name": "pulih",
        "prefect-version": "3.8.8",
        "pull": [{"prefect.deployments.steps.set_working_directory": {"directory": "{{ $PULIH_RELEASE }}"}}],
        "deployments": [_started_by_command(deployment) for deployment in wanted_deployments(inventory)],
    }


def _started_by_command(deployment: dict[str, Any]) -> dict[str, Any]:
    pool = deployment["work_pool"]
    command = engine_command("{{ $PULIH_RELEASE }}/.venv/bin/python")
    return {**deployment, "work_pool": {**pool, "job_variables": {**pool["job_variables"], "command": command}}}


def write(path: Path = ROOT / "prefect.yaml") -> None:
    """Write prefect.yaml for the example inventory."""
    text = yaml.dump(
        prefect_yaml(load_inventory(EXAMPLE)), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120
    )
    path.write_text(_HEADER + text, encoding="utf-8")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)

if __name__ == "__main__":
    write()
