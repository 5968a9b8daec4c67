"""The deployments that an inventory asks for, as plain data: what `pulih apply` writes and prefect.yaml holds."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from deployments.server import RETENTION_POOL, WORK_POOL
from recovery.errors import ConfigurationError
from recovery.installation import RELEASE
from recovery.inventory import Inventory
from recovery.inventory_rules import RESERVED_SCHEDULE_NAME
from recovery.settings import ApplicationSettings, OfficeSettings, OfficialSettings, ScheduleSettings
from recovery.sop import SOP_NUMBER
from tasks.dashboard import application_tag

TIMEZONE = "Asia/Jakarta"
TAG = "pulih"
# The runs that automations look after. The flow by which they tell of it never has this tag.
WATCHED_TAG = "sop"
BACKUP_ENTRYPOINT = "flows/backup.py:backup"
RESTORE_ENTRYPOINT = "flows/restore.py:restore"
SCHEDULE_ENTRYPOINT = "flows/schedule.py:schedule"
DRILL_ENTRYPOINT = "flows/drill.py:drill"
RETENTION_ENTRYPOINT = "flows/retention.py:retention"
NOTIFY_ENTRYPOINT = "flows/notify.py:notify"
RESTORE_NAME = "restore"
NOTIFY_NAME = "pemberitahuan"
DRILL_NAME = "gladi-restore"
RETENTION_NAME = "pemusnahan"
APPROVAL_NAME = "pengesahan-jadwal"
OUT_OF_SCHEDULE_NAME = RESERVED_SCHEDULE_NAME

_PARAMETER_TITLES = {
    "jadwal": "Jadwal Back Up",
    "alasan_di_luar_jadwal": "Alasan di luar jadwal",
    "mengulang": "Mengulang formulir nomor",
    "formulir": "Formulir Permintaan Restore Data",
    "komponen": "Hanya komponen atau aplikasi",
    "penyimpanan": "Salinan di penyimpanan",
    "pilihan": "Cadangan yang diuji",
    "perihal": "Perihal",
    "run": "Proses",
    "peristiwa": "Peristiwa",
}


def wanted_deployments(inventory: Inventory) -> list[dict[str, Any]]:
    """Given an inventory, return its deployments in the words of prefect.yaml, without the parameter schemas.

    No deployment has a concurrency limit: a limit frees its slot while a run waits for an approval, so only our own
    leases can say "one restore at a time".
    """
    officials = {official.nip: official for official in inventory.officials}
    applications = {application.name: application for application in inventory.applications}
    deployments = [
        *(_scheduled(schedule, officials, applications) for schedule in inventory.schedules),
        _deployment(
            OUT_OF_SCHEDULE_NAME,
            BACKUP_ENTRYPOINT,
            f"**Back up di luar jadwal** — SOP {SOP_NUMBER}.\n\n"
            "Pilih jadwal yang menjadi dasar dan isi alasannya. Untuk mengulang back up yang gagal, isi juga nomor "
            "formulirnya: hanya komponen yang gagal yang diulang.",
            ["backup"],
        ),
        _deployment(
            RESTORE_NAME,
            RESTORE_ENTRYPOINT,
            f"**PROSEDUR RESTORE DATA** — SOP {SOP_NUMBER}.\n\n"
            "Isi Formulir Permintaan Restore Data dari surat unit kerja pemohon. Sesudah itu permintaan menunggu "
            "disposisi Kadis Kominfo, verifikasi Kabid Aptika, dan pelaksana.",
            ["restore"],
        ),
        _deployment(
            APPROVAL_NAME,
            SCHEDULE_ENTRYPOINT,
            f"**Pengesahan Jadwal Back Up** — SOP {SOP_NUMBER}.\n\n"
            "Pilih jadwal. Dokumennya disusun dari inventaris, diberi nomor dan versi, lalu menunggu pengesahan oleh "
            "pejabat yang disebut di dalamnya. Jalankan lagi setiap kali jadwal berubah.",
            ["jadwal"],
        ),
        *(_drill(schedule) for schedule in inventory.schedules if schedule.drill.cron),
        _deployment(
            DRILL_NAME,
            DRILL_ENTRYPOINT,
            "**Gladi restore** — cadangan diambil dari tempat penyimpanan, dipulihkan ke salinan uji, dan dinilai; "
            "hasilnya menjadi berita acara. Data dan layanan yang berjalan tidak disentuh.\n\n"
            "Pilih jadwal; komponen, penyimpanan, dan pilihan cadangan boleh dikosongkan.",
            ["gladi"],
        ),
        _deployment(
            RETENTION_NAME,
            RETENTION_ENTRYPOINT,
            "**Pemusnahan cadangan yang melewati masa simpan** — Berita Acara Pemusnahan disusun, lalu menunggu "
            "persetujuan Kabid Aptika. Tidak ada yang dimusnahkan sebelum disetujui. Pekerjanya tersendiri.",
            ["pemusnahan"],
            schedules=_destruction_schedules(inventory.office),
        ),
        _deployment(
            NOTIFY_NAME,
            NOTIFY_ENTRYPOINT,
            "**Pemberitahuan** — dijalankan oleh otomasi bila suatu proses gagal, terputus, terlambat, tanpa kabar, "
            "atau menunggu persetujuan. Tidak perlu dijalankan sendiri.",
            ["pemberitahuan"],
            watched=False,
        ),
    ]
    variables = {"env": _environment(inventory.office)}
    return [
        {
            **deployment,
            "work_pool": {
                "name": RETENTION_POOL if deployment["name"] == RETENTION_NAME else WORK_POOL,
                "job_variables": variables,
            },
        }
        for deployment in deployments
    ]


def parameter_schema(deployment: dict[str, Any], schema: dict[str, Any], inventory: Inventory) -> dict[str, Any]:
    """Given a deployment, its flow's schema and the inventory, return the schema with titles and drop-downs.

    Raises ConfigurationError when the flow does not have the parameter that needs a drop-down.
    """
    schema = deepcopy(schema)
    for name, title in _PARAMETER_TITLES.items():
        if name in schema["properties"]:
            schema["properties"][name]["title"] = title
    if deployment["entrypoint"] == RESTORE_ENTRYPOINT:
        _choose(_model(schema, "formulir"), "aplikasi", (each.name for each in inventory.applications))
    elif deployment["name"] == OUT_OF_SCHEDULE_NAME:
        _choose(schema, "jadwal", (each.name for each in inventory.schedules))
        _require_text(schema, "alasan_di_luar_jadwal")
    elif deployment["entrypoint"] == SCHEDULE_ENTRYPOINT:
        _choose(schema, "jadwal", (each.name for each in inventory.schedules))
    elif deployment["entrypoint"] == DRILL_ENTRYPOINT:
        own = deployment["parameters"].get("jadwal")
        _choose(schema, "jadwal", [own] if own else (each.name for each in inventory.schedules))
        _choose(schema, "penyimpanan", ["", *(each.name for each in inventory.stores)])
    elif deployment["entrypoint"] == BACKUP_ENTRYPOINT:
        _choose(schema, "jadwal", [deployment["name"]])
    return schema


def _scheduled(
    schedule: ScheduleSettings,
    officials: dict[str, OfficialSettings],
    applications: dict[str, ApplicationSettings],
) -> dict[str, Any]:
    rows = [
        ("Tahun/periode", schedule.period),
        ("Nama aplikasi", ", ".join(applications[name].title for name in schedule.applications)),
        ("Frekuensi dan waktu", schedule.frequency),
        ("Retensi", f"{schedule.retention_days} hari"),
        ("Pelaksana", officials[schedule.executor].name),
        ("Pemeriksa", officials[schedule.reviewer].name),
    ]
    table = "\n".join(f"| {label} | {value} |" for label, value in rows)
    return _deployment(
        schedule.name,
        BACKUP_ENTRYPOINT,
        f"**Jadwal Back Up** — SOP {SOP_NUMBER}.\n\n| | |\n|---|---|\n{table}",
        ["backup", *(application_tag(name) for name in schedule.applications)],
        parameters={"jadwal": schedule.name},
        # The slug is the schedule's identity across deploys: a changed hour is a change, not a second schedule.
        schedules=[{"cron": schedule.cron, "timezone": TIMEZONE, "slug": schedule.name, "active": True}],
    )


def _drill(schedule: ScheduleSettings) -> dict[str, Any]:
    name = f"gladi-{schedule.name}"
    return _deployment(
        name,
        DRILL_ENTRYPOINT,
        f"**Gladi restore** dari cadangan jadwal {schedule.name}, menurut waktunya sendiri. Data dan layanan yang "
        "berjalan tidak disentuh.",
        ["gladi", *(application_tag(each) for each in schedule.applications)],
        parameters={"jadwal": schedule.name},
        schedules=[{"cron": schedule.drill.cron, "timezone": TIMEZONE, "slug": name, "active": True}],
    )


def _destruction_schedules(office: OfficeSettings) -> list[dict[str, Any]]:
    if not office.destruction_cron:
        return []
    return [{"cron": office.destruction_cron, "timezone": TIMEZONE, "slug": RETENTION_NAME, "active": True}]


def _deployment(
    name: str,
    entrypoint: str,
    description: str,
    tags: list[str],
    *,
    parameters: dict[str, Any] | None = None,
    schedules: list[dict[str, Any]] | None = None,
    watched: bool = True,
) -> dict[str, Any]:
    return {
        "name": name,
        "version": RELEASE,
        "description": description,
        "tags": sorted([TAG, *([WATCHED_TAG] if watched else []), *tags]),
        "entrypoint": entrypoint,
        "parameters": parameters or {},
        "schedules": schedules or [],
        "enforce_parameter_schema": True,
    }


def engine_command(python: str) -> str:
    """Given the release's interpreter, as a shell would read it, return the command that starts a run's process.

    Without one Prefect prepares each run in another process first, which costs two seconds after every approval. A
    session of its own keeps a signal that is meant for the worker's terminal from the run.
    """
    return f"setsid {python} -m prefect.engine"


def _environment(office: OfficeSettings) -> dict[str, str]:
    """What every run's process is started with."""
    return {
        # What the domain and the steps log is shown with the run in the Prefect UI.
        "PREFECT_LOGGING_EXTRA_LOGGERS": "recovery,tasks",
        # A run writes its log to its worker, too. Prefect's own handler ends the process when that has died; with this
        # one those lines are lost and the run goes on: what it logs reaches the server all the same.
        "PREFECT_LOGGING_ROOT_HANDLERS": "debug",
        "PREFECT_LOGGING_HANDLERS_DEBUG_FORMATTER": "standard",
        "PREFECT_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS": str(office.components_at_once),
    }


def _model(schema: dict[str, Any], parameter: str) -> dict[str, Any]:
    reference = schema["properties"].get(parameter, {}).get("$ref", "")
    model = schema.get("definitions", {}).get(reference.rpartition("/")[2])
    if not isinstance(model, dict):
        raise _unfit(parameter, "is no form")
    return model


def _choose(schema: dict[str, Any], parameter: str, names: Iterable[str]) -> None:
    if parameter not in schema["properties"]:
        raise _unfit(parameter, "does not exist")
    schema["properties"][parameter]["enum"] = sorted(names)


def _require_text(schema: dict[str, Any], parameter: str) -> None:
    if parameter not in schema["properties"]:
        raise _unfit(parameter, "does not exist")
    schema["properties"][parameter].pop("default", None)
    schema["properties"][parameter]["minLength"] = 10
    schema["required"] = sorted({*schema.get("required", []), parameter})


def _unfit(parameter: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the flow's parameter {parameter!r} {why}",
        state="nothing was deployed",
        hint="the release directory is damaged or of another release; install it again",
    )
