"""What `make up` says at the end: where a restore is started, who answers it, and the command that plays the phones."""

from cli.output import table
from demo.running import as_now
from demo.site import APPLICATION, KADIS, LETTER_FILE, LETTER_NUMBER, REQUESTER, Site
from recovery.inventory import load_inventory
from recovery.sop import ROLE_TITLES

# In the order in which a restore asks them.
ANSWERS = {
    "pemohon": "formulir permintaan (langkah 1) dan tanda terima (langkah 7)",
    "kadis": "disposisi (langkah 2)",
    "kabid": "verifikasi (langkah 3)",
    "pelaksana": "mulai, setelah gladi (sebelum langkah 4)",
}


def instructions(site: Site, address: str) -> list[str]:
    """Given a site that is up and the address of its user interface, return the lines to be printed."""
    code = as_now(f".venv/bin/pulih --inventory {site.inventory} official code")
    return [
        f"Antarmuka Prefect : {address}",
        f"Aplikasi SIMPEL   : {site.simpel_url}",
        "Mulai restore     : Deployments → restore → Run → Custom run",
        f"Isi formulir      : Nomor surat {LETTER_NUMBER}; Berkas surat {LETTER_FILE}; NIP pemohon {REQUESTER};",
        f"                    Nama aplikasi {APPLICATION}; yang lain bebas",
        "Jawab             : buka run-nya, menu ⋮ → Resume, sebagai pejabat yang ditunggu:",
        "",
        *_people(site),
        "",
        f"Kode sekali pakai : {code} {KADIS}",
        "                    (NIP pejabat yang menjawab; setiap kode berlaku satu kali)",
        f"Kode tanda terima : dalam pemberitahuan kepada pemohon, {site.notices}",
        f"Selesai           : {as_now('make down')}",
    ]


def _people(site: Site) -> list[str]:
    everybody = load_inventory(site.inventory).officials
    rows = [
        (ROLE_TITLES[role], person.nip, person.name, answers)
        for role, answers in ANSWERS.items()
        for person in everybody
        if role in person.roles
    ]
    return [f"  {line}" for line in table(("PERAN", "NIP", "NAMA", "MENJAWAB"), rows)]
