"""Playing officials at the Prefect UI: the same requests that the browser sends, with codes from their phones."""

import json
import re
import time
from typing import Any

import httpx
import pyotp

from deployments.server import LocalServer
from recovery.errors import HostError


class Browser:
    """What an official's browser does: start a run of a deployment, read the form of a suspended one, answer it."""

    def __init__(self, server: LocalServer) -> None:
        self._client = httpx.Client(base_url=server.api_url, timeout=60)

    def start(self, deployment: str, parameters: dict[str, Any]) -> str:
        """Given "flow/deployment" and parameters, create a run as "Custom run" does, and return its id."""
        found = self._ask("GET", f"/deployments/name/{deployment}")
        return str(self._ask("POST", f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters})["id"])

    def state(self, run_id: str) -> dict[str, Any]:
        """Given a run, return its state: {"name", "type", "message", "state_details", …}."""
        state: dict[str, Any] = self._ask("GET", f"/flow_runs/{run_id}")["state"]
        return state

    def form(self, run_id: str) -> str:
        """Given a suspended run, return the Markdown that the UI shows above its form; "" while it is not there yet.

        A run is suspended a moment before its form is saved.
        """
        keyset = self.state(run_id)["state_details"]["run_input_keyset"]
        inputs = self._ask("POST", f"/flow_runs/{run_id}/input/filter", {"prefix": keyset["description"]})
        return str(json.loads(inputs[0]["value"])) if inputs else ""

    def document_code(self, run_id: str) -> str:
        """Given a suspended run, read its kode dokumen off the screen."""
        found = re.search(r"Kode dokumen: `([0-9A-Z]{4}-[0-9A-Z]{4})`", self.form(run_id))
        if found is None:
            raise HostError("the suspended run shows no document code", state="nothing was answered")
        return found.group(1)

    def resume(self, run_id: str, answer: dict[str, Any]) -> None:
        """Given an answer, send it as the Resume dialogue does. Raises HostError with the server's reason."""
        result = self._ask("POST", f"/flow_runs/{run_id}/resume", {"run_input": answer})
        if result["status"] != "ACCEPT":
            raise HostError(f"the server did not accept the answer: {result['details'].get('reason')}")

    def task_runs(self, run_id: str) -> list[dict[str, Any]]:
        """Given a run, return its task runs, oldest first."""
        found: list[dict[str, Any]] = self._ask(
            "POST",
            "/task_runs/filter",
            {"flow_runs": {"id": {"any_": [run_id]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 200},
        )
        return sorted(found, key=lambda run: run["start_time"] or "")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        reading = method == "GET" or path.endswith("/filter")
        for attempt in range(10):
            try:
                response = self._client.request(method, path, json=body)
            except httpx.TimeoutException as error:
                # What only reads may be asked again; whether an answer arrived nobody knows then.
                if reading and attempt < 3:
                    continue
                raise HostError(
                    f"{method} {path} was not answered within 60 s", hint="the machine is too busy; try again later"
                ) from error
            # The embedded server keeps its data in SQLite and says 503 when that is busy; browsers try again.
            if response.status_code != 503:
                break
            time.sleep(0.5)
        if response.is_error:
            raise HostError(f"{method} {path} answered {response.status_code}: {response.text[:300]}")
        return response.json()


class Phone:
    """An official's authenticator. A code is good for one use, so the phone waits for the next when it must.

    `used` says that somebody may have used the code of this half minute, such as the program that ran before.
    """

    def __init__(self, secret: str, *, used: bool = False) -> None:
        self._totp = pyotp.TOTP(secret)
        self._last_step = int(time.time()) // self._totp.interval if used else 0

    def code(self) -> str:
        """Return a code that was not used before."""
        while (step := int(time.time()) // self._totp.interval) <= self._last_step:
            time.sleep(0.2)
        self._last_step = step
        return self._totp.now()
