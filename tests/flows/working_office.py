"""A small office at work: its installation applied to a real Prefect server, its officials at their browsers, and the
means to look at, to push and to kill what runs."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyotp

from demo.officials import Browser, Phone
from deployments.server import LocalServer, start_server
from recovery.installation import Installation
from recovery.inventory import Inventory
from recovery.records import ledger, officials, procedures, steps
from recovery.records.ledger import Entry
from recovery.records.steps import StepRow
from tests.flows.people import PEOPLE, people
from tests.flows.waiting import wait_until
from tests.testbed.prefect_server import server_settings, start_test_worker
from tests.testbed.small_office import (
    DISPOSITION,
    KABID,
    KADIS,
    REVIEW,
    VERIFICATION,
    SmallOffice,
    restore_request,
)

BACKUP = "Back Up Data/bulanan"
OUT_OF_SCHEDULE = "Back Up Data/di-luar-jadwal"
RESTORE = "Restore Data/restore"
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass
class WorkingOffice:
    """The office, the server, and one browser and phone for everybody."""

    small: SmallOffice
    server: LocalServer
    worker_name: str
    database_url: str
    browser: Browser = field(init=False)
    phones: dict[str, Phone] = field(init=False)
    used_receipt_codes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.browser = Browser(self.server)
        self.phones = {nip: Phone(secret) for nip, secret in self.small.phones.items()}
        self._client = httpx.Client(base_url=self.server.api_url, timeout=60)

    @property
    def installation(self) -> Installation:
        return self.small.installation

    # --- the server's API ---------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send one request; the embedded server says 503 while its SQLite is busy, and is asked again then."""
        for _attempt in range(20):
            response = self._client.request(method, path, json=body)
            if response.status_code != 503:
                break
            time.sleep(0.5)
        return response

    def get(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request that must be answered well, and return the answer's JSON."""
        response = self.ask(method, path, body)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text[:500]}"
        return response.json() if response.content else None

    def set_state(self, run: str, kind: str, name: str, *, force: bool = True) -> dict[str, Any]:
        """Set a run's state as anybody who reaches the API can."""
        state = {"type": kind, "name": name}
        result: dict[str, Any] = self.get("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": force})
        return result

    def retry(self, run: str) -> None:
        """Press "Retry" in the UI: this is what it sends."""
        state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
        answer = self.get("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": True})
        assert "ACCEPT" == answer["status"], answer

    def states(self, run: str) -> list[str]:
        """The names of all states that a run went through, oldest first."""
        found = self.get("GET", f"/flow_run_states/?flow_run_id={run}")
        return [state["name"] for state in sorted(found, key=lambda state: state["timestamp"])]

    def task_names(self, run: str) -> list[str]:
        """The names of a run's task runs that did something, in the order in which they started."""
        runs = [task for task in self.browser.task_runs(run) if task["start_time"]]
        return [task["name"] for task in runs]

    def switch_automations(self, enabled: bool, within: float | None = None) -> None:
        """Switch all automations on or off; `within` shortens the times after which the silent ones speak."""
        for automation in self.get("POST", "/automations/filter", {}):
            trigger = dict(automation["trigger"])
            if within is not None and trigger["posture"] == "Proactive":
                trigger["within"] = within
            kept = {name: automation[name] for name in ("name", "description", "tags", "actions")}
            self.get("PUT", f"/automations/{automation['id']}", {**kept, "trigger": trigger, "enabled": enabled})

    # --- runs ---------------------------------------------------------------------------------------------------

    def back_up(self, reason: str = "Cadangan untuk pengujian alur", **parameters: str) -> str:
        """Start a backup as "Custom run" of the schedule's deployment does."""
        return self.browser.start(BACKUP, {"jadwal": "bulanan", "alasan_di_luar_jadwal": reason, **parameters})

    def request_restore(self, **fields: Any) -> str:
        """Start a restore with a complete request form."""
        return self.browser.start(RESTORE, {"formulir": restore_request(**fields).model_dump(mode="json")})

    def wait_for_question(self, run: str, step_id: str, attempt: int = 1) -> str:
        """Wait until a run asks for this attempt at a step's answer; return the text above the form."""
        key = f"{step_id.replace('.', '-')}-percobaan-{attempt}"

        def asked() -> str:
            state = self.browser.state(run)
            assert state["type"] not in ENDED, f"ended as {state['name']} ({state['message']}), did not ask for {key}"
            if state["name"] != "Suspended" or state["state_details"]["pause_key"] != key:
                return ""
            return self.browser.form(run) if self.schema_is_there(run, key) else ""

        return wait_until(asked, f"{run} asks for {key}; {self.server.home}/worker-{self.worker_name}.log")

    def schema_is_there(self, run: str, key: str) -> bool:
        """Whether the form was saved: a run is suspended a moment before."""
        return self.ask("GET", f"/flow_runs/{run}/input/suspended-{key}-schema").is_success

    def wait_for_end(self, run: str) -> dict[str, Any]:
        """Wait until a run has ended and return its final state."""

        def ended() -> dict[str, Any] | None:
            state = self.browser.state(run)
            assert state["name"] != "Suspended", f"the run asks for {state['state_details']['pause_key']}"
            return state if state["type"] in ENDED else None

        found = wait_until(ended, f"{run} ends; {self.server.home}/worker-{self.worker_name}.log")
        assert found is not None
        return found

    def wait_for_crash(self, run: str) -> None:
        """Wait until a killed run is reported as crashed, by all who report it.

        The worker reports it twice; a retry between the two would be overwritten. Its last word is a log line.
        """
        assert "Crashed" == self.wait_for_end(run)["name"]
        body = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_DESC", "limit": 200}

        def last_word() -> bool:
            return any(
                line["name"] == "prefect.flow_runs.worker" and line["message"].startswith("Check whether the flow run")
                for line in self.get("POST", "/logs/filter", body)
            )

        wait_until(last_word, f"the worker has reported the end of {run}")

    def filled_in(self, run: str, step_id: str, nip: str, decision: str, **fields: str) -> dict[str, str]:
        """The form of a step as an official fills it in, with his own code unless `fields` say otherwise."""
        answer = {
            "keputusan": decision,
            "nip": nip,
            "catatan": "-",
            **ANSWERS.get(step_id, {}),
            "kode_dokumen": fields.pop("kode_dokumen", "") or self.browser.document_code(run),
            **fields,
        }
        if "kode" not in answer:
            answer["kode"] = self.phones[nip].code()
        return answer

    def decide(self, run: str, step_id: str, nip: str, decision: str, *, attempt: int = 1, **fields: str) -> None:
        """Wait for a step's form, fill it in and send it."""
        self.wait_for_question(run, step_id, attempt)
        self.browser.resume(run, self.filled_in(run, step_id, nip, decision, **fields))

    def review(self, run: str) -> dict[str, Any]:
        """Review a backup as the Kabid, find it in order, and return the run's final state."""
        self.decide(run, "backup.6", KABID, "sesuai")
        return self.wait_for_end(run)

    def approve_restore(self, run: str) -> None:
        """Dispose and verify; the run then rehearses and asks the executor."""
        self.decide(run, "restore.2", KADIS, "diteruskan")
        self.decide(run, "restore.3", KABID, "disetujui")

    # --- the records --------------------------------------------------------------------------------------------

    def steps(self, run: str) -> dict[tuple[str, str], StepRow]:
        """A procedure's steps as recorded, by id and component."""
        with self.installation.catalog.read() as connection:
            return {(row.step_id, row.component): row for row in steps.list_steps(connection, run)}

    def ledger(self, run: str, kind: str = "") -> list[Entry]:
        """A procedure's ledger entries, oldest first; of one kind, if named."""
        with self.installation.catalog.read() as connection:
            found = ledger.entries(connection, procedure_id=run, last=1000)
        return [entry for entry in sorted(found, key=lambda entry: entry.sequence) if kind in ("", entry.kind)]

    def ledger_findings(self) -> list[str]:
        """What is wrong with the whole ledger; nothing, if it is intact."""
        with self.installation.catalog.read() as connection:
            return ledger.verify(connection)

    def notices(self) -> str:
        """The requesters' mail box."""
        path = self.small.root / "notices.txt"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def receipt_code(self) -> str:
        """The newest receipt code in the mail box; whoever asks for it types it into a form."""
        marker = "Kode tanda terima (sekali pakai): "
        codes = [line.removeprefix(marker) for line in self.notices().splitlines() if line.startswith(marker)]
        self.used_receipt_codes.add(codes[-1])
        return codes[-1]

    def rehearsal(self, run: str) -> dict[str, Any]:
        """What step 3 recorded of a restore's rehearsal."""
        evidence = self.steps(run)["restore.3", ""].evidence
        assert evidence is not None
        rehearsal: dict[str, Any] = evidence["rehearsal"]
        return rehearsal

    def close_what_is_open(self) -> None:
        """Close every open restore as an administrator would have to."""
        with self.installation.catalog.read() as connection:
            left = procedures.list_open(connection, "restore")
        for procedure in left:
            procedures.close_procedure(self.installation.catalog, procedure.id, "gagal")

    # --- processes ----------------------------------------------------------------------------------------------

    def processes_of(self, run: str) -> list[int]:
        """The process ids of a run; empty when it is suspended or ended."""
        marker = f"PREFECT__FLOW_RUN_ID={run}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if marker in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def kill_run(self, run: str) -> None:
        """SIGKILL every process group of a run: what a power cut or the kernel's memory killer does to it."""
        groups = self._groups_of(run)
        assert groups, "the run has no process"
        signal_groups(groups, signal.SIGKILL)
        wait_until(lambda: not self.processes_of(run), "the run's processes are gone")

    def _groups_of(self, run: str) -> set[int]:
        """The process groups of a run; none of them is the worker's."""
        groups = set()
        for pid in self.processes_of(run):
            with suppress(ProcessLookupError):  # it has ended since
                groups.add(os.getpgid(pid))
        worker = os.getpgid(self.pid_of(f"worker-{self.worker_name}"))
        assert worker not in groups, "the run lives in the worker's process group"
        return groups

    def kill_worker(self) -> None:
        """SIGKILL the worker, and nothing that it has started in a process group of its own, as it does its runs."""
        worker = self.pid_of(f"worker-{self.worker_name}")
        os.killpg(worker, signal.SIGKILL)
        wait_until(lambda: is_gone(worker), "the worker is gone")

    def kill_worker_during_a_step(self, run: str) -> tuple[str, str]:
        """SIGKILL the worker alone while its run is in the middle of a step, as the kernel's memory killer and systemd
        (KillMode=process) do it: the run lives on. Return the step and its component."""
        # What a killed process of this run left open is not being worked on.
        left = {key: row.tries for key, row in self.steps(run).items() if row.state == "open"}

        def stopped_in_a_step() -> tuple[set[int], tuple[str, str]] | None:
            groups = self._groups_of(run)
            signal_groups(groups, signal.SIGSTOP)
            rows = self.steps(run).items()
            begun = [key for key, row in rows if row.state == "open" and row.tries != left.get(key)]
            if groups and begun:
                return groups, begun[0]
            signal_groups(groups, signal.SIGCONT)
            return None

        found = wait_until(stopped_in_a_step, f"{run} works on a step", every=0.1)
        assert found is not None
        groups, step = found
        try:
            self.kill_worker()
        finally:
            signal_groups(groups, signal.SIGCONT)
        return step

    def start_worker(self) -> None:
        """Start a worker as the test session did."""
        start_test_worker(self.server)

    def restart_server(self) -> None:
        """SIGKILL the server and start it again on its database and port, as a reboot does."""
        server = self.pid_of("server")
        os.killpg(server, signal.SIGKILL)
        wait_until(lambda: is_gone(server), "the server is gone")
        start_server(self.server.home, port=self.server.port, settings=server_settings(self.database_url))

    @contextmanager
    def worker_held(self) -> Iterator[None]:
        """Keep the worker from starting anything while the block runs."""
        worker = self.pid_of(f"worker-{self.worker_name}")
        os.kill(worker, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(worker, signal.SIGCONT)

    def pid_of(self, kind: str) -> int:
        """The process id of "server" or "worker-<name>"."""
        return int(json.loads((self.server.home / f"{kind}.pid").read_text())["pid"])


ANSWERS: dict[str, dict[str, str]] = {"backup.6": REVIEW, "restore.2": DISPOSITION, "restore.3": VERIFICATION}


def inventory_of(small: SmallOffice) -> Inventory:
    """What an administrator would have written for this office."""
    there = small.installation
    return Inventory(
        office=there.office,
        keys=there.keys,
        hosts=list(there.hosts.values()),
        stores=list(there.stores.values()),
        applications=list(there.applications.values()),
        schedules=list(there.schedules.values()),
        officials=people(there.office.notice_targets[0]),
    )


def enrol_missing(small: SmallOffice) -> None:
    """Give a phone to everybody who has none."""
    for nip, _name, _roles in PEOPLE:
        if nip not in small.phones:
            key = small.installation.enrolment_key()
            small.phones[nip] = officials.enrol(small.installation.catalog, nip, key).secret


def signal_groups(groups: set[int], number: signal.Signals) -> None:
    """Send a signal to process groups, as far as they are still there."""
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, number)


def is_gone(pid: int) -> bool:
    """Whether a process of this id no longer runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except FileNotFoundError:
        return True


def wrong_code(secret: str) -> str:
    """A code that this phone shows at no time near now."""
    device = pyotp.TOTP(secret)
    now = int(time.time())
    near = {device.at(now + 30 * offset) for offset in range(-4, 5)}
    return next(code for number in range(1000) if (code := f"{number:06d}") not in near)


def code_of(secret: str, seconds_ago: int = 0) -> str:
    """The code that a phone shows, or showed then; looked at by somebody else, so the phone knows nothing of it."""
    return pyotp.TOTP(secret).at(int(time.time()) - seconds_ago)
