"""pulih apply shows what differs and asks; that applying makes it so is shown in tests/deployments. What other verbs
do with a server that was applied to is shown here too, since applying takes long."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import Office, Pulih
from tests.cli.test_request import write_letter

if TYPE_CHECKING:
    from deployments.server import LocalServer

ROOT = Path(__file__).parents[2]


def test_with_json_nobody_can_be_asked(pulih: Pulih, broken: Office) -> None:
    """A prompt inside a document would spoil both."""
    ended = pulih("--inventory", broken.inventory, "--json", "apply")
    assert (2, "") == (ended.code, ended.out)
    assert "with --json nobody can be asked: add --yes, or --dry-run" == ended.error["error"]


def test_an_error_in_the_inventory_costs_no_import_of_prefect(tmp_path: Path) -> None:
    """The first run of a newcomer is usually wrong."""
    (tmp_path / "inventory.yaml").write_text("office: 1\n")
    program = (
        "import sys; from cli.main import run; "
        f"code = run(['apply', {str(tmp_path / 'inventory.yaml')!r}]); print(code, 'prefect' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "2 False" == ended.stdout.strip()


def test_without_a_server_nothing_is_changed(broken: Office, tmp_path: Path) -> None:
    """Prefect would start a server of its own and throw it away."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", "apply", "--yes", str(broken.inventory)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**environment, "PREFECT_HOME": str(tmp_path / "prefect")},
        check=False,
    )
    assert (2, "") == (ended.returncode, ended.stdout)
    assert "no Prefect server is configured; nothing was changed\nHINT: set PREFECT_API_URL" in ended.stderr


@pytest.fixture
def bare_server(prefect_server: "LocalServer") -> "Iterator[LocalServer]":
    """The session's server without anything of ours, before and after."""
    from tests.testbed.prefect_server import empty_server

    empty_server()
    yield prefect_server
    empty_server()


@pytest.mark.slow
def test_applying_asks_applies_and_then_has_nothing_to_change(
    pulih: Pulih, broken: Office, bare_server: "LocalServer", monkeypatch: pytest.MonkeyPatch
) -> None:
    """One installation, one real server: refuse, look, apply, apply again."""
    answers = iter("nobody is here")
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda *prompt: next(answers))
    refused = pulih("apply", broken.inventory)
    assert (1, "nothing was changed") == (refused.code, refused.err.strip().splitlines()[-1])
    assert "+ " in refused.out

    def nobody(*prompt: object) -> str:
        raise EOFError

    monkeypatch.setattr("click.termui.visible_prompt_func", nobody)
    unanswered = pulih("apply", broken.inventory)
    assert 2 == unanswered.code
    assert "nobody answered, so nothing was changed" in unanswered.err

    looked = pulih("--json", "apply", "--dry-run", broken.inventory)
    assert (0, True) == (looked.code, looked.document["dry_run"])
    assert {"create"} >= {change["action"] for change in looked.document["changes"]} - {"change"}

    applied = pulih("--json", "apply", "--yes", broken.inventory)
    assert (0, looked.document["changes"]) == (applied.code, applied.document["changes"])
    again = pulih("apply", broken.inventory)
    assert (0, "nothing to change\n") == (again.code, again.out)

    # The deployment is there now: a letter from paper becomes a run of it. No worker may take that up meanwhile.
    pause(bare_server, True)
    monkeypatch.setenv("PREFECT_API_URL", bare_server.api_url)
    sent = pulih("--inventory", broken.inventory, "--json", "request", write_letter(broken.root))
    assert (0, "") == (sent.code, sent.err)
    run = ask(bare_server, f"/flow_runs/{sent.document['flow_run_id']}")
    assert ("SCHEDULED", "simpel") == (run["state_type"], run["parameters"]["formulir"]["aplikasi"])
    assert f"{bare_server.url}/runs/flow-run/{run['id']}" == sent.document["address"]
    ask(bare_server, f"/flow_runs/{run['id']}", "DELETE")
    pause(bare_server, False)


def ask(server: "LocalServer", path: str, method: str = "GET", body: Any = None) -> Any:
    """Ask the server as any client would."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.api_url + path, data=data, method=method)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def pause(server: "LocalServer", paused: bool) -> None:
    """Pause the work pool, or let it go on."""
    ask(server, "/work_pools/pulih", "PATCH", {"is_paused": paused})
