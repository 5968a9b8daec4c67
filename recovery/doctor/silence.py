"""Silence is an alarm: what is missing although nothing failed. From the catalog, and from Prefect where it answers."""

from datetime import datetime

from recovery.doctor.blocks import examine_blocks
from recovery.doctor.finding import Finding
from recovery.doctor.runs import examine_runs
from recovery.errors import HostError
from recovery.guard.alive import guard_alarm
from recovery.guard.proofs import PROOF_KINDS, proof_alarms
from recovery.guard.report import Alarm, Kind
from recovery.guard.telling import tell_alarms
from recovery.installation import Installation
from recovery.prefect_api import PrefectApi


def listen(installation: Installation, api: PrefectApi | None, now: datetime) -> tuple[list[Alarm], int]:
    """Given an installation and its Prefect server's API (None: only the catalog is asked), return all alarms about
    proofs, schedules and the guard, and of how many the office was told just now."""
    alarms = proof_alarms(installation, now)
    with installation.catalog.read() as connection:
        stopped = guard_alarm(connection, now)
    alarms += [stopped] if stopped else []
    kinds: set[Kind] = {*PROOF_KINDS, "guard"}
    if api is not None:
        kinds |= {"scheduler", "blocks"}
        alarms += _server(installation, api)
    return alarms, tell_alarms(installation, alarms, kinds, now)


def _server(installation: Installation, api: PrefectApi) -> list[Alarm]:
    looks: dict[Kind, list[Finding]] = {}
    try:
        looks["scheduler"] = list(examine_runs(installation, api))
        looks["blocks"] = list(examine_blocks(installation, api))
    except HostError as error:
        return [Alarm("scheduler", "Prefect server", error.message, error.hint)]
    return [
        Alarm(kind, finding.subject, finding.message, finding.mend)
        for kind, findings in looks.items()
        for finding in findings
        if finding.state == "problem"
    ]
