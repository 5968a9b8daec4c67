"""How runs are called on the dashboard, from what is known when they start: a run that waits is found by its name.

Prefect asks for the name whenever the run's process starts, so the same run must get the same name again.
"""

from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run

from blocks.installation import load_installation
from recovery.calendar import format_date, to_wib
from recovery.errors import PulihError
from tasks.this_run import this_run

_LONGEST_LETTER_NUMBER = 60


def backup_name() -> str:
    """Return "Back up harian · 22 November 2026 22.00", and whether it is out of schedule or a repetition."""
    run, parameters = this_run(), flow_run.get_parameters()
    kind = "" if run.auto_scheduled else " · di luar jadwal"
    if parameters.get("mengulang"):
        kind = f" · mengulang {parameters['mengulang']}"
    return f"Back up {parameters['jadwal']}{kind}{_wanted_at(run)}"


def retention_name() -> str:
    """Return "Pemusnahan cadangan · 22 November 2026 09.00"."""
    return f"Pemusnahan cadangan{_wanted_at(this_run())}"


def drill_name() -> str:
    """Return "Gladi restore harian · 22 November 2026 22.00", and of which component when it is of one."""
    run, parameters = this_run(), flow_run.get_parameters()
    subject = f" · {parameters['komponen']}" if parameters.get("komponen") else ""
    return f"Gladi restore {parameters['jadwal']}{subject}{_wanted_at(run)}"


def restore_name() -> str:
    """Return "Restore Sistem Informasi … · surat 800/045/BKD/2026"."""
    form = flow_run.get_parameters()["formulir"]
    number = " ".join(form.nomor_surat.split())
    if len(number) > _LONGEST_LETTER_NUMBER:
        number = f"{number[:_LONGEST_LETTER_NUMBER]}…"
    return f"Restore {_title(form.aplikasi)} · surat {number}"


def _wanted_at(run: FlowRun) -> str:
    # When it was wanted and not when it began: that stays as it is when the run goes on after an answer.
    if run.expected_start_time is None:
        return ""
    moment = to_wib(run.expected_start_time)
    return f" · {format_date(moment)} {moment:%H.%M}"


def _title(application: str) -> str:
    try:
        return load_installation().application(application).title
    except PulihError:
        # The flow's first line finds the same, and says it where it can be read: a name is no place for an error.
        return application
