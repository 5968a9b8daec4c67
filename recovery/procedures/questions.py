"""What each deciding official is asked: the document shown, the choices, who may answer, and what the answer binds.

A question is made from records only, so that asking again after a restart of the flow asks the same.
"""

from typing import Any

from recovery.calendar import format_bytes, format_date, format_duration, format_moment, format_number
from recovery.errors import ProcedureError
from recovery.installation import Installation
from recovery.procedures.backup_question import backup_question
from recovery.procedures.restore.backup_origin import after_incident, doubtful, foreign_origins, passed_over
from recovery.procedures.restore.expected_downtime import expected_downtime
from recovery.procedures.restore.inventoried import application_title, component_title_and_key, require_in_inventory
from recovery.procedures.restore.plan import Plan, approved_plan, make_plan
from recovery.procedures.restore_document import printed_status
from recovery.procedures.retention_question import retention_question
from recovery.procedures.schedule_question import schedule_question
from recovery.records import approvals, forms, officials, procedures, steps
from recovery.records.approvals import Question
from recovery.sop import EXECUTOR_START, EXECUTOR_START_TITLE, RETENTION_APPROVAL, SCHEDULE_APPROVAL, step

Rows = list[list[str]]

# What an official finds, by the name of his answer and as the SOP's form prints it.
VERIFICATION_CHECKS = {
    "jenis_data_sesuai": "Jenis data sesuai",
    "pemohon_berwenang": "Pemohon berwenang",
    "cadangan_utuh": "Cadangan tersedia dan utuh",
}

REQUESTER_EXCLUDED = "Pemohon tidak boleh memutuskan permintaannya sendiri."
DISPOSER_EXCLUDED = "Pejabat yang mendisposisi tidak boleh memverifikasi."
VERIFIER_EXCLUDED = "Pejabat yang memverifikasi tidak boleh melaksanakan."


def question_of(installation: Installation, procedure_id: str, step_id: str) -> Question:
    """Given a deciding step of a procedure, return its question. Raises ProcedureError for a step nobody decides."""
    questions = {
        "backup.6": backup_question,
        "restore.2": _disposition,
        "restore.3": _verification,
        EXECUTOR_START: _start,
        "restore.8": _acknowledgement,
        SCHEDULE_APPROVAL: schedule_question,
        RETENTION_APPROVAL: retention_question,
    }
    if step_id not in questions:
        raise ProcedureError(f"step {step_id} is not decided by an official", state="nothing was asked")
    return questions[step_id](installation, procedure_id)


def _disposition(installation: Installation, procedure_id: str) -> Question:
    request, rows = _request_rows(installation, procedure_id)
    return Question(
        procedure_id=procedure_id,
        step_id="restore.2",
        roles=("kadis",),
        document={
            "judul": "Disposisi permintaan restore data",
            "langkah": step("restore.2").title,
            "bagian": [{"judul": "Permintaan", "baris": rows}],
        },
        choices=("diteruskan", "dikembalikan"),
        refusals=("dikembalikan",),
        excluded={request["nip_pemohon"]: REQUESTER_EXCLUDED},
        binding=_request_binding(installation, procedure_id),
    )


def _verification(installation: Installation, procedure_id: str) -> Question:
    request, rows = _request_rows(installation, procedure_id)
    require_in_inventory(installation, procedure_id, request["aplikasi"])
    plan = make_plan(installation, procedure_id)
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        disposition = approvals.decision_of(connection, procedure_id, "restore.2")
    application = installation.application(procedure.application)
    unit = procedure.parameters["requester_unit"]
    owns = unit == application.owner_unit
    found = [
        ["Unit pemilik data", application.owner_unit_title],
        ["Unit pemohon", f"{unit} – {'sama dengan pemilik data' if owns else 'BUKAN pemilik data'}"],
        ["Klasifikasi", application.classification],
        ["Data pribadi menurut inventaris", application.personal_data],
        ["Data pribadi menurut pemohon", request["data_pribadi"]],
        *_origins(installation, plan),
    ]
    chosen = [
        [
            component_title_and_key(installation, component),
            f"{backup['name']} – titik pulih {format_moment(backup['moment'])}, terverifikasi, "
            f"{format_number(backup['totals']['rows'])} objek, {format_bytes(backup['totals']['bytes'])}",
        ]
        for component, backup in plan.backups.items()
    ]
    excluded = {request["nip_pemohon"]: REQUESTER_EXCLUDED}
    if disposition is not None and not installation.office.approvals.small_office:
        excluded[disposition.nip] = DISPOSER_EXCLUDED
    return Question(
        procedure_id=procedure_id,
        step_id="restore.3",
        roles=("kabid",),
        document={
            "judul": "Verifikasi jenis dan kewenangan data",
            "langkah": step("restore.3").title,
            "bagian": [
                {"judul": "Permintaan", "baris": rows},
                {"judul": "Temuan sistem", "baris": found},
                {"judul": "Cadangan yang akan dipakai", "baris": chosen},
            ],
            "rencana": plan.backups,
        },
        choices=("disetujui", "ditolak"),
        refusals=("ditolak",),
        excluded=excluded,
        binding=plan.binding,
        checks=VERIFICATION_CHECKS,
    )


def _start(installation: Installation, procedure_id: str) -> Question:
    request, _rows = _request_rows(installation, procedure_id)
    plan = approved_plan(installation, procedure_id)
    require_in_inventory(installation, procedure_id, plan.application, plan.components)
    with installation.catalog.read() as connection:
        verified = steps.evidence_of(connection, procedure_id, "restore.3") or {}
        ended = steps.find(connection, procedure_id, "restore.3")
    rehearsal = verified["rehearsal"]
    moments = [backup["moment"] for backup in plan.backups.values()]
    document = {
        "judul": EXECUTOR_START_TITLE,
        "langkah": f"Sebelum langkah {step('restore.4').title}",
        "bagian": [
            {
                "judul": "Hasil gladi (uji muat di samping data yang sedang dipakai)",
                "baris": [
                    [
                        component_title_and_key(installation, component),
                        f"{result['name']} – LULUS, {format_number(result['checks']['checks'])} pemeriksaan, "
                        f"{format_duration(result['milliseconds'] / 1000)}; {_against_live(result)}",
                    ]
                    for component, result in rehearsal.items()
                ],
            },
            {
                "judul": "Yang perlu diketahui sebelum memulai",
                "baris": [
                    [
                        "Data yang akan hilang",
                        f"semua yang masuk sesudah {format_moment(min(moments))}; "
                        "data sekarang disimpan sebagai salinan pengaman",
                    ],
                    *_origins(installation, plan),
                    ["Perkiraan lama henti", expected_downtime(installation, plan.application)],
                    ["Waktu henti yang diizinkan", request["waktu_henti"]],
                    ["Gladi selesai", format_moment(ended.ended_at) if ended and ended.ended_at else ""],
                ],
            },
        ],
    }
    return Question(
        procedure_id=procedure_id,
        step_id=EXECUTOR_START,
        roles=("pelaksana",),
        document=document,
        choices=("mulai", "batalkan"),
        refusals=("batalkan",),
        excluded={request["nip_pemohon"]: REQUESTER_EXCLUDED, verified["official"]: VERIFIER_EXCLUDED},
        binding=plan.binding,
    )


def _acknowledgement(installation: Installation, procedure_id: str) -> Question:
    request, _rows = _request_rows(installation, procedure_id)
    with installation.catalog.read() as connection:
        informed = steps.evidence_of(connection, procedure_id, "restore.7") or {}
        started = steps.evidence_of(connection, procedure_id, "restore.6") or {}
        form = forms.latest(connection, "restore", procedure_id)
    document = {
        "judul": "Tanda terima status aduan kerusakan data",
        "langkah": step("restore.8").title,
        "bagian": [
            {
                "judul": "Hasil",
                "baris": [
                    ["Nomor formulir", informed.get("form_number", "")],
                    ["Status", printed_status(started) if started else ""],
                    ["Aplikasi", application_title(installation, request["aplikasi"])],
                    ["Layanan aktif kembali", format_moment(started.get("started_at"))],
                ],
            }
        ],
    }
    return Question(
        procedure_id=procedure_id,
        step_id="restore.8",
        roles=("pemohon",),
        only=(request["nip_pemohon"],),
        document=document,
        choices=("sesuai", "tidak sesuai"),
        refusals=("tidak sesuai",),
        binding={"form_number": form.number if form else ""},
        receipt_code=True,
    )


def _request_rows(installation: Installation, procedure_id: str) -> tuple[dict[str, Any], Rows]:
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        evidence = steps.evidence_of(connection, procedure_id, "restore.1") or {}
        requester = officials.get(connection, procedure.parameters["request"]["nip_pemohon"])
    request = procedure.parameters["request"]
    return request, [
        ["Nomor formulir", evidence.get("form_number", "")],
        ["Surat", f"{request['nomor_surat']} tanggal {format_date(request['tanggal_surat'])}"],
        ["Pemohon", f"{requester.name}, NIP {requester.nip}, {requester.title}"],
        ["Aplikasi", application_title(installation, request["aplikasi"])],
        ["Uraian kerusakan", request["uraian_kerusakan"]],
        ["Waktu kejadian", format_moment(request["waktu_kejadian"])],
        ["Titik pulih yang diminta", request["titik_pulih"] or "cadangan terbaru yang terverifikasi"],
        ["Dasar kewenangan", request["dasar_kewenangan"]],
        ["Urgensi", request["urgensi"]],
        ["SHA-256 surat", evidence.get("letter_sha256", "")],
    ]


def _origins(installation: Installation, plan: Plan) -> Rows:
    told = {
        "Asal cadangan": foreign_origins(plan),
        "Cadangan yang dilewati": passed_over(plan),
        "Waktu cadangan": doubtful(plan),
        "Cadangan sesudah kejadian": after_incident(plan),
    }
    return [
        [f"{label} {component_title_and_key(installation, key)}", words]
        for label, found in told.items()
        for key, words in found.items()
    ]


def _request_binding(installation: Installation, procedure_id: str) -> dict[str, Any]:
    with installation.catalog.read() as connection:
        evidence = steps.evidence_of(connection, procedure_id, "restore.1") or {}
    return {"request_hash": evidence.get("request_hash", "")}


def _against_live(result: dict[str, Any]) -> str:
    """What the executor compares: objects in the backup and in the data as it is now."""
    backed_up = format_number(result["totals"]["rows"])
    live = result["live"]
    if "unreadable" in live:
        return f"cadangan {backed_up} objek, data sekarang tidak terbaca"
    return f"cadangan {backed_up} objek, data sekarang {format_number(live['totals']['rows'])} objek"
