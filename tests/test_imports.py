"""Imports go one way: cli, deployments → flows → tasks → blocks → recovery; and recovery never imports Prefect."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import VERBS

ROOT = Path(__file__).resolve().parent.parent
# A package may import itself and what stands right of it.
LAYERS = ["cli", "deployments", "flows", "tasks", "blocks", "recovery"]
# demo plays the users of all of them; nothing imports it.
ALLOWED = {layer: set(LAYERS[place:]) for place, layer in enumerate(LAYERS)}


def modules_of(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py"))


def imported_packages(path: Path) -> set[str]:
    packages = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            packages.add(node.module.split(".")[0])
    return packages


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_what_stands_below_it(layer: str) -> None:
    """One sentence says which way imports go; this walks them."""
    forbidden = (set(LAYERS) | {"demo", "tests", "bench"}) - ALLOWED[layer]
    found = {
        str(path.relative_to(ROOT)): sorted(imported_packages(path) & forbidden)
        for path in modules_of(layer)
        if imported_packages(path) & forbidden
    }
    assert {} == found


def test_every_layer_has_modules_to_walk() -> None:
    """A walk over nothing would always pass."""
    assert all(len(modules_of(layer)) > 1 for layer in LAYERS)


def test_recovery_never_imports_prefect() -> None:
    """What proves a backup must be usable in a disaster, without a server."""
    found = [str(path) for path in modules_of("recovery") if "prefect" in imported_packages(path)]
    assert [] == found


def test_only_sources_and_hosts_know_engines_and_ways_to_a_machine() -> None:
    """Whatever else runs a procedure asks Source and Host. The doctor asks the worker's own machine."""
    allowed = {"base", "identities", "local", "scratch_server", "server", "services", "services_sudo"}
    found = [
        f"{path.relative_to(ROOT)}: {node.module}"
        for layer in LAYERS
        for path in modules_of(layer)
        if path.parent.name not in ("sources", "hosts")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        if node.module.startswith(("recovery.sources.", "recovery.hosts."))
        and node.module.rpartition(".")[2] not in allowed
    ]
    assert [] == found


def test_a_verb_that_needs_no_server_does_not_import_prefect() -> None:
    """Importing Prefect costs seconds; most verbs never speak to it. Great Expectations costs even more."""
    modules = [f"cli.{verb.replace('-', '_')}" for verb in sorted(set(VERBS) - {"apply"})]
    # One process for all: the first that imports one of them is named.
    program = (
        "import importlib, sys, cli.main\n"
        f"for module in {modules}:\n"
        "    importlib.import_module(module)\n"
        "    found = {'prefect', 'great_expectations', 'alembic', 'typst'} & set(sys.modules)\n"
        "    if found: sys.exit(f'{module} imports {sorted(found)}')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert ("", 0) == (done.stderr, done.returncode)
