"""What the demonstration's inventory says: one office, one application, its people."""

from demo.bucket import store_settings
from demo.engines import Engine
from demo.machine import host_settings, service_settings
from demo.site import APPLICATION, DATABASE_SUITE, EXECUTOR, KABID, KADIS, REQUESTER, SCHEDULE, Site


def inventory(site: Site, engine: Engine, operations: str, escrow: str) -> dict[str, object]:
    """Given a site, its engine and both public keys, return the inventory as plain data."""
    keys = site.root / "kunci"
    own_machine = site.host == "systemd"
    local = {"name": "server-simpel", "kind": "local", "title": "Server SIMPEL (peragaan)"}
    supervised = {
        "name": "simpel",
        "kind": "supervisor",
        "program": "simpel",
        "configuration": str(site.supervisor),
        "health_url": f"{site.simpel_url}/sehat",
        "port": site.simpel_port,
    }
    return {
        "office": {
            "government": "PEMERINTAH KABUPATEN TRENGGALEK",
            "name": "DINAS KOMUNIKASI DAN INFORMATIKA",
            "address": "Peragaan – bukan dokumen resmi",
            "legal_basis": [
                "Undang-Undang Nomor 25 Tahun 2009 tentang Pelayanan Publik",
                "Peraturan Bupati Trenggalek Nomor 11 Tahun 2022 tentang SPBE",
            ],
            "state_directory": str(site.state),
            "prefect_database": f"file:{keys / 'prefect.url'}",
            # The demonstration's Prefect server runs on SQLite, which every machine has.
            "timed_automations": False,
            "notice_targets": [f"file:{keys / 'pemberitahuan-dinas.url'}"],
        },
        "keys": {
            "operations_recipient": operations,
            "escrow_recipient": escrow,
            "operations_identity": f"file:{keys / 'operasional.txt'}",
            "signing_key": f"file:{keys / 'tanda-tangan.pem'}",
            "enrolment_key": f"file:{keys / 'pendaftaran.key'}",
        },
        "hosts": [host_settings(site) if own_machine else local],
        "stores": [store_settings(site)],
        "applications": [
            {
                "name": APPLICATION,
                "title": "SIMPEL – Sistem Informasi Manajemen Kepegawaian",
                "owner_unit": "bkd",
                "owner_unit_title": "Badan Kepegawaian Daerah",
                "category": "tinggi",
                "classification": "terbatas",
                "personal_data": "umum",
                "host": "server-simpel",
                "downtime_allowed": "30 menit",
                "services": [service_settings() if own_machine else supervised],
                "components": [
                    {
                        "name": "data",
                        "title": "Basis data kepegawaian",
                        **engine.component(),
                        "data_kind": "Data kepegawaian",
                        "suite": str(site.root / DATABASE_SUITE),
                    },
                    {
                        "name": "berkas",
                        "title": "Berkas unggahan",
                        "kind": "files",
                        "path": site.on_host(site.uploads),
                        "data_kind": "Dokumen kepegawaian",
                        "suite": str(site.root / "simpel-berkas.yaml"),
                    },
                ],
            }
        ],
        "schedules": [
            {
                "name": SCHEDULE,
                "period": "2026",
                "applications": [APPLICATION],
                "cron": "0 22 20 * *",
                "frequency": "Setiap tanggal 20 pukul 22.00 WIB",
                "store": "gudang",
                "retention_days": 365,
                "executor": EXECUTOR,
                "reviewer": KABID,
                "approved_by": KADIS,
                "valid_from": "2026-01-05",
            }
        ],
        "officials": officials(f"file:{keys / 'pemberitahuan.url'}"),
    }


def officials(requester_contact: str) -> list[dict[str, object]]:
    """Given where notices to the requester go, return the demonstration's people."""
    return [
        _official(KADIS, "Drs. Bambang Peraga, M.M.", "Kepala Dinas Komunikasi dan Informatika", "kominfo", "kadis"),
        _official(KABID, "Siti Contoh, S.Kom., M.T.", "Kepala Bidang Aplikasi dan Informatika", "kominfo", "kabid"),
        _official(EXECUTOR, "Agus Teladan, S.Kom.", "Pranata Komputer Ahli Pertama", "kominfo", "pelaksana"),
        {
            **_official(REQUESTER, "Rina Misal, S.E.", "Kepala Subbagian Umum", "bkd", "pemohon"),
            "contact": requester_contact,
        },
    ]


def _official(nip: str, name: str, position: str, unit: str, role: str) -> dict[str, object]:
    return {"nip": nip, "name": name, "position": position, "unit": unit, "roles": [role]}
