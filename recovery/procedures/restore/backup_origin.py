"""What officials read where a backup was not made of the very thing that it would replace, seems not the newest, or may
hold the damage itself."""

from recovery.calendar import format_moment
from recovery.procedures.restore.plan import Plan

WORDS = {
    "machine": "mesin",
    "kind": "jenis",
    "path": "letak",
    "system": "server basis data",
    "database": "nama basis data",
    "server_uid": "pengenal server basis data (server_uid)",
}
WHAT_TO_DO = "Lanjutkan hanya bila data itu memang dipindahkan atau servernya dibangun ulang."


def foreign_origins(plan: Plan) -> dict[str, str]:
    """Given a plan, return for each component whose backup was made of something else in what that differs."""
    found = {}
    for key, backup in plan.backups.items():
        # A plan that was approved before an upgrade may not say it.
        parts = [
            f"{WORDS[name]} {each['backup'] or '–'}, sekarang {each['target'] or '–'}"
            for name, each in backup.get("differences", {}).items()
        ]
        if parts:
            found[key] = f"BERBEDA dari data yang akan diganti: {'; '.join(parts)}. {WHAT_TO_DO}"
    return found


def passed_over(plan: Plan) -> dict[str, str]:
    """Given a plan, return for each component for which something was passed over that seems newer what that is."""
    found = {}
    for key, backup in plan.backups.items():
        # A plan that was approved before an upgrade may not say it.
        others = backup.get("passed_over", [])
        if others:
            more = f" dan {len(others) - 1} cadangan lain" if others[1:] else ""
            found[key] = (
                f"{others[0]['name']} bertanggal {format_moment(others[0]['moment'])}{more}: waktu itu belum tiba, "
                "atau melewati waktu cadangan yang dibuat sesudahnya, jadi ada jam yang salah. Bila cadangan itu yang "
                "dikehendaki, titik pulihnya harus ditulis dalam permintaan."
            )
    return found


def doubtful(plan: Plan) -> dict[str, str]:
    """Given a plan, return for each component whose backup was chosen by a moment that cannot be believed why not."""
    return {
        key: f"{backup['name']} bertanggal {format_moment(backup['moment'])}: waktu itu belum tiba, atau melewati "
        "waktu cadangan yang dibuat sesudahnya, jadi ada jam yang salah. Isinya mungkin bukan keadaan pada titik pulih "
        "yang diminta. Lanjutkan hanya bila cadangan itu memang yang dikehendaki."
        for key, backup in plan.backups.items()
        if backup.get("doubtful")
    }


def after_incident(plan: Plan) -> dict[str, str]:
    """Given a plan, return for each component whose backup nobody named and was taken after the damage what that may
    mean, and which one there is from before."""
    found = {}
    for key, backup in plan.backups.items():
        # A plan that was approved before an upgrade may not say it.
        known = backup.get("after_incident")
        if known:
            before = known["before"]
            earlier = (
                f"Cadangan terverifikasi terbaru sebelum kejadian: {before['name']}, "
                f"{format_moment(before['moment'])}. Bila cadangan itu yang dikehendaki, titik pulihnya harus ditulis "
                "dalam permintaan."
                if before
                else "Tidak ada cadangan terverifikasi dari sebelum kejadian."
            )
            found[key] = (
                f"{backup['name']} diambil {format_moment(backup['moment'])}, SESUDAH waktu kejadian "
                f"({format_moment(known['incident'])}); mungkin memuat kerusakannya. {earlier}"
            )
    return found
