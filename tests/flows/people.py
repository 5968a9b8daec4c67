"""The officials of the flows' tests: those of the small office, and more to try attacks with."""

from recovery.settings import OfficialSettings
from tests.testbed.small_office import EXECUTOR, KABID, KADIS, REQUESTER

# Who the attacks are tried with, so that nobody waits for the next one-time code, and nobody is locked.
ACTING_KADIS = "197505052000031005"
INTERIM_KADIS = "197407071999032007"
ASKING_KADIS = "197606062001031006"
PEOPLE = (
    (KABID, "Siti Contoh", ["kabid"]),
    (KADIS, "Bambang Peraga", ["kadis"]),
    (EXECUTOR, "Agus Teladan", ["pelaksana"]),
    (REQUESTER, "Rina Misal", ["pemohon"]),
    (ACTING_KADIS, "Dewi Umpama", ["kadis"]),
    (INTERIM_KADIS, "Eko Misalkan", ["kadis"]),
    (ASKING_KADIS, "Joko Andai", ["kadis", "pemohon"]),
)


def people(mail_box: str) -> list[OfficialSettings]:
    """Every official of the office, as its inventory names them; requesters are told at `mail_box`, a reference."""
    return [
        OfficialSettings(
            nip=nip,
            name=name,
            position="Jabatan",
            unit="bkd",
            roles=roles,
            contact=mail_box if "pemohon" in roles else "",
        )
        for nip, name, roles in PEOPLE
    ]
