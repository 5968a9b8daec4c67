"""What a fresh installation gets wrong: each finding with how to mend it. Needs no Prefect in this process.

Every look is on its own: whatever one of them meets becomes a finding, and the others still happen.
"""

from recovery.doctor.applications import examine_applications
from recovery.doctor.clock import examine_clock
from recovery.doctor.finding import Finding, State
from recovery.doctor.hosts import examine_hosts
from recovery.doctor.keys import examine_keys
from recovery.doctor.packages import examine_packages
from recovery.doctor.people import examine_people
from recovery.doctor.places import examine_places
from recovery.doctor.records import examine_records
from recovery.doctor.server import examine_server
from recovery.installation import Installation
from recovery.prefect_api import PrefectApi

__all__ = ["Finding", "State", "examine"]


def examine(installation: Installation, api: PrefectApi | None) -> list[Finding]:
    """Given an installation and the Prefect server's API (None when none is configured), return all findings."""
    findings = [*examine_packages(), *examine_clock()]
    for look in (examine_keys, examine_places, examine_records, examine_people, examine_hosts, examine_applications):
        findings += look(installation)
    return findings + list(examine_server(installation, api))
