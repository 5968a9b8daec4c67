"""The Prefect server's API over plain HTTP: what administrators' verbs ask of it needs no import of Prefect."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from recovery.errors import ConfigurationError, HostError

WORK_POOL = "pulih"
RETENTION_POOL = "pulih-pemusnahan"
TIMEOUT = 10.0


@dataclass(frozen=True)
class PrefectApi:
    """Where the API is, and the "user:password" that its server asks for ("" when it asks for none)."""

    url: str
    auth_string: str = field(default="", repr=False)

    def ask(self, path: str, body: Any = None, *, authenticated: bool = True) -> Any:
        """Given a path below the API and a body (None reads), return the JSON that the server answers; None when there
        is no such thing. Raises HostError, which names the address and what the server or the network said."""
        answer = self._open(path, body, authenticated)
        return None if answer is None else answer[0]

    def clock(self) -> datetime | None:
        """Return the server's time, to the second; None when it does not say. Raises HostError."""
        answer = self._open("/health", None, True)
        said = None if answer is None else answer[1]
        if not said:
            return None
        try:
            return parsedate_to_datetime(said).astimezone(UTC)
        except ValueError:
            return None

    def run_address(self, flow_run_id: str) -> str:
        """Given a flow run's id, return its address in the user interface that this server serves."""
        return f"{self.url.rstrip('/').removesuffix('/api')}/runs/flow-run/{flow_run_id}"

    def _open(self, path: str, body: Any, authenticated: bool) -> tuple[Any, str] | None:
        """Return what was answered and the Date header that came with it."""
        if not self.url.startswith(("http://", "https://")):
            raise self._failed("the address does not begin with http:// or https://")
        headers = {"Content-Type": "application/json"}
        if self.auth_string and authenticated:
            headers["Authorization"] = f"Basic {base64.b64encode(self.auth_string.encode()).decode()}"
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(self.url.rstrip("/") + path, data=data, headers=headers)  # noqa: S310 — checked
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 — checked
                return json.load(answer), answer.headers.get("Date", "")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise self._refused(error) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise self._failed(str(reason)) from error

    def _failed(self, reason: str) -> HostError:
        return HostError(
            f"{self.url}: {reason}",
            state="nothing was changed on the Prefect server, as far as is known",
            hint="start the server, or correct PREFECT_API_URL (it ends in /api)",
        )

    def _refused(self, error: urllib.error.HTTPError) -> HostError:
        if error.code in (401, 403):
            return UnauthorizedError(
                f"{self.url} asks for a password ({error.code})",
                state="nothing was changed on the Prefect server",
                hint="set PREFECT_API_AUTH_STRING to what the server has as PREFECT_SERVER_API_AUTH_STRING",
            )
        try:
            said = json.load(error).get("detail", "")
        except (OSError, ValueError, AttributeError):
            said = ""
        return HostError(
            f"{self.url} refused: {error.code} {said or error.reason}",
            state="nothing was changed on the Prefect server",
            hint="see the server's own log; or correct PREFECT_API_URL (it ends in /api)",
        )


class UnauthorizedError(HostError):
    """The server asks for another "user:password" than the one that is set, if any."""


def prefect_api(environment: Mapping[str, str]) -> PrefectApi:
    """Given the environment, return the API that it names. Raises ConfigurationError when it names none."""
    url = environment.get("PREFECT_API_URL", "")
    if not url:
        raise ConfigurationError(
            "no Prefect server is configured",
            state="nothing was changed",
            hint="set PREFECT_API_URL, for example to http://127.0.0.1:4200/api",
        )
    return PrefectApi(url, environment.get("PREFECT_API_AUTH_STRING", ""))
