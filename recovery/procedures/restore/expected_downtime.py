"""How long the application will be down, as the executor reads it before he begins: measured, or said to be unknown."""

from recovery.calendar import format_duration
from recovery.installation import Installation
from recovery.procedures.restore.forecast import last_downtime

WHAT = "menghentikan layanan, menukar data, menjalankan layanan"


def expected_downtime(installation: Installation, application_name: str) -> str:
    """Given an application, return its last measured downtime in words; where there is none, that it was never
    measured, and for how long each service may take to stop and to start. Raises NotFoundError."""
    with installation.catalog.read() as connection:
        last = last_downtime(connection, application_name)
    if last.seconds is not None:
        return f"{format_duration(last.seconds)} pada restore terakhir: {WHAT}"
    limits = [
        f"{service.name} berhenti dalam {format_duration(service.stop_timeout)}, "
        f"berjalan dalam {format_duration(service.start_timeout)}"
        for service in installation.application(application_name).services
    ]
    return f"belum pernah diukur: {WHAT}. Batas waktu: {'; '.join(limits) or 'tidak ada layanan'}"
